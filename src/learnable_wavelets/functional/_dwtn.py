"""Wavelet transforms in n dimensions, with PyWavelets' dictionaries of bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from .._checks import check_signal
from ._axes import Axes, ModesLike, Plan, WaveletsLike, halve, read_plan, read_shape, sizes_along
from ._coeffs import unexpected_detail
from ._per_level import PerLevel, analysis_plans, synthesis_plans
from ._separable import (
    check_bands,
    check_beside,
    check_keys,
    check_level_shapes,
    decompose_axes,
    decompose_levels,
    reconstruct_axes,
    reconstruct_levels,
    widen,
)

Coeffs = list[Any]
"""`[cA_n, {key: details}, ..., {key: details}]`, as PyWavelets has it."""


def dwtn(data: Tensor, wavelet: WaveletsLike, mode: ModesLike = "symmetric", axes: Axes = None) -> dict[str, Tensor]:
    r"""Compute one level of the n-dimensional wavelet transform: `dwt` along each of `axes`, one after the other.

    Equals `pywt.dwtn`, and is differentiable in data and filters. The dense operation is
    $(W_1 \otimes \dots \otimes W_d)\, x$ with $W_i$ the matrix of `dwt` for axis i.

    Args:
        data: real tensor of any shape; float16 and bfloat16 are computed in float32 and rounded once.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`; or a sequence of them, one
            for each axis.
        mode: one of PyWavelets' nine signal extension modes, or a sequence of them, one for each axis.
        axes: the axes to transform; default: all. A repeated axis is transformed repeatedly.

    Shape:
        Along each axis `floor((n + taps - 1) / 2)`, for `periodization` `ceil(n / 2)`, as for `dwt`.

    Returns:
        A dict of $2^d$ bands. Letter i of a key belongs to `axes[i]`: `a` approximation, `d` detail.

    Raises:
        TypeError: `data` is not a real floating-point tensor.
        ValueError: axes that `data` does not have, a number of wavelets or modes that is not that of the axes, and as
            for `dwt`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> bands = lw.functional.dwtn(torch.ones(4, 4), "haar")
        >>> {key: round(float(band.mean()), 4) for key, band in bands.items()}
        {'aa': 2.0, 'ad': 0.0, 'da': 0.0, 'dd': 0.0}

    References:
        PyWavelets, `pywt.dwtn`. Mallat, *A Wavelet Tour of Signal Processing*, 2009, section 7.7.
    """
    plan = read_plan(check_signal(data), wavelet, mode, axes, repeats=True)
    return {key: band.to(data.dtype) for key, band in decompose_axes(widen(data), plan).items()}


def idwtn(
    coeffs: Mapping[str, Tensor | None], wavelet: WaveletsLike, mode: ModesLike = "symmetric", axes: Axes = None,
    *, shape: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Invert `dwtn`; equals `pywt.idwtn`, and is differentiable in coefficients and filters.

    Args:
        coeffs: the dict of `dwtn`; bands that are missing or `None` count as zeros.
        wavelet: as for `dwtn`.
        mode: the mode, or the modes, of the forward transform.
        axes: the axes of the forward transform, in the same order; default: all.
        shape: the lengths of the transformed axes, in the order of `axes`, of which the result then has exactly those;
            default: an odd length comes back with one sample more, as in PyWavelets.

    Raises:
        TypeError: `coeffs` is not a dict of real floating-point tensors of one dtype.
        ValueError: keys that do not fit the axes, bands of several shapes, no band at all, a `shape` with other
            coefficients, and as for `idwt`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(5, 7, 6, dtype=torch.float64)
        >>> bands = lw.functional.dwtn(x, "bior2.2", axes=(0, 1))
        >>> back = lw.functional.idwtn(bands, "bior2.2", axes=(0, 1), shape=(5, 7))
        >>> back.shape, torch.allclose(back, x)
        (torch.Size([5, 7, 6]), True)
    """
    check_keys(coeffs, "coeffs", None)
    like = check_bands((f"coeffs[{key!r}]", band) for key, band in coeffs.items())
    plan = read_plan(like, wavelet, mode, axes, "coeffs", repeats=True)
    check_keys(coeffs, "coeffs", len(plan))
    check_level_shapes(coeffs, "coeffs")
    sizes = read_shape(shape, plan)
    if sizes is None:
        lengths: Sequence[int | None] = (None,) * len(plan)
    else:
        lengths, found = halve(sizes, plan)
        if found != sizes_along(like, plan):
            expected = f"lengths with {sizes_along(like, plan)} coefficients"
            raise ValueError(f"`shape` must be {expected} in `coeffs`, got {sizes} with {found}")
    bands = {key: None if band is None else widen(band) for key, band in coeffs.items()}
    return reconstruct_axes(bands, plan, lengths).to(like.dtype)


def wavedecn(
    data: Tensor, wavelet: WaveletsLike | PerLevel, mode: ModesLike = "symmetric", level: int | None = None,
    axes: Axes = None,
) -> Coeffs:  # fmt: skip
    """Compute the multilevel n-dimensional wavelet transform: `dwtn`, and again of each approximation.

    Equals `pywt.wavedecn`, and is differentiable in data and filters.

    Args:
        data: real tensor of any shape; float16 and bfloat16 are computed in float32 and rounded once.
        wavelet: as for `dwtn`, or `PerLevel` of those.
        mode: as for `dwtn`.
        level: number of levels; default: the least `pywt.dwt_max_level(n, taps)` of the axes.
        axes: the axes to transform, each once; default: all.

    Returns:
        `[cA_n, {details_n}, ..., {details_1}]`, coarse to fine; the dicts have the keys of `dwtn` without `aa...a`.

    Raises:
        TypeError: `data` is not a real floating-point tensor; `level` is not an int.
        ValueError: a repeated axis, and as for `dwtn` and `wavedec`.

    Warns:
        UserWarning: `level` is above the default, as for `wavedec`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> cA, coarse, fine = lw.functional.wavedecn(torch.randn(2, 16, 16, 16), "haar", level=2, axes=(1, 2, 3))
        >>> cA.shape, sorted(fine)
        (torch.Size([2, 4, 4, 4]), ['aad', 'ada', 'add', 'daa', 'dad', 'dda', 'ddd'])
    """
    cA, *details = decompose_levels(widen(data), analysis_plans(check_signal(data), wavelet, mode, axes, level))
    return [cA.to(data.dtype), *[{key: band.to(data.dtype) for key, band in bands.items()} for bands in details]]


def waverecn(
    coeffs: Sequence[Any], wavelet: WaveletsLike | PerLevel, mode: ModesLike = "symmetric", axes: Axes = None,
    *, shape: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Invert `wavedecn`; equals `pywt.waverecn`, and is differentiable in coefficients and filters.

    Args:
        coeffs: `[cA_n, {details_n}, ..., {details_1}]`; bands that are missing or `None` count as zeros.
        wavelet: as for `wavedecn`.
        mode: the mode, or the modes, of the forward transform.
        axes: the axes of the forward transform, in the same order; default: all.
        shape: the lengths of the transformed axes, in the order of `axes`, of which the result then has exactly those;
            default: an odd length comes back with one sample more, as in PyWavelets.

    Raises:
        TypeError: `coeffs` is not a list of one tensor and dicts of tensors.
        ValueError: bands that do not belong together, no band at all, a `shape` with other coefficients, and as for
            `idwtn`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(21, 18, dtype=torch.float64)
        >>> coeffs = lw.functional.wavedecn(x, ("db2", "haar"), mode=("reflect", "periodic"), level=2)
        >>> back = lw.functional.waverecn(coeffs, ("db2", "haar"), ("reflect", "periodic"), shape=x.shape)
        >>> torch.allclose(back, x)
        True
    """
    cA, details, like = check_levels(coeffs)
    return recompose(cA, details, like, synthesis_plans(like, wavelet, mode, axes, len(details)), shape)


def check_levels(coeffs: Any) -> tuple[Tensor | None, list[Mapping[str, Tensor | None]], Tensor]:
    """Return the approximation, the details and the first band that is not `None`."""
    if not isinstance(coeffs, (list, tuple)):
        raise TypeError(f"`coeffs` must be a list of a tensor and dicts, got {type(coeffs).__name__}")
    if not coeffs:
        raise ValueError("`coeffs` must hold at least one tensor, got none")
    cA, *details = coeffs
    for index, bands in enumerate(details, start=1):
        if not isinstance(bands, Mapping):
            raise unexpected_detail(f"coeffs[{index}]", "a dict of tensors", bands)
        check_keys(bands, f"coeffs[{index}]", None)
    named = [(f"coeffs[{i}][{k!r}]", b) for i, bands in enumerate(details, start=1) for k, b in bands.items()]
    like = check_bands([("coeffs[0]", cA), *named])
    for index, bands in enumerate(details, start=1):
        check_level_shapes(bands, f"coeffs[{index}]")
    return cA, details, like


def recompose(
    cA: Tensor | None, details: Sequence[Mapping[str, Tensor | None]], like: Tensor, plans: Sequence[Plan],
    shape: Any, argument: str = "shape",
) -> Tensor:  # fmt: skip
    """Invert `decompose_levels` after the checks that need the plan."""
    plan = plans[0]
    for index, bands in enumerate(details, start=1):
        check_keys(bands, f"coeffs[{index}]", len(plan))
    check_beside([cA, *[band for bands in details for band in bands.values()]], [step.axis for step in plan])
    wide = [{key: None if band is None else widen(band) for key, band in bands.items()} for bands in details]
    sizes = read_shape(shape, plan, argument)
    return reconstruct_levels(None if cA is None else widen(cA), wide, plans, sizes, argument).to(like.dtype)
