"""The undecimated transform along one axis: by its kernel, or one level made of decimated ones.

At level j the signal falls into `2**j` phases of every `2**j`-th sample. `dwt` in mode `periodization` of a phase gives
the even coefficients, that of the phase moved by one sample the odd ones. So every back end serves both directions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..kernels import _dispatch_planes as kernels
from ._bank import FilterBank
from ._transform import by_channel, decompose, reconstruct

MODE = "periodization"


def _phases(x: Tensor, step: int) -> Tensor:
    """Return `(..., step, n // step)`: every `step`-th sample in a row."""
    return x.reshape(*x.shape[:-1], x.shape[-1] // step, step).transpose(-1, -2)


def _interleave(rows: Tensor) -> Tensor:
    """Return `(..., a * b)` with the rows of `(..., a, b)` in turns: the inverse of `_phases`."""
    return rows.transpose(-1, -2).flatten(-2)


def swt_level(x: Tensor, bank: FilterBank, step: int, axis: int, channel: int = 0) -> list[Tensor]:
    """Compute `c[k] = sum_i h[i] x[k + step * (taps/2 - i)]`, circularly, with both filters."""
    if channel:
        return by_channel(lambda t, own, axis: swt_level(t[0], own, step, axis), [x], bank, axis, channel)
    bands = kernels.swt(x, bank[:2], axis, step.bit_length() - 1, 1, False)
    if bands is not None:
        return [*bands]
    phases = _phases(x.movedim(axis, -1), step)
    both = torch.stack([phases, phases.roll(-1, -1)], dim=-2)
    return [_interleave(_interleave(c)).movedim(-1, axis) for c in decompose(both, bank, MODE, 1, -1)]


def swt_levels(x: Tensor, bank: FilterBank, axis: int, first: int, level: int, trim: bool) -> list[Tensor] | None:
    """Compute levels first, first + 1, ... in one operator, coarse to fine; `None` where no kernel does."""
    bands = kernels.swt(x, bank[:2], axis, first, level, trim)
    return None if bands is None else [*bands]


def iswt_level(
    cA: Tensor | None, cD: Tensor | None, bank: FilterBank, step: int, axis: int, channel: int = 0
) -> Tensor:
    """Invert `swt_level`: the mean of what the even and the odd coefficients of each phase give."""
    if channel:
        return by_channel(
            lambda t, own, axis: [iswt_level(t[0], t[1], own, step, axis)], [cA, cD], bank, axis, channel
        )[0]
    given = cD if cA is None else cA
    if given is not None and kernels.choose_planes(given):
        present = [torch.zeros_like(given) if c is None else c for c in (cA, cD)]
        return kernels.iswt(present[0], present[1], bank[2:], axis, step.bit_length() - 1)  # type: ignore[return-value]
    coeffs = [None if c is None else _phases(_phases(c.movedim(axis, -1), step), 2) for c in (cA, cD)]
    given = next(c for c in coeffs if c is not None)
    even, odd = reconstruct(coeffs, given, bank, MODE, -1).unbind(-2)
    return _interleave((even + odd.roll(1, -1)) / 2).movedim(-1, axis)
