"""What no kernel may guess: that the sizes fit together, and that each tensor has the shape and the type they say.

A kernel sees addresses and sizes. A user may have put anything in a parameter's place, and what does not fit would be
read, or written, past its end. All kernels check here, also when an operator is called by its bare name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ._layout import Layout
from ._precision import compute_dtype
from .reference import coeff_lengths

_NAMES = ("diag_in", "permutation", "diag_mid", "diag_out", "bias", "dec_lo", "dec_hi", "rec_lo", "rec_hi")
_PERMUTATION, _BIAS, _FILTERS = 1, 4, 5
_MODES = ("periodization", "zero")


class Sandwich(NamedTuple):
    """The inputs of the operator `sandwich`, checked and contiguous."""

    x: Tensor
    tensors: list[Tensor | None]
    """Those of `_NAMES`."""
    layout: tuple[int, ...]
    mode: str
    level: int
    taps: int


def check_sandwich(inputs: Sequence[Any]) -> Sandwich:
    """The inputs of the operator: x, B, P, G, S, bias, four filters, layout, mode, level."""
    x, *tensors, layout, mode, level = inputs
    layout, filter = tuple(layout), tensors[_FILTERS]
    taps = 0 if filter is None else filter.shape[0]
    expected = _expected(layout, mode, level, taps, compute_dtype(x.dtype), x.is_cpu, tensors[_BIAS] is not None)
    if x.shape[-1] != layout[0]:
        raise ValueError(f"`x` must have a last dimension of {layout[0]}, got shape {tuple(x.shape)}")
    present = [t for t in tensors if t is not None]
    # all at once, for each look at a tensor is a fiftieth of what a layer takes for one row
    if list(map(_kind, present)) != expected or not (x.is_cpu or all(t.device == x.device for t in present)):
        _refuse(tensors, layout, mode, level, taps, x)
    if not all(map(Tensor.is_contiguous, present)):
        tensors = [None if t is None else t.contiguous() for t in tensors]
    return Sandwich(aligned(x), tensors, layout, mode, level, taps)


_kind = attrgetter("shape", "dtype", "is_cpu")


@lru_cache(maxsize=256)
def _expected(
    layout: tuple[int, ...], mode: str, level: int, taps: int, real: torch.dtype, on_cpu: bool, bias: bool
) -> list[tuple[tuple[int, ...], torch.dtype, bool]]:
    """`_kind` of each tensor that is there."""
    places = [p for p in range(len(_NAMES)) if (bias or p != _BIAS) and (taps or p < _FILTERS)]
    shapes = _shapes(layout, mode, level, taps)
    return [(shapes[p], torch.int64 if p == _PERMUTATION else real, on_cpu) for p in places]


def _refuse(
    tensors: Sequence[Tensor | None], layout: tuple[int, ...], mode: str, level: int, taps: int, x: Tensor
) -> None:
    """The error that names the first tensor that does not fit."""
    for place, shape in enumerate(_shapes(layout, mode, level, taps)):
        tensor = tensors[place]
        if tensor is not None:
            check(_NAMES[place], tensor, shape, torch.int64 if place == _PERMUTATION else compute_dtype(x.dtype), x)
        elif place != _BIAS and (taps or place < _FILTERS):
            raise TypeError(f"`{_NAMES[place]}` must be a tensor, got None")


def check_needs(needs: Sequence[bool], sources: Sequence[Tensor | None]) -> list[bool]:
    """Which gradients to compute: none for what is not there."""
    if len(needs) != len(sources):
        raise ValueError(f"`needs` must have {len(sources)} entries, got {len(needs)}")
    return [needed and source is not None for needed, source in zip(needs, sources, strict=True)]


def _shapes(layout: tuple[int, ...], mode: str, level: int, taps: int) -> tuple[tuple[int, ...], ...]:
    """The shape of each of `_NAMES`."""
    if len(layout) != len(Layout._fields) or min(layout[:4]) < 1:
        raise ValueError(f"`layout` must have {len(Layout._fields)} entries, the sizes at least 1, got {layout}")
    shape = Layout(*layout)  # type: ignore[arg-type]
    widest, narrowest = shape.n * shape.blocks, shape.n
    inputs, outputs = (widest, narrowest) if shape.reduce else (narrowest, widest)
    if shape.in_features > inputs or shape.out_features > outputs:
        raise ValueError(f"`layout` must not have more inputs or outputs than the blocks have, got {layout}")
    wide, out = (shape.blocks, packed_length(shape.n, taps, mode, level)), (shape.out_features,)
    return (shape.diag_in_shape, wide, wide, out, out, (taps,), (taps,), (taps,), (taps,))


@lru_cache(maxsize=256)
def packed_length(n: int, taps: int, mode: str, level: int) -> int:
    """Number of coefficients, after a check that the sizes fit together."""
    if mode == "hadamard":
        check_power_of_two(n)
        if taps:
            raise ValueError("filters and mode 'hadamard' do not fit together")
        return n
    halves = mode != "periodization" or (0 <= level < 63 and n % (1 << level) == 0)
    if mode not in _MODES or n < 1 or not 0 <= level < 63 or taps < 2 or taps % 2 or not halves:
        raise ValueError(f"n = {n}, {taps} taps, mode {mode!r} and level {level} do not fit together")
    return sum(coeff_lengths(n, taps, mode, level))


def check_power_of_two(n: int) -> None:
    if n < 1 or n & (n - 1):
        raise ValueError(f"`x` must have a last dimension that is a power of two, got {n}")


def check_transform(x: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int, *, packed: bool) -> int:
    """Data and filters of a multilevel transform of n samples, x itself packed or not; the packed length."""
    taps = lo.shape[0] if lo.dim() == 1 else 0
    m = packed_length(n, taps, mode, level)
    if x.shape[-1] != (m if packed else n):
        name, length = ("packed", m) if packed else ("x", n)
        raise ValueError(f"`{name}` must have a last dimension of {length}, got shape {tuple(x.shape)}")
    for name, tensor in (("lo", lo), ("hi", hi)):
        check(name, tensor, (taps,), compute_dtype(x.dtype), x)
    return m


def check_grad(grad: Tensor, x: Tensor, width: int) -> Tensor:
    """The gradient of a result like x, but `width` wide; aligned."""
    check("grad", grad, (*x.shape[:-1], width), x.dtype, x)
    return aligned(grad)


def check(name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype, like: Tensor) -> None:
    """Raise unless `tensor` has this shape and dtype, on the device of `like`."""
    if tensor.shape != shape or tensor.dtype != dtype or tensor.device != like.device:
        got = f"{tuple(tensor.shape)} of {tensor.dtype} on {tensor.device}"
        raise ValueError(f"`{name}` must have shape {shape} of {dtype} on {like.device} here, got {got}")


def aligned(x: Tensor) -> Tensor:
    """In one piece, and aligned to its type: a view of foreign memory may begin anywhere."""
    x = x.contiguous()
    return x.clone() if x.data_ptr() % x.element_size() else x
