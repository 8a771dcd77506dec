"""The published slicing, repeated on purpose to measure its cost. Written from its description."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

import learnable_wavelets as lw


def published_slices(lengths: tuple[int, ...]) -> list[slice]:
    """Cut the packed vector as the published layer does, finest scale first.

    Each scale begins at the *length* of the previous one and not at its end; so the first two are correct, the others
    overlap, and the tail of the vector is never read.
    """
    starts = (0, *(previous for previous, _ in pairwise(lengths)))
    return [slice(start, start + length) for start, length in zip(starts, lengths, strict=True)]


class PublishedSlicing(lw.WaveletLinear):
    """A square `WaveletLinear` that orders and cuts its coefficients as the published code does.

    Finest details first and the approximation last, which alone would only rename the entries of the middle diagonal.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Map `(..., in_features)` to `(..., out_features)`; overridden, so that a GRU does not call the kernel."""
        y = self._product(input)
        return y if self.bias is None else y + self.bias

    def to_dense(self) -> torch.Tensor:
        """Return the matrix that the layer applies before the bias."""
        return self._product(torch.eye(self.in_features, device=self.diag_in.device, dtype=self.diag_in.dtype)).T

    def _product(self, x: torch.Tensor) -> torch.Tensor:
        diag_in, diag_mid, diag_out = self.diagonals()
        bank, approximation, details = self.filter(), x * diag_in, []
        for _ in range(self.level):  # `wavedec` would warn of the published depth
            approximation, detail = lw.functional.dwt(approximation, bank, self.mode)
            details.append(detail)
        coeffs = [*details, approximation]
        packed = torch.cat(coeffs, dim=-1)[..., self.permutation[0].to(x.device)] * diag_mid[0]
        pieces = [packed[..., piece] for piece in published_slices(tuple(c.shape[-1] for c in coeffs))]
        signal = lw.functional.waverec(pieces[::-1], bank, self.mode)
        return signal[..., : self.out_features] * diag_out


class Materialised(nn.Module):
    """A layer applied as the matrix that it was at the last `refresh`: for the many steps of a sequence."""

    def __init__(self, layer: PublishedSlicing) -> None:
        super().__init__()
        self.layer = layer
        self._matrix: torch.Tensor | None = None

    def refresh(self) -> None:
        """Compute the matrix, differentiable in the layer's parameters."""
        self._matrix = self.layer.to_dense()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self._matrix is None:
            raise RuntimeError("`refresh` must be called before the first step of a sequence")
        return F.linear(x, self._matrix)
