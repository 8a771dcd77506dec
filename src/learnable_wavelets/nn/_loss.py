"""Losses in the wavelet domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_choice, check_number, check_signal
from ..functional._bank import WaveletLike
from ._dwt import DWT
from ._swt import SWT

_CHARBONNIER = 1e-3

NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "l1": Tensor.abs,
    "l2": Tensor.square,
    "charbonnier": lambda x: (x.square() + _CHARBONNIER**2).sqrt(),
}


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
    """

    def __init__(
        self, wavelet: WaveletLike = "db2", level: int = 3, weights: Sequence[Any] | None = None,
        transform: str = "dwt", dims: int = 2, norm: str = "l1", mode: str = "symmetric",
    ) -> None:  # fmt: skip
        super().__init__()
        learnable = isinstance(wavelet, nn.Module)
        if check_choice("transform", transform, ("dwt", "swt")) == "dwt":
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
        coeffs = self.transform(input - target).coeffs
        size, terms = NORMS[self.norm], []
        for weights, entry in zip(self.weights, coeffs, strict=True):
            bands = entry.values() if isinstance(entry, Mapping) else (entry,) if isinstance(entry, Tensor) else entry
            terms += [weight * size(band).mean() for weight, band in zip(weights, bands, strict=True) if weight]
        return torch.stack(terms).sum() if terms else input.new_zeros(())

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
