"""Conditions on four filters: each function returns the squared distance from one of them, summed in full precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..kernels._precision import compute_dtype, full_precision

Condition = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def evaluate(condition: Condition, bank: Sequence[Tensor]) -> Tensor:
    """Evaluate `condition` with autocast off, and half types in float32."""
    dtype = compute_dtype(bank[0].dtype)
    with full_precision(bank[0]):
        return condition(*[f.to(dtype) for f in bank])


def reconstruction(dec_lo: Tensor, dec_hi: Tensor, rec_lo: Tensor, rec_hi: Tensor) -> Tensor:
    """Compare `dec_lo * rec_lo + dec_hi * rec_hi` with twice a delay of `taps - 1`."""
    product = _convolve(torch.stack([dec_lo, dec_hi]), torch.stack([rec_lo, rec_hi]))
    target = torch.zeros_like(product)
    target[dec_lo.shape[-1] - 1] = 2
    return (product - target).square().sum()


def aliasing(dec_lo: Tensor, dec_hi: Tensor, rec_lo: Tensor, rec_hi: Tensor) -> Tensor:
    """Measure the alias term: the same sum of products with the decomposition filters at -z."""
    return _convolve(alternating(torch.stack([dec_lo, dec_hi])), torch.stack([rec_lo, rec_hi])).square().sum()


def quadrature(dec_lo: Tensor, dec_hi: Tensor, rec_lo: Tensor, rec_hi: Tensor) -> Tensor:
    """Compare the reconstruction filters with the alternating decomposition filters."""
    low = (rec_lo - alternating(dec_hi)).square().sum()
    return low + (rec_hi + alternating(dec_lo)).square().sum()


def orthogonality(dec_lo: Tensor, dec_hi: Tensor, rec_lo: Tensor, rec_hi: Tensor) -> Tensor:
    """Compare the inner products at even shifts with those of an orthonormal bank, and synthesis with the transpose."""
    loss = (rec_lo - dec_lo.flip(0)).square().sum() + (rec_hi - dec_hi.flip(0)).square().sum()
    for first, second, norm in ((dec_lo, dec_lo, 1.0), (dec_hi, dec_hi, 1.0), (dec_lo, dec_hi, 0.0)):
        correlation = _convolve(first[None], second.flip(0)[None])
        lags = correlation[(first.shape[-1] - 1) % 2 :: 2]  # even lags; lag 0 stands in the middle
        target = torch.zeros_like(lags)
        target[lags.shape[0] // 2] = norm
        loss = loss + (lags - target).square().sum()
    return loss


ALIAS_FORMS: dict[str, Condition] = {"general": aliasing, "quadrature": quadrature}


def alternating(h: Tensor) -> Tensor:
    """Return `h * (-1, +1, ..., -1, +1)`: the filter at $-z$, up to the sign that PyWavelets' order gives it."""
    return h * (1 - 2 * (torch.arange(1, h.shape[-1] + 1, device=h.device) % 2)).to(h.dtype)


def _convolve(a: Tensor, b: Tensor) -> Tensor:
    """Convolve equally long filters in full, and sum over the leading axis."""
    taps = a.shape[-1]
    windows = torch.nn.functional.pad(a, (taps - 1, taps - 1)).unfold(-1, taps, 1)
    return (windows * b.flip(-1)[:, None, :]).sum(dim=(0, 2))
