"""Choose the dtype of a computation."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...] | list[Tensor]


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """Half types, and narrower ones, are computed, and above all summed, in float32."""
    return torch.float32 if dtype.itemsize < 4 else dtype


def full_precision(x: Tensor) -> contextlib.AbstractContextManager[object]:
    """Turn autocast off: its half-precision matrix products would break perfect reconstruction."""
    kind = x.device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind):
        return contextlib.nullcontext()
    return torch.autocast(kind, enabled=False)


def cat(tensors: Tensors, dim: int = 0) -> Tensor:
    """Concatenate, also under autocast, which refuses a half type that is not its own."""
    with full_precision(tensors[0]):
        return torch.cat(tensors, dim)


def stack(tensors: Tensors, dim: int = 0) -> Tensor:
    """Stack, also under autocast, as `cat`."""
    with full_precision(tensors[0]):
        return torch.stack(tensors, dim)
