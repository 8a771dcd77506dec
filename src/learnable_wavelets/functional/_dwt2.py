"""Wavelet transforms in two dimensions, with PyWavelets' tuples of bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .._checks import check_signal
from ._axes import ModesLike, WaveletsLike, read_axes, read_plan
from ._coeffs import unexpected_detail
from ._dwtn import check_levels, idwtn, recompose
from ._per_level import PerLevel, analysis_plans, synthesis_plans
from ._separable import check_bands, decompose_axes, decompose_levels, widen

Triple = tuple[Tensor, Tensor, Tensor]
DETAILS = ("da", "ad", "dd")
"""Keys of (cH, cV, cD): horizontal is the detail along `axes[0]`."""


def dwt2(
    data: Tensor, wavelet: WaveletsLike, mode: ModesLike = "symmetric", axes: Sequence[int] = (-2, -1)
) -> tuple[Tensor, Triple]:
    """Compute one level of the two-dimensional wavelet transform: `dwt` along `axes[0]`, then along `axes[1]`.

    Equals `pywt.dwt2`, and is differentiable in data and filters.

    Args:
        data: real tensor of at least two dimensions; float16 and bfloat16 are computed in float32 and rounded once.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`; or two of them, one for each
            axis.
        mode: one of PyWavelets' nine signal extension modes, or two of them, one for each axis.
        axes: the two axes to transform.

    Returns:
        `(cA, (cH, cV, cD))`: approximation, and horizontal, vertical and diagonal details. Horizontal is the detail
        along `axes[0]`, as in PyWavelets.

    Raises:
        TypeError: `data` is not a real floating-point tensor.
        ValueError: not two axes of `data`, and as for `dwtn`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> image = torch.tensor([[1.0, 1.0], [3.0, 3.0]])
        >>> cA, (cH, cV, cD) = lw.functional.dwt2(image, "haar")
        >>> [round(c.item(), 4) + 0.0 for c in (cA, cH, cV, cD)]
        [4.0, -2.0, 0.0, 0.0]

    References:
        PyWavelets, `pywt.dwt2`.
    """
    bands = decompose_axes(widen(data), read_plan(check_signal(data), wavelet, mode, axes, count=2, repeats=True))
    cA, cH, cV, cD = (bands[key].to(data.dtype) for key in ("aa", *DETAILS))
    return cA, (cH, cV, cD)


def idwt2(
    coeffs: Any, wavelet: WaveletsLike, mode: ModesLike = "symmetric", axes: Sequence[int] = (-2, -1),
    *, shape: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Invert `dwt2`; equals `pywt.idwt2`, and is differentiable in coefficients and filters.

    Args:
        coeffs: `(cA, (cH, cV, cD))`; entries that are `None` count as zeros.
        wavelet: as for `dwt2`.
        mode: the mode, or the modes, of the forward transform.
        axes: the two axes of the forward transform, in the same order.
        shape: the lengths of the two axes, in the order of `axes`, of which the result then has exactly those;
            default: an odd length comes back with one sample more, as in PyWavelets.

    Raises:
        TypeError: `coeffs` is not a tensor and a triple of tensors.
        ValueError: as for `idwtn`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(3, 9, 8, dtype=torch.float64)
        >>> coeffs = lw.functional.dwt2(x, "db3")
        >>> torch.allclose(lw.functional.idwt2(coeffs, "db3", shape=(9, 8)), x)
        True
    """
    if not isinstance(coeffs, (list, tuple)) or len(coeffs) != 2:
        raise TypeError(f"`coeffs` must be a tuple (cA, (cH, cV, cD)), got {type(coeffs).__name__}")
    bands = {"aa": coeffs[0], **as_dict(coeffs[1], "coeffs[1]")}
    like = check_bands((f"coeffs[{key!r}]", band) for key, band in bands.items())
    read_axes(like, axes, "coeffs", count=2, repeats=True)
    return idwtn(bands, wavelet, mode, axes, shape=shape)


def wavedec2(
    data: Tensor, wavelet: WaveletsLike | PerLevel, mode: ModesLike = "symmetric", level: int | None = None,
    axes: Sequence[int] = (-2, -1),
) -> list[Any]:  # fmt: skip
    """Compute the multilevel two-dimensional wavelet transform.

    Equals `pywt.wavedec2`, and is differentiable in data and filters.

    Args:
        data: real tensor of at least two dimensions; float16 and bfloat16 are computed in float32 and rounded once.
        wavelet: as for `dwt2`, or `PerLevel` of those.
        mode: as for `dwt2`.
        level: number of levels; default: the lesser `pywt.dwt_max_level(n, taps)` of the two axes.
        axes: the two axes to transform.

    Returns:
        `[cA_n, (cH_n, cV_n, cD_n), ..., (cH_1, cV_1, cD_1)]`, coarse to fine.

    Raises:
        TypeError: `data` is not a real floating-point tensor; `level` is not an int.
        ValueError: not two different axes of `data`, and as for `wavedecn`.

    Warns:
        UserWarning: `level` is above the default, as for `wavedec`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> cA, coarse, fine = lw.functional.wavedec2(torch.randn(10, 3, 32, 32), "db2", level=2)
        >>> cA.shape, fine[0].shape
        (torch.Size([10, 3, 10, 10]), torch.Size([10, 3, 17, 17]))
    """
    plans = analysis_plans(check_signal(data), wavelet, mode, axes, level, count=2)
    cA, *details = decompose_levels(widen(data), plans)
    return [cA.to(data.dtype), *[tuple(bands[key].to(data.dtype) for key in DETAILS) for bands in details]]


def waverec2(
    coeffs: Sequence[Any], wavelet: WaveletsLike | PerLevel, mode: ModesLike = "symmetric",
    axes: Sequence[int] = (-2, -1),
    *, shape: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Invert `wavedec2`; equals `pywt.waverec2`, and is differentiable in coefficients and filters.

    Args:
        coeffs: `[cA_n, (cH_n, cV_n, cD_n), ..., (cH_1, cV_1, cD_1)]`; entries that are `None` count as zeros.
        wavelet: as for `wavedec2`.
        mode: the mode, or the modes, of the forward transform.
        axes: the two axes of the forward transform, in the same order.
        shape: the lengths of the two axes, in the order of `axes`, of which the result then has exactly those;
            default: an odd length comes back with one sample more, as in PyWavelets.

    Raises:
        TypeError: `coeffs` is not a list of a tensor and triples of tensors.
        ValueError: as for `waverecn`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(2, 33, 30, dtype=torch.float64)
        >>> coeffs = lw.functional.wavedec2(x, "bior2.2", "reflect")
        >>> torch.allclose(lw.functional.waverec2(coeffs, "bior2.2", "reflect", shape=(33, 30)), x)
        True
    """
    if isinstance(coeffs, (list, tuple)):
        coeffs = [*coeffs[:1], *[as_dict(triple, f"coeffs[{i}]") for i, triple in enumerate(coeffs[1:], start=1)]]
    cA, details, like = check_levels(coeffs)
    plans = synthesis_plans(like, wavelet, mode, axes, len(details), count=2)
    return recompose(cA, details, like, plans, shape)


def as_dict(triple: Any, name: str) -> dict[str, Tensor | None]:
    if not isinstance(triple, (list, tuple)) or len(triple) != len(DETAILS):
        raise unexpected_detail(name, "a tuple (cH, cV, cD)", triple)
    return dict(zip(DETAILS, triple, strict=True))
