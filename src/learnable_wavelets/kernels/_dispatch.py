"""The door to the transforms: one function for each, which `functional` and the layers call."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import _library, reference
from ._backend import REFERENCE, choose
from ._precision import full_precision
from ._sandwich import Sandwich
from ._validate import check_operands


def fwht(x: Tensor, scale: float) -> Tensor:
    """Return `scale * x @ H_n` on the last axis, in the dtype of x; half dtypes are computed in float32."""
    backend = choose(x, "periodization")
    return reference.fwht(x, scale) if backend is REFERENCE else _library.fwht(backend, x, scale)


def wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> list[Tensor]:
    """Return `[cA_n, cD_n, ..., cD_1]` on the last axis, x and filters in one dtype."""
    n = x.shape[-1]
    backend = choose(x, mode, _halves(n, mode, level))
    if backend is REFERENCE:
        return reference.decompose(x, lo, hi, mode, level)
    packed = _library.wavedec(backend, x, lo, hi, mode, level)
    return list(torch.split(packed, list(reference.coeff_lengths(n, lo.shape[0], mode, level)), dim=-1))


def waverec(coeffs: Sequence[Tensor | None], lo: Tensor, hi: Tensor, mode: str) -> Tensor:
    """Invert `wavedec`; absent coefficients count as zeros."""
    present = [c for c in coeffs if c is not None]
    level, taps = len(coeffs) - 1, lo.shape[0]
    mode = mode if mode == "periodization" else "zero"  # the inverse of every other mode too
    d = present[-1].shape[-1]
    n = 2 * d if mode == "periodization" else 2 * d - taps + 2
    fits = level > 0 and len(present) == len(coeffs) and n > 0 and _halves(n, mode, level)
    fits = fits and tuple(c.shape[-1] for c in present) == reference.coeff_lengths(n, taps, mode, level)
    backend = choose(present[0], mode, fits) if level else REFERENCE
    if backend is REFERENCE:
        return reference.reconstruct(coeffs, lo, hi, mode)
    return _library.waverec(backend, torch.cat(present, dim=-1), lo, hi, n, mode, level)


def sandwich(x: Tensor, operands: Sandwich) -> Tensor:
    """Return `y = scale * S W^-1 G P W B x + bias`, see `reference.sandwich`."""
    backend = choose(x, operands.transform.mode)
    if backend is not REFERENCE:
        return _library.sandwich(backend, x, operands)
    if not torch.compiler.is_dynamo_compiling():  # which would guard on every shape; the others see plain numbers
        check_operands(x, operands)
    with full_precision(x):
        return reference.sandwich(x, operands)


def _halves(n: int, mode: str, level: int) -> bool:
    return mode != "periodization" or n % (1 << level) == 0
