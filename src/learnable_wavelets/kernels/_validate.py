"""Validate the inputs of the operators: kernels receive raw addresses and sizes.

A replaced parameter of the wrong shape would make a kernel read or write out of bounds. The back ends trust their
input: it is checked here, by the door for ordinary calls and by the registered operators for all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter

import torch
from torch import Tensor

from .._checks import MODES
from ._layout import Layout
from ._precision import compute_dtype
from ._sandwich import CONSTANTS, INDEX, TENSORS, Sandwich
from ._supports import Supports
from .reference import coeff_lengths

_NAMES = tuple(TENSORS)
_BIAS, _FILTERS = _NAMES.index("bias"), _NAMES.index("dec_lo")
_DEEPEST = 62


def check_present(name: str, tensor: Tensor | None) -> None:
    if tensor is None:  # which the dispatcher lets through
        raise TypeError(f"`{name}` must be a tensor, got None")


def check_data(x: Tensor, name: str, supports: Supports | None = None, mode: str = "periodization") -> None:
    if x.dim() == 0 or not x.is_floating_point():
        raise ValueError(f"`{name}` must be real and have a dimension, got shape {tuple(x.shape)} of {x.dtype}")
    check_mode(mode)
    if supports is not None and (x.dtype not in supports.dtypes or mode not in supports.modes):
        served = ", ".join(str(dtype).removeprefix("torch.") for dtype in supports.dtypes)
        expected = f"dtype in {served} and mode in {', '.join(supports.modes)}"
        raise ValueError(f"`{name}` must have {expected} for this kernel, got {x.dtype} and {mode!r}")


def check_sandwich(x: Tensor, sandwich: Sandwich) -> tuple[Tensor, Sandwich]:
    """Return x and its operands, contiguous and aligned, or raise the error that names what does not fit."""
    present = check_operands(x, sandwich)
    if not all(map(Tensor.is_contiguous, present)):
        tensors = tuple(None if t is None else t.contiguous() for t in sandwich.tensors())
        sandwich = Sandwich.from_flat((*tensors, *sandwich.constants()))
    return aligned(x), sandwich


def check_operands(x: Tensor, sandwich: Sandwich) -> list[Tensor]:
    """Return the tensors that are there, or raise the error that names what does not fit."""
    present = [t for t in sandwich.tensors() if t is not None]
    (kind, bank, mode, level), layout, on_cpu = sandwich.transform, sandwich.layout, x.is_cpu
    taps = 0 if bank[0] is None else bank[0].shape[0]
    expected = _expected(layout, kind, mode, level, taps, x.dtype, on_cpu, sandwich.bias is not None)
    # all at once, for each look at a tensor is a fiftieth of what a layer takes for one row
    fits = list(map(_kind, present)) == expected and x.shape[-1:] == (layout[0],)
    if not fits or not (on_cpu or all(t.device == x.device for t in present)):
        check_each(x, sandwich)
    return present


_kind = attrgetter("shape", "dtype", "is_cpu")


@lru_cache(maxsize=256)
def _expected(
    layout: tuple[int, ...], kind: str, mode: str, level: int, taps: int, dtype: torch.dtype, on_cpu: bool, bias: bool
) -> list[tuple[tuple[int, ...], torch.dtype, bool]]:
    """Return `_kind` of each tensor that must be present."""
    shapes, real = operand_shapes(layout, kind, mode, level, taps), compute_dtype(dtype)
    places = [p for p in range(len(_NAMES)) if (bias or p != _BIAS) and (taps or p < _FILTERS)]
    return [(shapes[p], torch.int64 if p == INDEX else real, on_cpu) for p in places]


def check_each(x: Tensor, sandwich: Sandwich) -> None:
    """Check one operand after the other: raise the error that names the first that does not fit."""
    layout, transform, real = sandwich.layout, sandwich.transform, compute_dtype(x.dtype)
    if x.dim() == 0 or x.shape[-1] != layout.in_features:
        raise ValueError(f"`x` must have a last dimension of {layout.in_features}, got shape {tuple(x.shape)}")
    kind, _, mode, level = transform
    shapes = operand_shapes(tuple(layout), kind, mode, level, transform.taps)
    for place, (tensor, shape) in enumerate(zip(sandwich.tensors(), shapes, strict=True)):
        if tensor is not None:
            check_operand(_NAMES[place], tensor, shape, torch.int64 if place == INDEX else real, x)
        elif place != _BIAS and (transform.taps or place < _FILTERS):
            raise TypeError(f"`{_NAMES[place]}` must be a tensor, got None")


def operand_shapes(layout: tuple[int, ...], kind: str, mode: str, level: int, taps: int) -> tuple[tuple[int, ...], ...]:
    """Return the shape of each of `TENSORS`."""
    if min(layout[:4]) < 1:
        raise ValueError(f"`layout` must have sizes of at least 1, got {layout}")
    shape = Layout(*layout)  # type: ignore[arg-type]
    widest, narrowest = shape.n * shape.blocks, shape.n
    inputs, outputs = (widest, narrowest) if shape.sum_blocks else (narrowest, widest)
    if shape.in_features > inputs or shape.out_features > outputs:
        raise ValueError(f"`layout` must not have more inputs or outputs than the blocks have, got {layout}")
    if kind == "hadamard":
        check_power_of_two(shape.n)
        length = shape.n
        if taps:
            raise ValueError("`dec_lo` must be None for transform 'hadamard', got a filter")
    elif kind == "wavelet":
        length = _count(shape.n, taps, mode, level)  # not cached: tracers leave sizes open
    else:
        raise ValueError(f"`{next(iter(CONSTANTS))}` must be hadamard or wavelet, got {kind!r}")
    wide, out = (shape.blocks, length), (shape.out_features,)
    return (shape.diag_in_shape, wide, wide, out, out, (taps,), (taps,), (taps,), (taps,))


def _count(n: int, taps: int, mode: str, level: int) -> int:
    """Return the number of coefficients, after a check that the sizes fit together."""
    check_depth(mode, level)
    if n < 1:
        raise ValueError(f"`n` must be at least 1, got {n} samples")
    if taps < 2 or taps % 2:
        raise ValueError(f"`dec_lo` must have an even length, at least 2, got {taps}")
    if mode == "periodization" and n % (1 << level):
        raise ValueError(f"`level` must be one at which {n} samples halve evenly in mode {mode!r}, got {level}")
    return sum(coeff_lengths(n, taps, mode, level))


packed_length = lru_cache(maxsize=256)(_count)


def check_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"`mode` must be one of {', '.join(MODES)}; got {mode!r}")


def check_depth(mode: str, level: int) -> None:
    check_mode(mode)
    if not 0 <= level <= _DEEPEST:
        raise ValueError(f"`level` must be between 0 and {_DEEPEST}, got {level}")


def check_power_of_two(n: int) -> None:
    if n < 1 or n & (n - 1):
        raise ValueError(f"`x` must have a last dimension that is a power of two, got {n}")


def check_transform(
    x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int, n: int | None = None
) -> tuple[Tensor, Tensor, Tensor, int]:
    """Return data and filters, contiguous, and the packed length; with `n`, x itself holds packed coefficients."""
    taps = check_bank(lo, hi)
    m = packed_length(x.shape[-1] if n is None else n, taps, mode, level)
    if n is not None and x.shape[-1] != m:
        raise ValueError(f"`packed` must have a last dimension of {m}, got shape {tuple(x.shape)}")
    for name, tensor in (("lo", lo), ("hi", hi)):
        check_operand(name, tensor, (taps,), compute_dtype(x.dtype), x)
    return aligned(x), lo.contiguous(), hi.contiguous(), m


def check_bank(lo: Tensor, hi: Tensor) -> int:
    """Return the number of taps."""
    if lo.dim() != 1 or lo.shape != hi.shape or lo.shape[0] < 2 or lo.shape[0] % 2:
        got = f"{tuple(lo.shape)} and {tuple(hi.shape)}"
        raise ValueError(f"`lo` and `hi` must have one even length, at least 2, got shapes {got}")
    return lo.shape[0]


def check_grad(grad: Tensor, x: Tensor, width: int) -> Tensor:
    """Return the gradient of a result like x, but `width` wide; aligned."""
    check_operand("grad", grad, (*x.shape[:-1], width), x.dtype, x)
    return aligned(grad)


def check_needs(needs: Sequence[bool], inputs: Sequence[Tensor | None]) -> list[bool]:
    """Return which gradients to compute: none for an absent tensor."""
    if len(needs) != len(inputs):
        raise ValueError(f"`needs` must have {len(inputs)} entries, got {len(needs)}")
    return [needed and tensor is not None for needed, tensor in zip(needs, inputs, strict=True)]


def check_permutation(rows: Tensor) -> None:
    """Raise unless each row holds each of 0..m-1 once."""
    ordered = torch.arange(rows.shape[-1], device=rows.device)
    if not bool((rows.sort(dim=-1).values == ordered).all()):
        raise ValueError("`permutation` must hold each of 0..m-1 once in every block")


def check_operand(name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype, like: Tensor) -> None:
    """Raise unless `tensor` has this shape and dtype, on the device of `like`."""
    if tensor.shape != shape or tensor.dtype != dtype or tensor.device != like.device:
        got = f"{tuple(tensor.shape)} of {tensor.dtype} on {tensor.device}"
        raise ValueError(f"`{name}` must have shape {shape} of {dtype} on {like.device} here, got {got}")


def aligned(x: Tensor) -> Tensor:
    """Return x contiguous and aligned to its type: a view of foreign memory may begin anywhere."""
    x = x.contiguous()
    return x.clone() if x.data_ptr() % x.element_size() else x
