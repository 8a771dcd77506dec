"""The stationary transform along one axis, circular, in plain torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ._backward import Gradients, gradients


def swt(x: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int, level: int, trim: bool) -> Tensor:
    """Return the bands cA_n, cD_n, ..., cA_1, cD_1, with `trim` cA_n, cD_n, ..., cD_1: `(bands, *x.shape)`.

    Level j is `c[k] = sum_i h[i] x[k + 2**j (taps/2 - i)]`, with j from `start_level` on.
    """
    bands: list[Tensor] = []
    for j in range(start_level, start_level + level):
        shifts = [2**j * (lo.shape[0] // 2 - i) for i in range(lo.shape[0])]
        x, detail = (_combine(x, f, shifts, axis) for f in (lo, hi))
        bands = [x, detail, *(bands[1:] if trim else bands)]
    return torch.stack(bands)


def iswt(cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int) -> Tensor:
    """Invert level `start_level`: `x[k] = sum_i f[i] c[k + 2**j (taps/2 - 1 - i)] / 2`, the mean of two inverses."""
    shifts = [2**start_level * (lo.shape[0] // 2 - 1 - i) for i in range(lo.shape[0])]
    return (_combine(cA, lo, shifts, axis) + _combine(cD, hi, shifts, axis)) / 2


def _combine(x: Tensor, taps: Tensor, shifts: Sequence[int], axis: int) -> Tensor:
    terms = [tap * x.roll(-shift, axis) for tap, shift in zip(taps.unbind(), shifts, strict=True)]
    return sum(terms[1:], start=terms[0])


def swt_backward(
    grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int, level: int, trim: bool,
    needs: Sequence[bool],
) -> Gradients:  # fmt: skip
    rest: Any = (axis, start_level, level, trim)

    def function(*inputs: Any) -> Tensor:
        return swt(*inputs, *rest)

    return gradients(function, (x, lo, hi), grad, needs)


def iswt_backward(
    grad: Tensor, cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int, needs: Sequence[bool]
) -> Gradients:
    rest: Any = (axis, start_level)

    def function(*inputs: Any) -> Tensor:
        return iswt(*inputs, *rest)

    return gradients(function, (cA, cD, lo, hi), grad, needs)
