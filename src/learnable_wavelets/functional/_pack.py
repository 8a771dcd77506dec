"""One tensor for all coefficients: on one axis, or in the nested blocks of `pywt.coeffs_to_array`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .._checks import check_int, check_signal, shown
from ..kernels._precision import cat
from ._axes import Axes, read_axes
from ._coeffs import check_coeffs
from ._dwt2 import DETAILS, as_dict
from ._separable import check_bands, check_beside, check_keys, check_level_shapes

Place = tuple[slice, ...]


class PackedLayout(NamedTuple):
    """Where each band lies in a packed tensor.

    Attributes:
        kind: structure of the details: `tensor`, `tuple` or `dict`.
        slices: as `pywt.coeffs_to_array` has them: a tuple of slices, and for each level a dict of such tuples.
    """

    kind: str
    slices: tuple[Any, ...]


def pack(coeffs: Sequence[Any], axes: Axes = None) -> tuple[Tensor, Any]:
    """Put all coefficients into one tensor, and return the layout that `unpack` needs.

    Coefficients of one axis, `[cA_n, cD_n, ..., cD_1]`, are concatenated. Those of several axes become nested blocks,
    as in `pywt.coeffs_to_array`: `aa` at the corner, `da` below it, `ad` beside it; gaps are zeros.

    Args:
        coeffs: a list of `wavedec`, `wavedec2`, `wavedecn`, or of `swt`, `swt2`, `swtn` with `trim_approx=True`.
        axes: the axes of the transform; default: the last ones, as many as were transformed.

    Returns:
        The tensor, and the layout: for a list of tensors without `axes` their lengths on the last axis, else a
            `PackedLayout`, whose `slices` are those of PyWavelets.

    Raises:
        TypeError: `coeffs` is not a list of real floating-point tensors, or of one and tuples or dicts of them.
        ValueError: `coeffs` is empty, or its bands do not fit together.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> packed, lengths = lw.functional.pack(lw.functional.wavedec(torch.randn(5, 16), "haar", level=2))
        >>> packed.shape, lengths
        (torch.Size([5, 16]), (4, 4, 8))
        >>> packed, layout = lw.functional.pack(lw.functional.wavedec2(torch.randn(5, 16, 8), "haar", level=2))
        >>> packed.shape, packed[layout.slices[2]["dd"]].shape
        (torch.Size([5, 16, 8]), torch.Size([5, 8, 4]))
    """
    if isinstance(coeffs, (list, tuple)) and any(isinstance(c, (list, tuple, Mapping)) for c in coeffs):
        return _pack_blocks(coeffs, axes)
    first = check_coeffs(coeffs)
    if any(c is None for c in coeffs):
        raise TypeError("`coeffs` must hold tensors only, got None")
    if axes is not None:
        return _pack_blocks(coeffs, axes)
    if len({c.shape[:-1] for c in coeffs}) > 1:
        raise ValueError(f"`coeffs` must have equal leading dimensions, got shapes {[tuple(c.shape) for c in coeffs]}")
    if first.dim() == 0:
        raise ValueError("`coeffs` must have at least one dimension, got scalars")
    return cat(list(coeffs), dim=-1), tuple(c.shape[-1] for c in coeffs)


def _pack_blocks(coeffs: Sequence[Any], axes: Axes) -> tuple[Tensor, PackedLayout]:
    cA, kind, levels = _read_levels(coeffs)
    letters = len(next(iter(levels[0]))) if levels else 0
    places = read_axes(cA, range(-letters, 0) if axes is None else axes, "coeffs[0]", letters or None, False)
    check_beside([cA, *[band for bands in levels for band in bands.values()]], places)
    packed, corner = cA, [cA.shape[place] for place in places]
    slices: list[Any] = [tuple(slice(0, n) for n in cA.shape)]
    for index, bands in enumerate(levels, start=1):
        detail = next(iter(bands.values()))
        size = [detail.shape[place] for place in places]
        if any(n > c for n, c in zip(size, corner, strict=True)) or len(bands) != 2 ** len(places) - 1:
            raise ValueError(f"`coeffs[{index}]` must have all its bands, none longer than {corner}, got {size}")
        blocks = {"a" * len(places): packed, **bands}
        packed = cat([_fill(blocks, first, places, corner, size) for first in "ad"], dim=places[0])
        slices.append({key: _place(bands[key], key, places, corner) for key in bands})
        corner = [c + n for c, n in zip(corner, size, strict=True)]
    return packed, PackedLayout(kind, tuple(slices))


def _fill(
    blocks: Mapping[str, Tensor], key: str, places: Sequence[int], corner: Sequence[int], size: Sequence[int]
) -> Tensor:
    """Return the part of the packed tensor whose bands begin with `key`, with zeros in the gaps."""
    if len(key) < len(places):
        parts = [_fill(blocks, key + letter, places, corner, size) for letter in "ad"]
        return cat(parts, dim=places[len(key)])
    block, gaps = blocks[key], [0] * (2 * blocks[key].dim())
    for place, letter, c, n in zip(places, key, corner, size, strict=True):
        gaps[-2 * place - 1] = (c if letter == "a" else n) - block.shape[place]  # from the last axis backwards
    return torch.nn.functional.pad(block, gaps)


def _place(band: Tensor, key: str, places: Sequence[int], corner: Sequence[int]) -> Place:
    slices = [slice(0, n) for n in band.shape]
    for place, letter, c in zip(places, key, corner, strict=True):
        if letter == "d":
            slices[place] = slice(c, c + band.shape[place])
    return tuple(slices)


def _read_levels(coeffs: Sequence[Any]) -> tuple[Tensor, str, list[dict[str, Tensor]]]:
    """Return the approximation, the kind of the details, and the details as dicts."""
    cA, *details = coeffs
    first = details[0] if details else cA
    kind = "dict" if isinstance(first, Mapping) else "tuple" if isinstance(first, (list, tuple)) else "tensor"
    if isinstance(cA, (list, tuple, Mapping)):
        hint = "; take `swt` with `trim_approx=True`"
        raise TypeError(f"`coeffs[0]` must be a torch.Tensor, got {type(cA).__name__}{hint}")
    levels: list[Any] = []
    for index, bands in enumerate(details, start=1):
        name = f"coeffs[{index}]"
        level = bands if kind == "dict" else as_dict(bands, name) if kind == "tuple" else {"d": bands}
        check_keys(level, name, len(next(iter(levels[0]))) if levels else None)
        if not level or any(band is None for band in level.values()):
            raise TypeError(f"`{name}` must hold tensors only, got None")
        levels.append(dict(level))
    named = [(f"coeffs[{i}][{key!r}]", band) for i, level in enumerate(levels, 1) for key, band in level.items()]
    check_bands([("coeffs[0]", check_signal(cA, "coeffs[0]")), *named])
    for index, level in enumerate(levels, start=1):
        check_level_shapes(level, f"coeffs[{index}]")
    return cA, kind, levels


def unpack(vector: Tensor, lengths: Any) -> list[Any]:
    """Split what `pack` returned into views: the inverse of `pack`.

    Args:
        vector: the packed tensor, or one of its shape.
        lengths: the lengths on the last axis, or the `PackedLayout`, which `pack` returned.

    Raises:
        TypeError: `vector` is not a real floating-point tensor; `lengths` is not a list of ints.
        ValueError: there are no lengths, or they do not add up to the last dimension of `vector`; or the layout is
            that of another shape.
    """
    check_signal(vector, "vector")
    if isinstance(lengths, PackedLayout):
        return _unpack_blocks(vector, lengths)
    try:
        if isinstance(lengths, (str, bytes)):
            raise TypeError
        given = list(lengths)
    except TypeError:
        raise TypeError(f"`lengths` must be a list of ints, got {type(lengths).__name__}") from None
    sizes = [check_int(f"lengths[{index}]", length) for index, length in enumerate(given)]
    if not sizes:
        raise ValueError("`lengths` must hold at least one length, got none")
    if vector.dim() == 0 or sum(sizes) != vector.shape[-1] or min(sizes) < 0:
        shape = tuple(vector.shape)
        raise ValueError(f"`lengths` must add up to the last dimension of `vector` {shape}, got {shown(tuple(sizes))}")
    return list(torch.split(vector, sizes, dim=-1))


def _unpack_blocks(packed: Tensor, layout: PackedLayout) -> list[Any]:
    cA, *levels = layout.slices
    last = [cA, *[place for bands in levels[-1:] for place in bands.values()]]
    shape = tuple(max(place[i].stop for place in last) for i in range(len(cA)))
    if packed.shape != shape:
        raise ValueError(f"`vector` must have the shape of the layout, {shape}, got {tuple(packed.shape)}")
    found: list[Any] = [packed[cA]]
    for places in levels:
        bands = {key: packed[place] for key, place in places.items()}
        as_tuple = tuple(bands[key] for key in DETAILS) if layout.kind == "tuple" else None
        found.append(as_tuple or (bands["d"] if layout.kind == "tensor" else bands))
    return found
