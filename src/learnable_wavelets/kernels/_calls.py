"""The transforms on their best backend: what `functional` and the layers call."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import _operators, reference
from ._backend import served_by_kernel
from ._layout import Layout
from ._precision import full_precision

Bank = Sequence[Tensor | None]


def fwht(x: Tensor, scale: float) -> Tensor:
    """`scale * x @ H_n` on the last axis, in the dtype of x; half types are computed in float32."""
    if served_by_kernel(x, "hadamard"):
        return _operators.fwht(x, scale)  # type: ignore[no-any-return]
    computed = torch.float32 if x.dtype.itemsize < 4 else x.dtype
    return reference.hadamard_transform(x.to(computed)).mul(scale).to(x.dtype)


def wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> list[Tensor]:
    """`[cA_n, cD_n, ..., cD_1]` on the last axis, x and filters in one dtype."""
    n, taps = x.shape[-1], lo.shape[0]
    if served_by_kernel(x, mode, _halves(n, mode, level)):
        packed = _operators.wavedec(x, lo, hi, mode, level)
        return list(torch.split(packed, list(reference.coeff_lengths(n, taps, mode, level)), dim=-1))
    return reference.analyse(x, lo, hi, mode, level)


def waverec(coeffs: Sequence[Tensor | None], lo: Tensor, hi: Tensor, mode: str) -> Tensor | None:
    """Inverse of `wavedec`; absent coefficients count as zeros."""
    present = [c for c in coeffs if c is not None]
    level, taps = len(coeffs) - 1, lo.shape[0]
    if len(present) == len(coeffs) and level > 0:
        d = present[-1].shape[-1]
        n = 2 * d if mode == "periodization" else 2 * d - taps + 2
        fits = tuple(c.shape[-1] for c in present) == reference.coeff_lengths(n, taps, mode, level)
        if served_by_kernel(present[0], mode, fits and _halves(n, mode, level)):
            return _operators.waverec(torch.cat(present, dim=-1), lo, hi, n, mode, level)  # type: ignore[no-any-return]
    return reference.synthesise(coeffs, lo, hi, mode)


def sandwich(
    x: Tensor,
    diag_in: Tensor,
    permutation: Tensor,
    diag_mid: Tensor,
    diag_out: Tensor,
    bias: Tensor | None,
    bank: Bank,
    layout: Layout,
    mode: str,
    level: int,
) -> Tensor:
    """`reference.sandwich`; x may be of a half type beside float32 parameters, and then so is the result."""
    if served_by_kernel(x, mode) and (x.dtype == diag_out.dtype or x.dtype == torch.bfloat16):
        return _operators.sandwich(  # type: ignore[no-any-return]
            x, diag_in, permutation, diag_mid, diag_out, bias, *bank, layout, mode, level
        )
    with full_precision(x):
        y = reference.sandwich(
            x.to(diag_out.dtype), diag_in, permutation, diag_mid, diag_out, bias, bank, layout, mode, level
        )
    return y.to(x.dtype)


def _halves(n: int, mode: str, level: int) -> bool:
    return mode != "periodization" or n % (1 << level) == 0
