"""Transforms of several axes, one after the other: the common part of all 2-D and n-D functions.

Computed in the dtype of the filters, in float32 for half types; callers round once. The last two axes, if both are
transformed once, go through the 2-D kernels together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from .._checks import check_signal, shown
from ..kernels._precision import compute_dtype
from ._axes import Plan, halve, sizes_along
from ._planes import KEYS, check_enough, decompose_plane, plane_places, reconstruct_plane
from ._transform import decompose, reconstruct

Bands = dict[str, Tensor]


def widen(data: Tensor) -> Tensor:
    """Return data in the dtype in which it is computed."""
    return data.to(compute_dtype(data.dtype))


def decompose_axes(data: Tensor, plan: Plan) -> Bands:
    """Return the bands of one level by key: a letter for each axis, `a` approximation or `d` detail."""
    pair = plane_places(plan)
    bands = {"." * len(plan): data}
    for place, (axis, bank, mode, channel) in enumerate(plan):
        if place in pair:
            continue
        bands = {
            with_letter(key, place, letter): half
            for key, band in bands.items()
            for letter, half in zip("ad", decompose(band, bank, mode, 1, axis, channel), strict=True)
        }
    if pair:
        bands = {
            with_letter(with_letter(key, pair[0], letters[0]), pair[1], letters[1]): quarter
            for key, band in bands.items()
            for letters, quarter in decompose_plane(band, plan[pair[0]], plan[pair[1]]).items()
        }
    return {key: bands[key] for key in sorted(bands)}


def reconstruct_axes(bands: Mapping[str, Tensor | None], plan: Plan, lengths: Sequence[int | None]) -> Tensor:
    """Invert `decompose_axes`; `lengths` are those before each step, `None` for all the samples there are."""
    pair = plane_places(plan)
    if pair:
        merged = {}
        for key in {with_letter(with_letter(key, pair[0], "."), pair[1], ".") for key in bands}:
            quarters = {
                letters: bands.get(with_letter(with_letter(key, pair[0], letters[0]), pair[1], letters[1]))
                for letters in KEYS
            }
            merged[key] = reconstruct_plane(quarters, [plan[p] for p in pair], [lengths[p] for p in pair])
        bands = merged
    for place in reversed(range(len(plan))):
        if place in pair:
            continue
        keys = dict.fromkeys(with_letter(key, place, ".") for key in bands)
        bands = {
            key: _merge(
                bands.get(with_letter(key, place, "a")), bands.get(with_letter(key, place, "d")), plan, place, lengths
            )
            for key in keys
        }
    data = bands.get("." * len(plan))
    if data is None:
        raise ValueError("`coeffs` must hold at least one tensor, got none")
    return data


def with_letter(key: str, place: int, letter: str) -> str:
    return key[:place] + letter + key[place + 1 :]


def _merge(
    cA: Tensor | None, cD: Tensor | None, plan: Plan, place: int, lengths: Sequence[int | None]
) -> Tensor | None:
    given, n = cD if cA is None else cA, lengths[place]
    axis, bank, mode, channel = plan[place]
    if given is None:
        return None
    check_enough(given, plan[place])
    data = reconstruct([cA, cD], given, bank, mode, axis, channel)
    return data if n is None else data.narrow(axis, 0, n)


def decompose_levels(data: Tensor, plans: Sequence[Plan]) -> list[Any]:
    """Return `[cA_n, {details_n}, ..., {details_1}]`, with a plan for each level, fine to coarse."""
    details = []
    for plan in plans:
        bands = decompose_axes(data, plan)
        data = bands.pop("a" * len(plan))
        details.append(bands)
    return [data, *reversed(details)]


def reconstruct_levels(
    cA: Tensor | None, details: Sequence[Mapping[str, Tensor | None]], plans: Sequence[Plan],
    shape: tuple[int, ...] | None, argument: str = "shape",
) -> Tensor:  # fmt: skip
    """Invert `decompose_levels`: to exactly `shape`, or as PyWavelets does."""
    steps = [(None,) * len(plans[0])] * len(details)
    if shape is not None:
        steps = _lengths(cA, details, plans, shape, argument)  # type: ignore[assignment]
    data, deepest = cA, "a" * len(plans[0])
    for index, (bands, lengths) in enumerate(zip(details, steps, strict=True), start=1):
        plan = plans[-index]
        present = [band for band in bands.values() if band is not None]
        if data is None and not present:
            continue
        if data is not None and present:
            data = _fit(data, present[0], plan, index)
        data = reconstruct_axes({**bands, deepest: data}, plan, lengths)
    if data is None:
        raise ValueError("`coeffs` must hold at least one tensor, got none")
    return data


def _fit(data: Tensor, detail: Tensor, plan: Plan, index: int) -> Tensor:
    """Cut off the sample by which the level before overshot an odd length."""
    for step in plan:
        n, d = data.shape[step.axis], detail.shape[step.axis]
        if n not in (d, d + 1):
            expected = f"{n} entries (or {n - 1}) along axis {step.axis}"
            raise ValueError(f"`coeffs[{index}]` must have {expected} at its level, got {d}")
        data = data.narrow(step.axis, 0, d)
    return data


def _lengths(
    cA: Tensor | None, details: Sequence[Mapping[str, Tensor | None]], plans: Sequence[Plan], shape: tuple[int, ...],
    argument: str,
) -> list[tuple[int, ...]]:  # fmt: skip
    """Return the lengths before the steps of each level, coarse to fine, after a check that `coeffs` has them."""
    steps, sizes, plan = [], shape, plans[0]
    for index in range(len(details), 0, -1):
        plan = plans[-index]
        before, sizes = halve(sizes, plan)
        steps.append(before)
        given = [*details[index - 1].values(), *([cA] if index == 1 else [])]
        for band in given:
            if band is not None and sizes_along(band, plan) != sizes:
                expected = f"lengths with {sizes_along(band, plan)} coefficients in `coeffs[{index}]`"
                raise ValueError(f"`{argument}` must be {expected}, got {shown(shape)} with {sizes}")
    if not details and cA is not None and sizes_along(cA, plan) != shape:
        raise ValueError(f"`{argument}` must be {sizes_along(cA, plan)} at level 0, got {shown(shape)}")
    return steps[::-1]


def check_bands(named: Iterable[tuple[str, Any]]) -> Tensor:
    """Return the first band that is not `None`, after a check that all have one dtype and device."""
    present = [(name, check_signal(band, name)) for name, band in named if band is not None]
    if not present:
        raise ValueError("`coeffs` must hold at least one tensor, got none")
    first = present[0][1]
    for name, band in present:
        if band.dtype != first.dtype or band.device != first.device:
            kinds = f"{first.dtype} on {first.device}, {band.dtype} on {band.device}"
            raise TypeError(f"`coeffs` must have one dtype and device, got {kinds}")
        if band.dim() != first.dim():
            raise ValueError(f"`{name}` must have {first.dim()} dimensions, got shape {tuple(band.shape)}")
    return first


def check_level_shapes(bands: Mapping[str, Tensor | None], name: str) -> None:
    shapes = {key: tuple(band.shape) for key, band in bands.items() if band is not None}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"`{name}` must have bands of one shape, got {shapes}")


def check_beside(tensors: Iterable[Tensor | None], axes: Iterable[int]) -> None:
    """Raise unless all have equal lengths on the axes that are not transformed."""
    moved = set(axes)
    shapes = [tuple(t.shape) for t in tensors if t is not None]
    others = {tuple(n for place, n in enumerate(s) if place - len(s) not in moved) for s in shapes}
    if len(others) > 1:
        raise ValueError(f"`coeffs` must have equal dimensions beside `axes`, got shapes {shapes}")


def check_keys(bands: Any, name: str, letters: int | None) -> int:
    """Check a dictionary of bands, and return the number of letters of its keys."""
    if not isinstance(bands, Mapping):
        raise TypeError(f"`{name}` must be a dict of tensors, got {type(bands).__name__}")
    expected = letters or len(next(iter(bands), "a"))
    for key in bands:
        if not isinstance(key, str) or len(key) != expected or set(key) - set("ad"):
            raise ValueError(
                f"`{name}` must have keys of {expected} letters a or d, one for each axis, got {shown(key)}"
            )
    return expected
