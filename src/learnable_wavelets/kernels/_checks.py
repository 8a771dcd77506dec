"""What no kernel may guess: that each tensor has the type and the number of entries that the sizes say.

A kernel sees addresses and sizes. A user may have put anything in a parameter's place, and what does not fit would be
read past its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ._layout import Layout
from .reference import coeff_lengths

_NAMES = ("diag_in", "permutation", "diag_mid", "diag_out", "bias", "dec_lo", "dec_hi", "rec_lo", "rec_hi")
_PERMUTATION = 1


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
    layout, filter = tuple(layout), tensors[5]
    if x.shape[-1] != layout[0]:
        raise ValueError(f"`x` must have a last dimension of {layout[0]}, got shape {tuple(x.shape)}")
    taps = 0 if filter is None else filter.shape[0]
    real, device = real_dtype(x.dtype), x.get_device()
    for place, entries in enumerate(_entries(layout, mode, level, taps)):
        tensor = tensors[place]
        if tensor is None:
            continue
        dtype = torch.int64 if place == _PERMUTATION else real
        if tensor.numel() != entries or tensor.dtype != dtype or tensor.get_device() != device:  # without a call
            check(_NAMES[place], tensor, entries, dtype, x)
        if not tensor.is_contiguous():
            tensors[place] = tensor.contiguous()
    return Sandwich(aligned(x), tensors, layout, mode, level, taps)


@lru_cache(maxsize=256)
def _entries(layout: tuple[int, ...], mode: str, level: int, taps: int) -> tuple[int, ...]:
    """How many entries each of `_NAMES` has."""
    shape = Layout(*layout)  # type: ignore[arg-type]
    m = shape.n if mode == "hadamard" else sum(coeff_lengths(shape.n, taps, mode, level))
    wide, out = shape.blocks * m, shape.out_features
    return (prod(shape.diag_in_shape), wide, wide, out, out, taps, taps, taps, taps)


def check(name: str, tensor: Tensor, entries: int, dtype: torch.dtype, like: Tensor) -> None:
    """Raise unless `tensor` has so many entries of this dtype on the device of `like`."""
    if tensor.numel() != entries or tensor.dtype != dtype or tensor.device != like.device:
        got = f"{tensor.numel()} of {tensor.dtype} on {tensor.device}"
        raise ValueError(f"`{name}` must have {entries} entries of {dtype} on {like.device} here, got {got}")


def check_filters(x: Tensor, lo: Tensor, hi: Tensor) -> None:
    for name, tensor in (("lo", lo), ("hi", hi)):
        check(name, tensor, lo.shape[0], real_dtype(x.dtype), x)


def real_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type of the parameters beside data of this type, and of what is computed."""
    return torch.float32 if dtype.itemsize == 2 else dtype


def aligned(x: Tensor) -> Tensor:
    """In one piece, and aligned to its type: a view of foreign memory may begin anywhere."""
    x = x.contiguous()
    return x.clone() if x.data_ptr() % x.element_size() else x
