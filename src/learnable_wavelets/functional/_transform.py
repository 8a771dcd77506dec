"""Transforms along any axis, in full precision: the common part of `dwt`, `wavedec` and their inverses."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..kernels import _dispatch as kernels
from ..kernels._precision import full_precision
from ..kernels.reference import coeff_lengths
from ._bank import FilterBank


def decompose(data: Tensor, bank: FilterBank, mode: str, level: int, axis: int) -> list[Tensor]:
    """Return `[cA_n, cD_n, ..., cD_1]` along `axis`, in the dtype of `data`."""
    if level and (mode == "reflect" or mode == "antireflect"):
        _check_reflection(data.shape[axis], bank.taps, mode, level)
    dtype = data.dtype
    with full_precision(data):
        moved = data.to(bank.dec_lo.dtype).movedim(axis, -1)
        coeffs = kernels.wavedec(moved, bank.dec_lo, bank.dec_hi, mode, level)
    return [c.to(dtype).movedim(-1, axis) for c in coeffs]


def reconstruct(coeffs: Sequence[Tensor | None], like: Tensor, bank: FilterBank, mode: str, axis: int) -> Tensor:
    """Invert `decompose`; the result has the dtype of `like`, and `None` counts as zeros."""
    dtype = bank.dec_lo.dtype
    with full_precision(like):
        moved = [None if c is None else c.to(dtype).movedim(axis, -1) for c in coeffs]
        data = kernels.waverec(moved, bank.rec_lo, bank.rec_hi, mode)
    return data.to(like.dtype).movedim(-1, axis)


def _check_reflection(n: int, taps: int, mode: str, level: int) -> None:
    """Refuse a single sample at any level, as PyWavelets does: it has no second one to reflect."""
    shortest = min(n, coeff_lengths(n, taps, mode, level - 1)[0])
    if shortest < 2:
        where = "" if n < 2 else f" at level {level}"
        raise ValueError(f"`data` must have at least 2 samples for mode {mode!r}, got {shortest}{where}")
