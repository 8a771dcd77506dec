"""Launch the kernels on the device of their data: contiguous tensors in and out."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
import triton
from torch import Tensor

from . import _tiles
from .device import _hadamard, _levels, _transforms

TALLEST = 256  # values of a column that a strided pass takes
COLUMNS = 32  # neighbours that a strided pass takes together: a cache line of 128 bytes
CHUNK = 1024  # values of a level that a program takes
PRODUCTS = 2048  # the same times the taps, for filter gradients


def on(x: Tensor) -> contextlib.AbstractContextManager[Any]:
    """Make the device of x current: Triton launches there."""
    return torch.cuda.device(x.device) if x.is_cuda else contextlib.nullcontext()


def row_count(x: Tensor) -> int:
    return x.numel() // x.shape[-1]


def fwht_rows(x: Tensor, y: Tensor, scale: float) -> None:
    n, rows = x.shape[-1], row_count(x)
    R, N, *size = _tiles.tile(n, rows, x, "forward")
    with on(x):
        _hadamard.fwht_rows[(triton.cdiv(rows, R),)](
            x, y, rows, scale, R=R, N=N, BITS=n.bit_length() - 1, **_tiles.options(x, *size)
        )


def fwht_columns(x: Tensor, y: Tensor) -> None:
    """Transform the middle axis of `(rows, n, width)`; y may be x."""
    rows, n, width = x.shape
    C = min(width, COLUMNS)
    _, _, *size = _tiles.tile(n * C, 1, x, "forward")
    with on(x):
        _hadamard.fwht_columns[(rows * (width // C),)](
            x, y, width, N=n, BITS=n.bit_length() - 1, C=C, **_tiles.options(x, *size)
        )


def transform(x: Tensor, lo: Tensor, hi: Tensor, y: Tensor, level: int, *, flip: bool, analysis: bool) -> None:
    n, rows, half = x.shape[-1], row_count(x), lo.shape[0] // 2
    R, N, *size = _tiles.tile(n, rows, x, "forward")
    with on(x):
        _transforms.transform[(triton.cdiv(rows, R),)](
            x, lo, hi, y, rows, R=R, N=N, n=n, LEVEL=level, S=half, K=_tiles.shifts(half)[0], FLIP=flip,
            ANALYSIS=analysis, **_tiles.options(x, *size),
        )  # fmt: skip


def transform_backward(
    grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, dx: Tensor, level: int, *, analysis: bool
) -> Tensor:
    """Write dx; return the gradients of lo and hi, `(2, taps)`."""
    n, rows, half = x.shape[-1], row_count(x), lo.shape[0] // 2
    size = _tiles.tile(n, rows, x, "backward")
    K, C = _tiles.shifts(half)
    count = _tiles.programs(triton.cdiv(rows, size.R), size, x.device)
    parts = lo.new_empty(count, 2, 2 * half)
    with on(x):
        _transforms.transform_backward[(count,)](
            grad, x, lo, hi, dx, parts, rows, R=size.R, N=size.N, n=n, LEVEL=level, S=half, K=K, C=C,
            V=_tiles.partial_sums(half, size.warps), ANALYSIS=analysis, **_tiles.options(x, *size[2:]),
        )  # fmt: skip
    return parts.sum(0)


def decompose_level(x: Tensor, lo: Tensor, hi: Tensor, cA: Tensor, cD: Tensor, *, flip: bool) -> None:
    """Transform one level; every argument is a matrix whose rows are contiguous."""
    rows, h = cA.shape
    with on(x):
        _levels.decompose_level[(rows * triton.cdiv(h, CHUNK),)](
            x, lo, hi, cA, cD, x.stride(0), cA.stride(0), cD.stride(0), h, M=CHUNK, HALF=lo.shape[0] // 2, FLIP=flip,
            **_tiles.options(x, 4),
        )  # fmt: skip


def reconstruct_level(cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, x: Tensor, *, flip: bool) -> None:
    rows, h = cA.shape
    with on(x):
        _levels.reconstruct_level[(rows * triton.cdiv(2 * h, CHUNK),)](
            cA, cD, lo, hi, x, cA.stride(0), cD.stride(0), x.stride(0), h, M=CHUNK, HALF=lo.shape[0] // 2, FLIP=flip,
            **_tiles.options(x, 4),
        )  # fmt: skip


def filter_gradient(cA: Tensor, cD: Tensor, x: Tensor, taps: int, *, flip: bool) -> Tensor:
    """Return the gradients of lo and hi, `(2, taps)`, from the bands and the signal; flipped: of the synthesis."""
    rows, h = cA.shape
    T = triton.next_power_of_2(taps)
    M = max(1, PRODUCTS // T)
    count = min(rows * triton.cdiv(h, M), 8 * _tiles.multiprocessors(x.device))
    parts = torch.empty(count, 2, taps, dtype=_tiles.real_dtype(x), device=x.device)
    with on(x):
        _levels.filter_gradient[(count,)](
            cA, cD, x, parts, cA.stride(0), cD.stride(0), x.stride(0), h, rows, M=M, T=T, HALF=taps // 2, FLIP=flip,
            **_tiles.options(x, 4),
        )  # fmt: skip
    return parts.sum(0)
