"""Read the arguments of an n-dimensional transform: one bank and one mode for each transformed axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from .._checks import check_int, check_mode, check_size, shown
from ..kernels.reference import coeff_lengths
from ._bank import FilterBank, WaveletLike, bank_for
from ._transform import channel_axis

Axes: TypeAlias = "Sequence[int] | int | None"
WaveletsLike: TypeAlias = "WaveletLike | Sequence[WaveletLike]"
ModesLike: TypeAlias = "str | Sequence[str]"


class AxisTransform(NamedTuple):
    """The transform of one axis."""

    axis: int
    """Counted from the end."""
    bank: FilterBank
    mode: str
    channel: int = 0
    """The axis with a filter for each entry, counted from the end; 0 for one filter."""


Plan: TypeAlias = tuple[AxisTransform, ...]


def read_plan(
    data: Tensor, wavelet: WaveletsLike, mode: ModesLike, axes: Axes, name: str = "data",
    *, count: int | None = None, repeats: bool = False,
) -> Plan:  # fmt: skip
    """Return one `AxisTransform` for each of `axes`, of which there must be `count`, if that is given."""
    places = read_axes(data, axes, name, count, repeats)
    several = isinstance(wavelet, (list, tuple)) and not hasattr(wavelet, "_fields")  # a bank is a tuple too
    several = several and not all(map(torch.is_tensor, wavelet))  # type: ignore[arg-type]
    banks = [bank_for(w, data, name) for w in (wavelet if several else [wavelet])]  # type: ignore[union-attr]
    modes = [check_mode(m) for m in (mode if isinstance(mode, (list, tuple)) else [mode])]
    for argument, found in (("wavelet", banks), ("mode", modes)):
        if len(found) not in (1, len(places)):
            raise ValueError(f"`{argument}` must be one, or one for each of {len(places)} axes, got {len(found)}")
    count = len(places)
    banks, modes = (found * count if len(found) == 1 else found for found in (banks, modes))  # type: ignore[assignment]
    channels = [channel_axis(data, bank, places, name) for bank in banks]
    return tuple(map(AxisTransform, places, banks, modes, channels))


def read_axes(data: Tensor, axes: Axes, name: str, count: int | None, repeats: bool) -> tuple[int, ...]:
    dims = data.dim()
    if count == 2 and not isinstance(axes, Iterable):
        raise TypeError(f"`axes` must be a sequence of 2 axes, got {shown(axes)}")
    given: Iterable[Any] = range(-dims, 0) if axes is None else axes if isinstance(axes, Iterable) else (axes,)
    places = [check_int(f"axes[{i}]", axis) for i, axis in enumerate(given)]
    if not places or not all(-dims <= place < dims for place in places):
        raise ValueError(f"`axes` must be axes of `{name}` with shape {tuple(data.shape)}, got {shown(tuple(places))}")
    if count is not None and len(places) != count:
        raise ValueError(f"`axes` must be {count} axes, got {shown(tuple(places))}")
    places = [place if place < 0 else place - dims for place in places]
    if not repeats and len(set(places)) < len(places):
        raise ValueError(f"`axes` must be different axes, got {shown(tuple(places))}")
    for place in places:
        if data.shape[place] == 0:
            raise ValueError(f"`{name}` must have at least one sample along axis {place}, got {tuple(data.shape)}")
    return tuple(places)


def read_shape(shape: Any, plan: Plan, argument: str = "shape") -> tuple[int, ...] | None:
    """Return the lengths of the transformed axes that an inverse transform is to return, or `None`."""
    return None if shape is None else read_sizes(shape, [step.axis for step in plan], argument)


def read_sizes(shape: Any, axes: Sequence[int], argument: str = "shape") -> tuple[int, ...]:
    """Return the lengths of `axes`, equal where an axis is repeated."""
    try:
        sizes = tuple(check_size(f"{argument}[{i}]", n) for i, n in enumerate(shape))
    except TypeError:
        raise TypeError(f"`{argument}` must be the lengths of the transformed axes, got {shown(shape)}") from None
    by_axis = dict(zip(axes, sizes, strict=False))
    if len(sizes) != len(axes) or any(by_axis[axis] != n for axis, n in zip(axes, sizes, strict=True)):
        raise ValueError(f"`{argument}` must have one length for each of {len(axes)} axes, got {shown(sizes)}")
    return sizes


def halve(sizes: Sequence[int], plan: Plan) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Follow the lengths of the axes through one level.

    Returns:
        The length of its axis before each step of the plan, and the lengths of the axes after all steps.
    """
    now = {step.axis: n for step, n in zip(plan, sizes, strict=True)}
    before = []
    for axis, bank, mode, _ in plan:
        before.append(now[axis])
        now[axis] = coeff_lengths(now[axis], bank.taps, mode, 1)[0]
    return tuple(before), tuple(now[step.axis] for step in plan)


def sizes_along(tensor: Tensor, plan: Plan) -> tuple[int, ...]:
    return tuple(tensor.shape[step.axis] for step in plan)
