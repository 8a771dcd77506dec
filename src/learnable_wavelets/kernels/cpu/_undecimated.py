"""Calls of the stationary transform in C, one function: an analysis, or its adjoint with the gradients of filters."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from . import _cpu as _c
from ._calls import DTYPES


class _Bands(NamedTuple):
    """Where the bands are: addresses of the coarsest pair, and how many bands further the next finer one is."""

    approximation: int
    detail: int
    stride: int = 1
    trim: bool = False


def swt(x: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int, level: int, trim: bool) -> Tensor:
    bands = x.new_empty((level + 1 if trim else 2 * level, *x.shape))
    _call(x, (lo, hi), axis, start_level, level, _stacked(bands, trim), x=x.data_ptr())
    return bands


def swt_backward(
    grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int, level: int, trim: bool,
    needs: Sequence[bool],
) -> list[Tensor]:  # fmt: skip
    results = [torch.empty_like(t) if needed else t.new_empty(0) for t, needed in zip((x, lo, hi), needs, strict=True)]
    out, *grads = _addresses(results, needs)
    bands = _stacked(grad, trim)
    _call(x, (lo, hi), axis, start_level, level, bands, x=x.data_ptr(), out=out, grads=grads, adjoint=True)
    return results


def iswt(cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int) -> Tensor:
    y, bands = torch.empty_like(cA), _Bands(cA.data_ptr(), cD.data_ptr())
    _call(y, (lo, hi), axis, start_level, 1, bands, out=y.data_ptr(), adjoint=True, inverse=True)
    return y


def iswt_backward(
    grad: Tensor, cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int, needs: Sequence[bool]
) -> list[Tensor]:
    """Return the gradients: of the bands the analysis of `grad`, of the filters its correlation with the bands."""
    inputs, bank, x = (cA, cD, lo, hi), (lo, hi), grad.data_ptr()
    bands = [torch.empty_like(cA) if any(needs[:2]) else grad.new_empty(0) for _ in range(2)]
    if any(needs[:2]):
        to = _Bands(bands[0].data_ptr(), bands[1].data_ptr())
        _call(grad, bank, axis, start_level, 1, to, x=x, inverse=True)
    filters = [torch.empty_like(t) if needed else t.new_empty(0) for t, needed in zip(bank, needs[2:], strict=True)]
    if any(needs[2:]):
        seen, grads = _Bands(cA.data_ptr(), cD.data_ptr()), _addresses(filters, needs[2:])
        _call(grad, bank, axis, start_level, 1, seen, x=x, grads=grads, adjoint=True, inverse=True)
    results = [*bands, *filters]
    return [r if needed else t.new_empty(0) for r, t, needed in zip(results, inputs, needs, strict=True)]


def _stacked(bands: Tensor, trim: bool) -> _Bands:
    if bands.numel() == 0:
        return _Bands(bands.data_ptr(), bands.data_ptr(), 1, trim)
    return _Bands(bands[0].data_ptr(), bands[1].data_ptr(), 1 if trim else 2, trim)


def _addresses(results: Sequence[Tensor], needs: Sequence[bool]) -> list[int]:
    return [r.data_ptr() if needed else 0 for r, needed in zip(results, needs, strict=True)]


def _call(
    like: Tensor, bank: tuple[Tensor, Tensor], axis: int, start_level: int, level: int, bands: _Bands, x: int = 0,
    out: int = 0, grads: Sequence[int] = (0, 0), adjoint: bool = False, inverse: bool = False,
) -> None:  # fmt: skip
    """Call the C: an axis and those after it are one row, on which a sample has the next one `inner` places on."""
    inner = prod(like.shape[like.dim() + axis + 1 :]) or 1
    n = inner * like.shape[axis]
    _c.undecimated(
        like.numel() // n, n, inner << start_level, level, bank[0].shape[0], bands.stride, bands.trim, inverse, adjoint,
        x, bands.approximation, bands.detail, out, *[f.data_ptr() for f in bank], *grads,
        DTYPES[like.dtype], torch.get_num_threads(),
    )  # fmt: skip
