"""Wavelet packets: the full tree to one level, in one and two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from .._checks import check_choice, check_signal, check_size, shown
from ..kernels._precision import stack
from ._axes import ModesLike, Plan, WaveletsLike, halve, read_shape, sizes_along
from ._bank import WaveletLike
from ._per_level import PerLevel, analysis_plans, synthesis_plans
from ._separable import check_bands, check_level_shapes, decompose_axes, reconstruct_axes, widen

ORDERS = ("natural", "freq")
_CHILDREN = {1: {"a": "a", "d": "d"}, 2: {"a": "aa", "h": "da", "v": "ad", "d": "dd"}}
"""Letters of a path, in natural order, and the band of `dwtn` that each is, by the number of axes."""


def wavelet_packet(
    data: Tensor, wavelet: WaveletLike | PerLevel, mode: str = "symmetric", level: int | None = None, axis: int = -1,
    order: str = "natural",
) -> dict[str, Tensor]:  # fmt: skip
    """Compute the wavelet packet transform: `dwt`, and again of approximation *and* detail, to one level.

    Equals the nodes of `pywt.WaveletPacket` at that level, and is differentiable in data and filters.

    Args:
        data: real signal of any shape; float16 and bfloat16 are computed in float32 and rounded once.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`; or `PerLevel` of those.
        mode: one of PyWavelets' nine signal extension modes.
        level: number of levels; default: `pywt.dwt_max_level(n, taps)`.
        axis: the axis to transform.
        order: of the result: `natural`, that of the tree, or `freq`, from low to high frequency.

    Returns:
        A dict of the $2^{level}$ leaves, all of one shape, by path: `add` is the detail of the detail of the
        approximation.

    Raises:
        TypeError: `data` is not a real floating-point tensor; `level` is not an int.
        ValueError: unknown `order`, and as for `wavedec`.

    Warns:
        UserWarning: `level` is above the default, as for `wavedec`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> packet = lw.functional.wavelet_packet(torch.randn(3, 32), "haar", level=2, order="freq")
        >>> {path: tuple(leaf.shape) for path, leaf in packet.items()}
        {'aa': (3, 8), 'ad': (3, 8), 'dd': (3, 8), 'da': (3, 8)}
        >>> torch.stack([*packet.values()], -2).shape  # a time-frequency picture
        torch.Size([3, 4, 8])

    References:
        Coifman and Wickerhauser, *Entropy-based algorithms for best basis selection*, 1992.
    """
    check_choice("order", order, ORDERS)
    return _decompose(data, analysis_plans(check_signal(data), wavelet, mode, axis, level), 1, order)


def inverse_wavelet_packet(
    coeffs: Mapping[str, Tensor | None], wavelet: WaveletLike | PerLevel, mode: str = "symmetric", axis: int = -1,
    *, n: int | None = None,
) -> Tensor:  # fmt: skip
    """Invert `wavelet_packet`; differentiable in coefficients and filters.

    Args:
        coeffs: the leaves of one level by path, in any order; those that are missing or `None` count as zeros.
        wavelet: as in the forward transform.
        mode: as in the forward transform.
        axis: the axis of the forward transform.
        n: the number of samples to return, exactly. Give it: without it the levels are assumed to have even lengths,
            as in PyWavelets, and others are wrong near the end.

    Raises:
        TypeError: `coeffs` is not a dict of real floating-point tensors.
        ValueError: paths of several levels, leaves of several shapes, an `n` with other coefficients, and as for
            `idwt`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(37, dtype=torch.float64)
        >>> packet = lw.functional.wavelet_packet(x, "db2", level=3)
        >>> torch.allclose(lw.functional.inverse_wavelet_packet(packet, "db2", n=37), x)
        True
    """
    shape = None if n is None else (check_size("n", n),)
    like, depth = _check_leaves(coeffs, 1)
    return _reconstruct(coeffs, like, synthesis_plans(like, wavelet, mode, axis, depth), depth, shape, "n")


def wavelet_packet2(
    data: Tensor, wavelet: WaveletsLike | PerLevel, mode: ModesLike = "symmetric", level: int | None = None,
    axes: Sequence[int] = (-2, -1), order: str = "natural",
) -> dict[str, Tensor]:  # fmt: skip
    r"""Compute the two-dimensional wavelet packet transform: `dwt2`, and again of all four bands, to one level.

    Equals the nodes of `pywt.WaveletPacket2D` at that level, and is differentiable in data and filters.

    Args:
        data: real tensor of at least two dimensions; float16 and bfloat16 are computed in float32 and rounded once.
        wavelet: as for `wavedec2`.
        mode: as for `dwt2` (the default of `pywt.WaveletPacket2D` is `smooth`).
        level: number of levels; default: the lesser `pywt.dwt_max_level(n, taps)` of the two axes.
        axes: the two axes to transform.
        order: of the result: `natural`, that of the tree, or `freq`, row by row of the $2^{level} \times 2^{level}$
            frequencies, each from low to high.

    Returns:
        A dict of the $4^{level}$ leaves, all of one shape, by path, with the letters `a`, `h`, `v` and `d` of
            PyWavelets for cA, cH, cV and cD.

    Raises:
        TypeError: `data` is not a real floating-point tensor; `level` is not an int.
        ValueError: unknown `order`, not two different axes, and as for `wavedec2`.

    Warns:
        UserWarning: `level` is above the default, as for `wavedec`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> packet = lw.functional.wavelet_packet2(torch.randn(3, 32, 16), "haar", level=1, order="freq")
        >>> {path: tuple(leaf.shape) for path, leaf in packet.items()}
        {'a': (3, 16, 8), 'v': (3, 16, 8), 'h': (3, 16, 8), 'd': (3, 16, 8)}
    """
    check_choice("order", order, ORDERS)
    return _decompose(data, analysis_plans(check_signal(data), wavelet, mode, axes, level, count=2), 2, order)


def inverse_wavelet_packet2(
    coeffs: Mapping[str, Tensor | None], wavelet: WaveletsLike | PerLevel, mode: ModesLike = "symmetric",
    axes: Sequence[int] = (-2, -1), *, shape: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Invert `wavelet_packet2`; differentiable in coefficients and filters.

    Args:
        coeffs: the leaves of one level by path, in any order; those that are missing or `None` count as zeros.
        wavelet: as in the forward transform.
        mode: as in the forward transform.
        axes: the two axes of the forward transform, in the same order.
        shape: the lengths of the two axes, in the order of `axes`, of which the result then has exactly those. Give
            it, as `n` for `inverse_wavelet_packet`.

    Raises:
        TypeError: `coeffs` is not a dict of real floating-point tensors.
        ValueError: as for `inverse_wavelet_packet`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(21, 18, dtype=torch.float64)
        >>> packet = lw.functional.wavelet_packet2(x, "db2", level=2)
        >>> torch.allclose(lw.functional.inverse_wavelet_packet2(packet, "db2", shape=(21, 18)), x)
        True
    """
    like, depth = _check_leaves(coeffs, 2)
    plans = synthesis_plans(like, wavelet, mode, axes, depth, count=2)
    return _reconstruct(coeffs, like, plans, depth, shape, "shape")


def _decompose(data: Tensor, plans: Sequence[Plan], dims: int, order: str) -> dict[str, Tensor]:
    children, depth = _CHILDREN[dims], len(plans)
    nodes = widen(data)[None]  # all of one level, in natural order
    for plan in plans:
        bands = decompose_axes(nodes, plan)
        nodes = stack([bands[key] for key in children.values()], dim=1).flatten(0, 1)
    leaves = dict(zip(_paths(children, depth), nodes.to(data.dtype), strict=True))
    return leaves if order == "natural" else {path: leaves[path] for path in _by_frequency(children, depth)}


def _reconstruct(
    coeffs: Mapping[str, Tensor | None], like: Tensor, plans: Sequence[Plan], depth: int, shape: Any, argument: str
) -> Tensor:
    plan, children = plans[0], _CHILDREN[len(plans[0])]
    sizes, steps = read_shape(shape, plan, argument), []
    if sizes is not None:
        now = sizes
        for plan in plans[:depth]:
            before, now = halve(now, plan)
            steps.append(before)
        if now != sizes_along(like, plan):
            expected = f"a length with {sizes_along(like, plan)} coefficients"
            raise ValueError(f"`{argument}` must be {expected}, got {shown(sizes)} with {now}")
    zero = torch.zeros_like(like)
    leaves = [coeffs.get(path) for path in _paths(children, depth)]
    nodes = widen(stack([zero if leaf is None else leaf for leaf in leaves]))
    for index in reversed(range(depth)):
        parts = nodes.unflatten(0, (-1, len(children))).unbind(1)  # type: ignore[no-untyped-call]
        bands = dict(zip(children.values(), parts, strict=True))
        nodes = reconstruct_axes(bands, plans[index], steps[index] if steps else (None,) * len(plan))
    return nodes[0].to(like.dtype)


def _paths(letters: Any, level: int) -> list[str]:
    return ["".join(path) for path in product(letters, repeat=level)]


def _by_frequency(children: Mapping[str, str], level: int) -> list[str]:
    """Return the paths from low to high frequency along each axis: a high-pass band is mirrored, hence a Gray code."""
    letter = {band: path for path, band in children.items()}
    along = [""]
    for _ in range(level):
        along = ["a" + path for path in along] + ["d" + path for path in reversed(along)]
    dims = len(next(iter(letter)))
    return [
        "".join(letter["".join(step)] for step in zip(*place, strict=True)) for place in product(along, repeat=dims)
    ]


def _check_leaves(coeffs: Any, dims: int) -> tuple[Tensor, int]:
    """Return the first leaf that is not `None`, and the level."""
    if not isinstance(coeffs, Mapping):
        raise TypeError(f"`coeffs` must be a dict of tensors, got {type(coeffs).__name__}")
    letters = "".join(_CHILDREN[dims])
    level = len(next(iter(coeffs), ""))
    for path in coeffs:
        if not isinstance(path, str) or len(path) != level or set(path) - set(letters):
            raise ValueError(f"`coeffs` must have paths of {level} letters of {letters!r}, got {shown(path)}")
    like = check_bands((f"coeffs[{path!r}]", leaf) for path, leaf in coeffs.items())
    check_level_shapes(coeffs, "coeffs")
    return like, level
