"""Calls of the C extension: contiguous tensors in, addresses and sizes across, new tensors out.

The C sees addresses only. What it must not guess is checked here: that each tensor has the type and the number of
entries that the sizes say, whatever a user has put in a parameter's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from ._layout import Layout
from .reference import coeff_lengths

try:
    from . import _cpu as _c
except ImportError:  # built without a compiler: everything works in plain torch
    AVAILABLE = False
else:
    AVAILABLE = True

FILTERS = ("dec_lo", "dec_hi", "rec_lo", "rec_hi")
DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}
MODES = {"hadamard": 0, "periodization": 1, "zero": 2}


# The tensors of a sandwich beside x, in the order of the C functions.
_NAMES = ("diag_in", "diag_mid", "permutation", "diag_out", "bias", *FILTERS)


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _rows(x: Tensor) -> int:
    return x.numel() // x.shape[-1]


def _dense(x: Tensor) -> Tensor:
    """In one piece, aligned to its type: a view of foreign memory may begin anywhere."""
    x = x.contiguous()
    return x.clone() if x.data_ptr() % x.element_size() else x


def _check(name: str, tensor: Tensor, entries: int, dtype: torch.dtype) -> None:
    if tensor.numel() != entries or tensor.dtype != dtype or not tensor.is_cpu:
        got = f"{tensor.numel()} of {tensor.dtype} on {tensor.device}"
        raise ValueError(f"`{name}` must have {entries} entries of {dtype} on cpu here, got {got}")


def _check_filters(x: Tensor, lo: Tensor, hi: Tensor) -> None:
    for name, tensor in (("lo", lo), ("hi", hi)):
        _check(name, tensor, lo.shape[0], _real(x.dtype))


def _real(dtype: torch.dtype) -> torch.dtype:
    """The type of the parameters beside data of this type."""
    return torch.float32 if dtype == torch.bfloat16 else dtype


def _result(like: Tensor, needed: bool) -> Tensor:
    """Room for a gradient; nothing where none is needed, which the C reads as an address of zero."""
    return torch.empty_like(like, memory_format=torch.contiguous_format) if needed else like.new_empty(0)


def _wanted(results: Sequence[Tensor], needs: Sequence[bool]) -> list[int]:
    return [result.data_ptr() if needed else 0 for result, needed in zip(results, needs, strict=True)]


def fwht(x: Tensor, scale: float) -> Tensor:
    x = _dense(x)
    y = torch.empty_like(x)
    _c.fwht(x.data_ptr(), y.data_ptr(), _rows(x), x.shape[-1], scale, DTYPES[x.dtype], torch.get_num_threads())
    return y


def wavedec(x: Tensor, lo: Tensor, hi: Tensor, m: int, mode: str, level: int) -> Tensor:
    _check_filters(x, lo, hi)
    x, lo, hi = _dense(x), lo.contiguous(), hi.contiguous()
    packed = x.new_empty((*x.shape[:-1], m))
    _c.wavedec(
        x.data_ptr(), packed.data_ptr(), _rows(x), x.shape[-1], MODES[mode], level, lo.shape[0],
        lo.data_ptr(), hi.data_ptr(), DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return packed


def waverec(packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor:
    _check_filters(packed, lo, hi)
    packed, lo, hi = _dense(packed), lo.contiguous(), hi.contiguous()
    x = packed.new_empty((*packed.shape[:-1], n))
    _c.waverec(
        packed.data_ptr(), x.data_ptr(), _rows(packed), n, MODES[mode], level, lo.shape[0],
        lo.data_ptr(), hi.data_ptr(), DTYPES[packed.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return x


def transform_backward(
    name: str, grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int, needs: Sequence[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `wavedec` or `waverec` for their first argument and both filters."""
    _check_filters(x, lo, hi)
    grad, x, lo, hi = _dense(grad), _dense(x), lo.contiguous(), hi.contiguous()
    results = tuple(_result(t, needed) for t, needed in zip((x, lo, hi), needs, strict=True))
    getattr(_c, f"{name}_backward")(
        grad.data_ptr(), x.data_ptr(), _rows(x), n, MODES[mode], level, lo.shape[0], lo.data_ptr(), hi.data_ptr(),
        *_wanted(results, needs), DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return results[0], results[1], results[2]


def sandwich(*inputs: Any) -> Tensor:
    """The inputs are those of the operator: x, B, P, G, S, bias, four filters, layout, mode, level."""
    x, tensors, sizes = _sandwich_inputs(inputs)
    y = torch.empty_like(x) if sizes[1] == sizes[2] else x.new_empty((*x.shape[:-1], sizes[2]))
    _c.sandwich(
        x.data_ptr(), y.data_ptr(), *sizes, *map(_address, tensors), DTYPES[x.dtype], torch.get_num_threads()
    )  # fmt: skip
    return y


def sandwich_backward(grad: Tensor, *inputs: Any) -> list[Tensor]:
    """Gradients of x, B, G, S, bias and the four filters, from x alone: the forward pass is recomputed.

    The inputs are those of the operator, and last which gradients are needed.
    """
    *inputs, needs = inputs  # type: ignore[assignment]
    x, tensors, sizes = _sandwich_inputs(inputs)
    _check("grad", grad, sizes[0] * sizes[2], x.dtype)
    grad = _dense(grad)
    sources = (x, *tensors[:2], *tensors[3:])
    results = [_result(x if t is None else t, needed) for t, needed in zip(sources, needs, strict=True)]
    _c.sandwich_backward(
        grad.data_ptr(), x.data_ptr(), *sizes, *map(_address, tensors), *_wanted(results, needs),
        DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return results


def _sandwich_inputs(inputs: Sequence[Any]) -> tuple[Tensor, list[Tensor | None], tuple[int, ...]]:
    """Of the C functions, in their order: x; B, G, P, S, bias and the filters; the sizes."""
    x, diag_in, permutation, diag_mid, diag_out, bias, dec_lo, dec_hi, rec_lo, rec_hi, layout, mode, level = inputs
    in_features, out_features, n, blocks, reduce, wrap = layout
    taps = 0 if dec_lo is None else dec_lo.shape[0]
    if x.shape[-1] != in_features:
        raise ValueError(f"`x` must have a last dimension of {in_features}, got shape {tuple(x.shape)}")
    tensors = [diag_in, diag_mid, permutation, diag_out, bias, dec_lo, dec_hi, rec_lo, rec_hi]
    real, expected = _real(x.dtype), _entries(tuple(layout), mode, level, taps)
    for place, entries in enumerate(expected):
        tensor = tensors[place]
        if tensor is None:
            continue
        dtype = torch.int64 if tensor is permutation else real
        if tensor.numel() != entries or tensor.dtype != dtype or not tensor.is_cpu:  # _check without its call
            _check(_NAMES[place], tensor, entries, dtype)
        if not tensor.is_contiguous():
            tensors[place] = tensor.contiguous()
    x = _dense(x)
    sizes = (_rows(x), in_features, out_features, blocks, n, int(reduce), int(wrap), MODES[mode], level, taps)
    return x, tensors, sizes


@lru_cache(maxsize=256)
def _entries(layout: tuple[int, ...], mode: str, level: int, taps: int) -> tuple[int, ...]:
    """How many entries each of `_NAMES` has."""
    shape = Layout(*layout)  # type: ignore[arg-type]
    m = shape.n if mode == "hadamard" else sum(coeff_lengths(shape.n, taps, mode, level))
    wide, out = shape.blocks * m, shape.out_features
    return (prod(shape.diag_in_shape), wide, wide, out, out, taps, taps, taps, taps)
