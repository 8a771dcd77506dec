"""Losses in the wavelet domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .._checks import check_choice, check_mode, check_number, check_signal
from ..functional._bank import WaveletLike, bank_for
from ..functional._levels import read_level
from ._band_loss import NORMS, BandLoss, InPieces, takes_pieces
from ._dwt import DWT
from ._swt import SWT


class WaveletLoss(nn.Module):
    r"""Compare two signals, images or volumes band by band: $\sum_b w_b \,\mathrm{mean}\, \rho(W_b (x - y))$.

    Args:
        wavelet: a PyWavelets name, a `pywt.Wavelet` or a `FilterBank`, which stay fixed; or a `WaveletFilter` module,
            which trains with the model and should then be kept near a wavelet by `wavelet_regularizer`.
        level: number of levels.
        weights: `level + 1` weights, in the order of the coefficients: of the approximation, then of the details from
            coarse to fine; the details of a level may have one for each band, a list in the order of `wavedec2` (H, V,
            D) or of the keys of `wavedecn`. Default: all 1.
        transform: `dwt`, or `swt`, which knows no grid and so leaves no pattern of blocks.
        dims: 1, 2 or 3.
        norm: $\rho$: `l1`, `l2` (the square), or `charbonnier`, $\sqrt{x^2 + 10^{-6}}$.
        mode: signal extension of `dwt`.

    Shape:
        Two tensors of one shape `(..., n)`, `(..., n, m)` or `(..., n, m, k)` to a scalar.

    Raises:
        ValueError: unknown `transform` or `norm`, a number of weights that does not fit, a negative weight; inputs of
            two shapes, and as for `DWT` and `SWT`.
        TypeError: arguments of another type.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> loss = lw.nn.WaveletLoss("haar", level=1, weights=[0, [1, 1, 2]], norm="l2")
        >>> x = torch.zeros(1, 1, 2, 2)
        >>> y = torch.tensor([[[[1.0, -1.0], [-1.0, 1.0]]]])  # all of it diagonal detail, of size 2
        >>> round(loss(x, y).item(), 4)
        8.0

    Notes:
        The transform is linear, so that one transform of the difference is enough. `swt` is normalised as by
        `functional.swt(norm=True)`.

        On the CPU a batch is computed in up to 32 pieces and the backward pass computes the coefficients again: for
        backward only the inputs are kept, and beside the gradient there is never more than the bands of a piece.
    """

    def __init__(
        self, wavelet: WaveletLike = "db2", level: int = 3, weights: Sequence[Any] | None = None,
        transform: str = "dwt", dims: int = 2, norm: str = "l1", mode: str = "symmetric",
    ) -> None:  # fmt: skip
        super().__init__()
        learnable = isinstance(wavelet, nn.Module)
        self._kind, self._mode = check_choice("transform", transform, ("dwt", "swt")), check_mode(mode)
        if self._kind == "dwt":
            self.transform: DWT | SWT = DWT(wavelet, level, mode, dims, learnable=learnable)
        else:
            self.transform = SWT(wavelet, level, dims, norm=True, learnable=learnable)
        self.norm = check_choice("norm", norm, tuple(NORMS))
        self.weights = _read_weights(weights, level, 2**dims - 1)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        if check_signal(input, "input").shape != check_signal(target, "target").shape:
            shapes = f"{tuple(input.shape)} and {tuple(target.shape)}"
            raise ValueError(f"`input` and `target` must have one shape, got {shapes}")
        sizes, bank = self.transform._sizes(input), bank_for(self.transform.bank(input), input, "input")
        loss = BandLoss(self._kind, self.transform.dims, self._mode, self.norm, self.weights)
        if loss.transform == "dwt":
            read_level(loss.level, [(n, bank.taps) for n in sizes])
        scale = 0.5**0.5 if loss.transform == "swt" else 1.0
        lo, hi = bank.dec_lo * scale, bank.dec_hi * scale
        if takes_pieces(input, target, lo, hi) and any(map(any, self.weights)):
            value: Tensor = InPieces.apply(loss, input, target, lo, hi)  # type: ignore[no-untyped-call]
            return value
        return loss.value(input - target, lo, hi).to(input.dtype)

    def extra_repr(self) -> str:
        return f"norm={self.norm!r}, weights={self.weights}"


def _read_weights(weights: Any, level: int, bands: int) -> tuple[tuple[float, ...], ...]:
    """Return the weight of each band, for the approximation and for each level."""
    counts = (1, *[bands] * level)
    if weights is None:
        return tuple((1.0,) * count for count in counts)
    if not isinstance(weights, (list, tuple)):
        raise TypeError(f"`weights` must be a list of numbers or of lists of them, got {type(weights).__name__}")
    entries = [[*w] if isinstance(w, (list, tuple)) else [w] * count for w, count in zip(weights, counts, strict=False)]
    if len(weights) != len(counts) or any(len(e) != count for e, count in zip(entries, counts, strict=True)):
        expected = f"{len(counts)} entries, numbers or lists of {bands} of them after the first"
        raise ValueError(f"`weights` must have {expected}, got {weights}")
    found = tuple(tuple(check_number("weights", w) for w in entry) for entry in entries)
    if not all(w >= 0 for entry in found for w in entry):
        raise ValueError(f"`weights` must not be negative, got {weights}")
    return found
