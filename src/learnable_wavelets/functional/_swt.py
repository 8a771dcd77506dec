"""The stationary wavelet transform in one and two dimensions, with PyWavelets' lists of tuples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .._checks import check_size
from ._axes import WaveletsLike
from ._bank import WaveletLike
from ._dwt2 import DETAILS, as_dict
from ._per_level import PerLevel, synthesis_plans
from ._separable import check_bands
from ._swtn import decompose_undecimated, iswtn, reconstruct_undecimated, undecimated_plans, warn_of_energy
from ._undecimated import MODE


def swt(
    data: Tensor, wavelet: WaveletLike | PerLevel, level: int | None = None, start_level: int = 0, axis: int = -1,
    trim_approx: bool = False, norm: bool = False,
) -> list[Any]:  # fmt: skip
    r"""Compute the stationary wavelet transform: undecimated, so that it commutes with shifts.

    Equals `pywt.swt`, and is differentiable in data and filters. Level j applies the filters, spread out by $2^j$ and
    circularly: $c_k = \sum_i h[i]\, x[k + 2^j (\mathrm{taps}/2 - i)]$.

    Args:
        data: real signal of any shape; float16 and bfloat16 are computed in float32 and rounded once.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`; or `PerLevel` of those.
        level: number of levels; default: that of `PerLevel`, or as often as 2 divides the length.
        start_level: the level to begin with; the filters are first spread out by `2**start_level`.
        axis: the axis to transform.
        trim_approx: return the last approximation only.
        norm: divide the filters by $\sqrt 2$. With an orthogonal wavelet and `trim_approx` the energy is then kept.

    Shape:
        Every band has the length of the data, rounded up to a multiple of `2**(start_level + level)`. PyWavelets
        refuses other lengths; here the last sample is repeated up to there, as `periodization` does for an odd length.
        `iswt(..., n=)` cuts it off again: the inverse is exact.

    Returns:
        `[(cA_n, cD_n), ..., (cA_1, cD_1)]`; with `trim_approx` `[cA_n, cD_n, ..., cD_1]`.

    Raises:
        TypeError: `data` is not a real floating-point tensor; a flag is not a bool.
        ValueError: `level` below 1, or not given for an odd length; a negative `start_level`, and as for `dwt`.

    Warns:
        UserWarning: `norm` with a named wavelet that is not orthogonal.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> coeffs = lw.functional.swt(torch.randn(2, 50), "db2", level=3, trim_approx=True)
        >>> [tuple(c.shape) for c in coeffs]
        [(2, 56), (2, 56), (2, 56), (2, 56)]

    References:
        PyWavelets, `pywt.swt`. Nason and Silverman, *The stationary wavelet transform and some statistical
        applications*, 1995.
    """
    plans, level = undecimated_plans(data, wavelet, level, axis)
    warn_of_energy(wavelet, norm)
    levels = decompose_undecimated(data, plans, level, start_level, trim_approx, norm)
    if trim_approx:
        return [levels[0], *[bands["d"] for bands in levels[1:]]]
    return [(bands["a"], bands["d"]) for bands in levels]


def iswt(
    coeffs: Sequence[Any], wavelet: WaveletLike | PerLevel, norm: bool = False, axis: int = -1, *, n: int | None = None
) -> Tensor:
    """Invert `swt`; equals `pywt.iswt`, and is differentiable in coefficients and filters.

    Args:
        coeffs: as `swt` returns them, with or without `trim_approx`; with a `start_level` of 0. Details that are `None`
            count as zeros.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        norm: as in the forward transform.
        axis: the axis of the forward transform.
        n: the number of samples to return, exactly; default: the number of coefficients.

    Raises:
        TypeError: `coeffs` is not a list of pairs, or a list, of real floating-point tensors.
        ValueError: bands of several shapes, a length that is no multiple of `2**level`, an `n` that is not rounded up
            to the length of the coefficients.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(50, dtype=torch.float64)
        >>> coeffs = lw.functional.swt(x, "sym4", level=3)
        >>> torch.allclose(lw.functional.iswt(coeffs, "sym4", n=50), x)
        True
    """
    if not isinstance(coeffs, (list, tuple)):
        raise TypeError(f"`coeffs` must be a list of pairs (cA, cD) or of tensors, got {type(coeffs).__name__}")
    if not coeffs:
        raise ValueError("`coeffs` must hold at least one level, got none")
    if isinstance(coeffs[0], (list, tuple)):
        for index, pair in enumerate(coeffs):
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise TypeError(f"`coeffs[{index}]` must be a pair (cA, cD), got {type(pair).__name__}")
        cA, details = coeffs[0][0], [pair[1] for pair in coeffs]
    else:
        cA, *details = coeffs
    like = check_bands([("coeffs[0]", cA), *[(f"coeffs[{i}]", d) for i, d in enumerate(details, start=1)]])
    plans = synthesis_plans(like, wavelet, MODE, axis, len(details))
    levels = [{"d": detail} for detail in details]
    return reconstruct_undecimated(cA, levels, like, plans, norm, n if n is None else (check_size("n", n),), "n")


def swt2(
    data: Tensor, wavelet: WaveletsLike | PerLevel, level: int | None = None, start_level: int = 0,
    axes: Sequence[int] = (-2, -1), trim_approx: bool = False, norm: bool = False,
) -> list[Any]:  # fmt: skip
    """Compute the two-dimensional stationary wavelet transform; equals `pywt.swt2`.

    Args:
        data: real tensor of at least two dimensions; float16 and bfloat16 are computed in float32 and rounded once.
        wavelet: as for `dwt2`, or `PerLevel` of those.
        level: number of levels; default: that of `PerLevel`, or as often as 2 divides both lengths.
        start_level: the level to begin with.
        axes: the two axes to transform.
        trim_approx: return the last approximation only.
        norm: divide the filters by the root of 2, as for `swtn`.

    Shape:
        Lengths are rounded up to a multiple of `2**(start_level + level)`, as for `swtn`.

    Returns:
        `[(cA_n, (cH_n, cV_n, cD_n)), ..., (cA_1, (cH_1, cV_1, cD_1))]`; with `trim_approx`
        `[cA_n, (cH_n, cV_n, cD_n), ..., (cH_1, cV_1, cD_1)]`.

    Raises:
        TypeError: as for `swtn`.
        ValueError: not two different axes of `data`, and as for `swtn`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> (cA, (cH, cV, cD)), _ = lw.functional.swt2(torch.randn(3, 20, 30), "db2", level=2)
        >>> cA.shape, cD.shape
        (torch.Size([3, 20, 32]), torch.Size([3, 20, 32]))
    """
    plans, level = undecimated_plans(data, wavelet, level, axes, count=2)
    warn_of_energy(wavelet, norm)
    levels = decompose_undecimated(data, plans, level, start_level, trim_approx, norm, least=0)
    details = [tuple(bands[key] for key in DETAILS) for bands in levels[int(trim_approx) :]]
    if trim_approx:
        return [levels[0], *details]
    return [(bands["aa"], triple) for bands, triple in zip(levels, details, strict=True)]


def iswt2(
    coeffs: Sequence[Any], wavelet: WaveletsLike | PerLevel, norm: bool = False, axes: Sequence[int] = (-2, -1),
    *, shape: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Invert `swt2`; equals `pywt.iswt2`, and is differentiable in coefficients and filters.

    Args:
        coeffs: as `swt2` returns them, with or without `trim_approx`; with a `start_level` of 0.
        wavelet: as for `dwt2`.
        norm: as in the forward transform.
        axes: the two axes of the forward transform, in the same order.
        shape: the lengths of the two axes, in the order of `axes`, of which the result then has exactly those.

    Raises:
        TypeError: `coeffs` is not a list of tensors and triples of tensors.
        ValueError: as for `iswtn`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(3, 21, 30, dtype=torch.float64)
        >>> coeffs = lw.functional.swt2(x, "bior2.2", level=2, trim_approx=True)
        >>> torch.allclose(lw.functional.iswt2(coeffs, "bior2.2", shape=(21, 30)), x)
        True
    """
    if not isinstance(coeffs, (list, tuple)):
        raise TypeError(f"`coeffs` must be a list of tuples of tensors, got {type(coeffs).__name__}")
    if coeffs and (coeffs[0] is None or isinstance(coeffs[0], Tensor)):
        levels = [coeffs[0], *[as_dict(triple, f"coeffs[{i}]") for i, triple in enumerate(coeffs[1:], start=1)]]
    else:
        levels = []
        for i, pair in enumerate(coeffs):
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise TypeError(f"`coeffs[{i}]` must be a tuple (cA, (cH, cV, cD)), got {type(pair).__name__}")
            levels.append({"aa": pair[0], **as_dict(pair[1], f"coeffs[{i}][1]")})
    return iswtn(levels, wavelet, axes, norm, shape=shape)
