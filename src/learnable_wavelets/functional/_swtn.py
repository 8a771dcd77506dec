"""The stationary (undecimated) wavelet transform in n dimensions, for every length."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pywt
import torch
from torch import Tensor

from .._checks import check_flag, check_int, check_signal, shown
from ._axes import Axes, Plan, WaveletsLike, read_shape, sizes_along
from ._bank import FilterBank
from ._per_level import PerLevel, check_depth, read_plans, synthesis_plans
from ._separable import check_bands, check_beside, check_keys, check_level_shapes, widen
from ._undecimated import MODE, iswt_level, swt_level, swt_levels


def swtn(
    data: Tensor, wavelet: WaveletsLike | PerLevel, level: int | None = None, start_level: int = 0, axes: Axes = None,
    trim_approx: bool = False, norm: bool = False,
) -> list[Any]:  # fmt: skip
    r"""Compute the n-dimensional stationary wavelet transform: undecimated, so that it commutes with shifts.

    Equals `pywt.swtn`, and is differentiable in data and filters. Level j applies the filters, spread out by $2^j$ and
    circularly, along each of `axes`: $c_k = \sum_i h[i]\, x[k + 2^j (\mathrm{taps}/2 - i)]$.

    Args:
        data: real tensor of any shape; float16 and bfloat16 are computed in float32 and rounded once.
        wavelet: as for `dwtn`, or `PerLevel` of those.
        level: number of levels; default: that of `PerLevel`, or as often as 2 divides the lengths of all axes.
        start_level: the level to begin with; the filters are first spread out by `2**start_level`.
        axes: the axes to transform, each once; default: all.
        trim_approx: return the last approximation only.
        norm: divide the filters by $\sqrt 2$. With an orthogonal wavelet and `trim_approx` the energy is then kept.

    Shape:
        Every band has the lengths of the data along `axes`, rounded up to a multiple of `2**(start_level + level)`.
        PyWavelets refuses other lengths; here the last sample is repeated up to there, as `periodization` does for an
        odd length. `iswtn(..., shape=)` cuts it off again: the inverse is exact.

    Returns:
        `[{bands_n}, ..., {bands_1}]`, each dict with the $2^d$ keys of `dwtn`; with `trim_approx`
        `[cA_n, {details_n}, ..., {details_1}]`.

    Raises:
        TypeError: `data` is not a real floating-point tensor; a flag is not a bool.
        ValueError: a negative `level`, or none where a length is odd; a negative `start_level`, and as for `dwtn`.

    Warns:
        UserWarning: `norm` with a named wavelet that is not orthogonal.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> cA, coarse, fine = lw.functional.swtn(torch.randn(10, 12), "haar", level=2, trim_approx=True)
        >>> cA.shape, sorted(fine)
        (torch.Size([12, 12]), ['ad', 'da', 'dd'])

    References:
        PyWavelets, `pywt.swtn`. Nason and Silverman, *The stationary wavelet transform and some statistical
        applications*, 1995.
    """
    plans, level = undecimated_plans(data, wavelet, level, axes)
    warn_of_energy(wavelet, norm)
    return decompose_undecimated(data, plans, level, start_level, trim_approx, norm, least=0)


def undecimated_plans(
    data: Tensor, wavelet: WaveletsLike | PerLevel, level: int | None, axes: Axes, count: int | None = None
) -> tuple[list[Plan], int | None]:
    """Return a plan for each level, or one for all, and the number of levels where it is known."""
    plans = read_plans(check_signal(data), wavelet, MODE, axes, "data", count)
    return plans, check_depth(level, len(plans)) if isinstance(wavelet, PerLevel) else level


def warn_of_energy(wavelet: Any, norm: bool) -> None:
    """Warn as PyWavelets does if `norm` is asked for with a wavelet that is known not to be orthogonal."""
    if not norm or torch.compiler.is_compiling():
        return
    if isinstance(wavelet, PerLevel):
        for each in wavelet.wavelets:
            warn_of_energy(each, norm)
        return
    for one in wavelet if isinstance(wavelet, (list, tuple)) else [wavelet]:
        known = pywt.Wavelet(one) if isinstance(one, str) else one
        if isinstance(known, pywt.Wavelet) and not known.orthogonal:
            warnings.warn(f"`norm` keeps the energy of orthogonal wavelets only, got {known.name!r}", stacklevel=3)


def iswtn(
    coeffs: Sequence[Any], wavelet: WaveletsLike | PerLevel, axes: Axes = None, norm: bool = False,
    *, shape: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Invert `swtn`; equals `pywt.iswtn`, and is differentiable in coefficients and filters.

    Args:
        coeffs: as `swtn` returns them, with or without `trim_approx`; with a `start_level` of 0. Details that are
            missing or `None` count as zeros.
        wavelet: as for `dwtn`.
        axes: the axes of the forward transform, in the same order; default: all.
        norm: as in the forward transform.
        shape: the lengths of the transformed axes, in the order of `axes`, of which the result then has exactly those;
            default: the lengths of the coefficients.

    Raises:
        TypeError: `coeffs` is not a list of dicts of real floating-point tensors.
        ValueError: bands of several shapes, lengths that are no multiple of `2**level`, a `shape` that is not rounded
            up to the lengths of the coefficients.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(3, 10, 7, dtype=torch.float64)
        >>> coeffs = lw.functional.swtn(x, "db2", level=2, axes=(1, 2))
        >>> torch.allclose(lw.functional.iswtn(coeffs, "db2", axes=(1, 2), shape=(10, 7)), x)
        True
    """
    if not isinstance(coeffs, (list, tuple)):
        raise TypeError(f"`coeffs` must be a list of dicts of tensors, got {type(coeffs).__name__}")
    if not coeffs:
        raise ValueError("`coeffs` must hold at least one level, got none")
    trimmed = not isinstance(coeffs[0], Mapping)
    levels = coeffs[1:] if trimmed else coeffs
    letters = [check_keys(bands, f"coeffs[{i}]", None) for i, bands in enumerate(levels, start=int(trimmed))]
    cA = coeffs[0] if trimmed else coeffs[0].get("a" * letters[0])
    named = [(f"coeffs[{i}][{key!r}]", b) for i, bands in enumerate(levels, int(trimmed)) for key, b in bands.items()]
    like = check_bands([("coeffs[0]", cA), *named])
    plans = synthesis_plans(like, wavelet, MODE, axes, len(levels))
    for i, bands in enumerate(levels, start=int(trimmed)):
        check_keys(bands, f"coeffs[{i}]", len(plans[0]))
    return reconstruct_undecimated(cA, levels, like, plans, norm, shape)


def decompose_undecimated(
    data: Tensor, plans: Sequence[Plan], level: int | None, start_level: int, trim_approx: bool, norm: bool,
    least: int = 1,
) -> list[Any]:  # fmt: skip
    """Return what `swtn` returns, after the checks of the other arguments; `plans` as of `undecimated_plans`."""
    check_flag("trim_approx", trim_approx)
    if check_flag("norm", norm):
        plans = [_scaled(plan, 0.5**0.5) for plan in plans]
    plan = plans[0]
    first = check_int("start_level", start_level)
    if first < 0:
        raise ValueError(f"`start_level` must be at least 0, got {first}")
    depth = _read_depth(level, sizes_along(data, plan)) if level is None else check_int("level", level)
    if not least <= depth <= 48 - first:
        raise ValueError(f"`level` must be at least {least} and at most {48 - first}, got {depth}")
    x, levels, deepest = pad_to(widen(data), [step.axis for step in plan], 1 << (first + depth)), [], "a" * len(plan)
    if len(plans) == len(plan) == 1 and depth and not plan[0].channel:
        found = swt_levels(x, plan[0].bank, plan[0].axis, first, depth, trim_approx)
        if found is not None:
            return _paired([band.to(data.dtype) for band in found], trim_approx)
    for j, steps in enumerate(plans if len(plans) == depth else [plan] * depth, start=first):
        bands = {"": x}
        for axis, bank, _, channel in steps:
            bands = {
                key + letter: half
                for key, band in bands.items()
                for letter, half in zip("ad", swt_level(band, bank, 1 << j, axis, channel), strict=True)
            }
        x = bands.pop(deepest) if trim_approx else bands[deepest]
        levels.append({key: band.to(data.dtype) for key, band in bands.items()})
    return [*([x.to(data.dtype)] if trim_approx else []), *reversed(levels)]


def _paired(bands: list[Tensor], trim_approx: bool) -> list[Any]:
    """Return what `decompose_undecimated` returns, from the bands of one axis."""
    if trim_approx:
        return [bands[0], *[{"d": detail} for detail in bands[1:]]]
    return [{"a": cA, "d": cD} for cA, cD in zip(bands[::2], bands[1::2], strict=True)]


def _read_depth(level: None, sizes: tuple[int, ...]) -> int:
    """Return `pywt.swt_max_level` for all axes."""
    common = math.gcd(*sizes)
    depth = (common & -common).bit_length() - 1
    if not depth:
        raise ValueError(f"`level` must be given for lengths that are odd, got None for {shown(sizes)}")
    return depth


def pad_to(x: Tensor, axes: Sequence[int], multiple: int) -> Tensor:
    """Repeat the last sample up to the next multiple along each axis."""
    for axis in axes:
        n = x.shape[axis]
        if n % multiple:
            last = x.narrow(axis, n - 1, 1)
            x = torch.cat([x, *[last] * (-n % multiple)], dim=axis)
    return x


def reconstruct_undecimated(
    cA: Tensor | None, levels: Sequence[Mapping[str, Tensor | None]], like: Tensor, plans: Sequence[Plan], norm: bool,
    shape: Any, argument: str = "shape",
) -> Tensor:  # fmt: skip
    """Invert `decompose_undecimated`, with a plan for each level; `argument` is the users' name of the shape."""
    if check_flag("norm", norm):
        plans = [_scaled(plan, 2**0.5) for plan in plans]
    plan = plans[0]
    deepest, multiple, sizes = "a" * len(plan), 1 << len(levels), read_shape(shape, plan, argument)
    check_beside([cA, *[band for bands in levels for band in bands.values()]], [step.axis for step in plan])
    for bands in levels:
        check_level_shapes({**bands, deepest: like}, "coeffs")
    found = sizes_along(like, plan)
    if any(n % multiple for n in found):
        raise ValueError(f"`coeffs` must have lengths that are multiples of {multiple}, got {found}")
    if sizes is not None and tuple(n + -n % multiple for n in sizes) != found:
        raise ValueError(f"`{argument}` must be a length with {found} coefficients, got {shown(sizes)}")
    x = torch.zeros_like(widen(like)) if cA is None else widen(cA)
    for j, bands in zip(reversed(range(len(levels))), levels, strict=True):
        wide = {key: None if band is None else widen(band) for key, band in bands.items()}
        x = _merge_axes({**wide, deepest: x}, plans[j], 1 << j)
    for step, n in zip(plan, sizes or (), strict=False):
        x = x.narrow(step.axis, 0, n)
    return x.to(like.dtype)


def _merge_axes(bands: Mapping[str, Tensor | None], plan: Plan, step: int) -> Tensor:
    for axis, bank, _, channel in reversed(plan):
        merged: dict[str, Tensor | None] = {}
        for key in dict.fromkeys(name[:-1] for name in bands):
            cA, cD = bands.get(key + "a"), bands.get(key + "d")
            merged[key] = None if cA is None and cD is None else iswt_level(cA, cD, bank, step, axis, channel)
        bands = merged
    return bands[""]  # type: ignore[return-value]  # the approximation is there


def _scaled(plan: Plan, factor: float) -> Plan:
    return tuple(step._replace(bank=FilterBank(*[f * factor for f in step.bank])) for step in plan)
