"""The published fault, repeated on purpose, to measure what it costs. Written from its description."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

import learnable_wavelets as lw

from ..kernels import _dispatch as kernels
from ..kernels.reference import coeff_lengths


def wrong_slices(lengths: tuple[int, ...]) -> list[slice]:
    """Where the published layer cuts its packed vector, finest scale first.

    Each scale begins where the *length* of the previous one points and not where that one ends; so the first two are
    right, the others overlap, and the tail of the vector is read by none.
    """
    starts = (0, *(previous for previous, _ in pairwise(lengths)))
    return [slice(start, start + length) for start, length in zip(starts, lengths, strict=True)]


class PublishedSlicing(lw.WaveletLinear):
    """A square `WaveletLinear` that orders and cuts its coefficients as the published code does.

    Finest details first and the approximation last, which alone would only rename the entries of the middle diagonal.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(..., in_features)` to `(..., out_features)`; its own, so that a GRU does not call the right kernel."""
        return super().forward(x)

    def _compute(
        self, x: torch.Tensor, diagonals: tuple[torch.Tensor, torch.Tensor, torch.Tensor], bias: torch.Tensor | None
    ) -> torch.Tensor:
        diag_in, diag_mid, diag_out = diagonals
        bank = self.filter.filter_bank
        coeffs = kernels.wavedec(x * diag_in, bank.dec_lo, bank.dec_hi, self.mode, self.level)
        packed = torch.cat(coeffs[::-1], dim=-1)[..., self.permutation[0]] * diag_mid[0]
        lengths = coeff_lengths(self.in_features, bank.taps, self.mode, self.level)[::-1]
        pieces = [packed[..., piece] for piece in wrong_slices(lengths)]
        signal = kernels.waverec(pieces[::-1], bank.rec_lo, bank.rec_hi, self.mode)
        assert signal is not None  # every scale is there
        y = signal[..., : self.out_features] * diag_out
        return y if bias is None else y + bias


class Materialised(nn.Module):
    """A layer applied as the matrix that it was at the last `refresh`: for the many steps of a sequence."""

    def __init__(self, layer: PublishedSlicing) -> None:
        super().__init__()
        self.layer = layer
        self._matrix: torch.Tensor | None = None

    def refresh(self) -> None:
        """Make the matrix, differentiable in the layer's parameters."""
        self._matrix = self.layer.to_dense()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self._matrix is None:
            raise RuntimeError("`refresh` must be called before the first step of a sequence")
        return F.linear(x, self._matrix)
