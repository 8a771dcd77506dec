"""One level of the last two axes together, where a kernel serves them: the pair of steps in a plan of several axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..kernels import _dispatch_planes as kernels
from ._axes import AxisTransform, Plan
from ._transform import check_reflection, decompose, reconstruct

KEYS = ("aa", "ad", "da", "dd")


def plane_places(plan: Plan) -> tuple[int, ...]:
    """Return the places in the plan of the axes -2 and -1, if each is transformed once by one bank; else none."""
    axes = [step.axis for step in plan]
    if axes.count(-2) != 1 or axes.count(-1) != 1:
        return ()
    places = axes.index(-2), axes.index(-1)
    return () if any(plan[place].channel for place in places) else places


def decompose_plane(data: Tensor, column: AxisTransform, row: AxisTransform) -> dict[str, Tensor]:
    """Return the bands by key; the first letter belongs to axis -2."""
    for axis, bank, mode, _ in (column, row):
        if mode in ("reflect", "antireflect"):
            check_reflection(data.shape[axis], bank.taps, mode, 1)
    bands = kernels.dwt2(data, (*column.bank[:2], *row.bank[:2]), (column.mode, row.mode))
    if bands is not None:
        return dict(zip(KEYS, bands, strict=True))
    return {
        first + second: quarter
        for first, half in zip("ad", decompose(data, column.bank, column.mode, 1, -2), strict=True)
        for second, quarter in zip("ad", decompose(half, row.bank, row.mode, 1, -1), strict=True)
    }


def reconstruct_plane(
    bands: Mapping[str, Tensor | None], steps: Sequence[AxisTransform], lengths: Sequence[int | None]
) -> Tensor | None:
    """Invert `decompose_plane`; absent bands count as zeros, and `None` is the plane of which all are absent."""
    column, row = steps
    given = next((band for band in bands.values() if band is not None), None)
    if given is None:
        return None
    for step in reversed(steps):
        check_enough(given, step)
    sizes = [_samples(given, step, n) for step, n in zip(steps, lengths, strict=True)]
    if kernels.choose_planes(given, (column.mode, row.mode)):
        aa, ad, da, dd = (torch.zeros_like(given) if bands[key] is None else bands[key] for key in KEYS)
        bank = (*column.bank[2:], *row.bank[2:])
        data = kernels.idwt2((aa, ad, da, dd), bank, (sizes[0], sizes[1]), (column.mode, row.mode))  # type: ignore[arg-type]
    else:
        data = _by_axes(bands, column, row)
    for step, n in zip(steps, lengths, strict=True):
        data = data if n is None else data.narrow(step.axis, 0, n)  # type: ignore[union-attr]
    return data


def check_enough(band: Tensor, step: AxisTransform) -> None:
    """Raise unless a synthesis along the axis of `step` has a sample."""
    if step.mode != "periodization" and 2 * band.shape[step.axis] < step.bank.taps:
        expected = f"at least taps/2 = {step.bank.taps // 2} entries along axis {step.axis}"
        raise ValueError(f"`coeffs` must have {expected}, got {band.shape[step.axis]}")


def _samples(band: Tensor, step: AxisTransform, n: int | None) -> int:
    """Return how many samples the kernel is to make: n if it can leave out the last one of an odd length."""
    if step.mode == "periodization":
        return 2 * band.shape[step.axis]
    return 2 * band.shape[step.axis] - step.bank.taps + 2 if n is None else n


def _by_axes(bands: Mapping[str, Tensor | None], column: AxisTransform, row: AxisTransform) -> Tensor:
    halves = []
    for letter in "ad":
        pair = [bands[letter + "a"], bands[letter + "d"]]
        like = next((c for c in pair if c is not None), None)
        halves.append(None if like is None else reconstruct(pair, like, row.bank, row.mode, -1))
    like = halves[1] if halves[0] is None else halves[0]
    return reconstruct(halves, like, column.bank, column.mode, -2)  # type: ignore[arg-type]
