"""The transforms on their best backend: what `functional` and the layers call."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import _operators, reference
from ._backend import served_by_kernel
from ._layout import Layout
from ._precision import compute_dtype, full_precision

Bank = Sequence[Tensor | None]


def fwht(x: Tensor, scale: float) -> Tensor:
    """`scale * x @ H_n` on the last axis, in the dtype of x; half types are computed in float32."""
    if served_by_kernel(x, "hadamard"):
        return _operators.fwht(x, scale)  # type: ignore[no-any-return]
    return reference.hadamard_transform(x.to(compute_dtype(x.dtype))).mul(scale).to(x.dtype)


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
    mode = mode if mode == "periodization" else "zero"  # the inverse of every other mode too
    d = present[-1].shape[-1]
    n = 2 * d if mode == "periodization" else 2 * d - taps + 2
    fits = len(present) == len(coeffs) and n > 0 and _halves(n, mode, level)
    fits = fits and tuple(c.shape[-1] for c in present) == reference.coeff_lengths(n, taps, mode, level)
    if level > 0 and served_by_kernel(present[0], mode, fits):
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
    """`reference.sandwich`."""
    if served_by_kernel(x, mode) and compute_dtype(x.dtype) == diag_out.dtype:
        return _operators.sandwich(  # type: ignore[no-any-return]
            x, diag_in, permutation, diag_mid, diag_out, bias, *bank, layout, mode, level
        )
    with full_precision(x):
        return reference.sandwich(x, diag_in, permutation, diag_mid, diag_out, bias, bank, layout, mode, level)


def _halves(n: int, mode: str, level: int) -> bool:
    return mode != "periodization" or n % (1 << level) == 0
