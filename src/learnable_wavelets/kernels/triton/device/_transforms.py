"""Kernels of `wavedec` and `waverec` and their gradients, whole rows on chip."""

import triton
import triton.language as tl

from ._filter_gradient import decompose_backward, reconstruct_backward, store_filter
from ._wavelet import decompose, reconstruct, true_place


@triton.jit
def load_signal(X, row, rows, N: tl.constexpr, n: tl.constexpr, REAL: tl.constexpr):
    """Load rows of n samples, zeros behind them."""
    q = tl.arange(0, N)[None, :]
    return tl.load(X + row.to(tl.int64) * n + q, (row < rows) & (q < n), 0.0).to(REAL)


@triton.jit
def load_packed(X, row, rows, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr, REAL: tl.constexpr):
    """Load rows of n coefficients, spread out with the padding of each level."""
    i = true_place(tl.arange(0, N)[None, :], N, n, LEVEL)
    return tl.load(X + row.to(tl.int64) * n + i, (row < rows) & (i < n), 0.0).to(REAL)


@triton.jit
def store_signal(Y, y, row, rows, N: tl.constexpr, n: tl.constexpr):
    q = tl.arange(0, N)[None, :]
    tl.store(Y + row.to(tl.int64) * n + q, y.to(Y.dtype.element_ty), (row < rows) & (q < n))


@triton.jit
def store_packed(Y, y, row, rows, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr):
    i = true_place(tl.arange(0, N)[None, :], N, n, LEVEL)
    tl.store(Y + row.to(tl.int64) * n + i, y.to(Y.dtype.element_ty), (row < rows) & (i < n))


@triton.jit
def transform(
    X, LO, HI, Y, rows, R: tl.constexpr, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr, S: tl.constexpr,
    K: tl.constexpr, FLIP: tl.constexpr, ANALYSIS: tl.constexpr, REAL: tl.constexpr,
):  # fmt: skip
    """Transform a signal to packed coefficients, or back."""
    row = tl.program_id(0) * R + tl.arange(0, R)[:, None]
    if ANALYSIS:
        packed, _ = decompose(load_signal(X, row, rows, N, n, REAL), LO, HI, R, N, n, LEVEL, S, K, FLIP)
        store_packed(Y, packed, row, rows, N, n, LEVEL)
    else:
        x, _ = reconstruct(load_packed(X, row, rows, N, n, LEVEL, REAL), LO, HI, R, N, n, LEVEL, S, K, FLIP)
        store_signal(Y, x, row, rows, N, n)


@triton.jit
def transform_backward(
    GRAD, X, LO, HI, DX, PARTS, rows, R: tl.constexpr, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr,
    S: tl.constexpr, K: tl.constexpr, C: tl.constexpr, V: tl.constexpr, ANALYSIS: tl.constexpr, REAL: tl.constexpr,
):  # fmt: skip
    """Compute the gradient of X row by row; sum those of the filters into PARTS, `[programs, 2, 2*S]`."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    a = tl.zeros([C, K, V], REAL)
    b, c, d = a, a, a
    for tile in tl.range(program, tl.cdiv(rows, R), programs):
        row = tile * R + tl.arange(0, R)[:, None]
        if ANALYSIS:
            grad = load_packed(GRAD, row, rows, N, n, LEVEL, REAL)
            x = load_signal(X, row, rows, N, n, REAL)
            _, kept = decompose(x, LO, HI, R, N, n, LEVEL, S, K, False)
            dx, a, b, c, d = decompose_backward(grad, x, kept, a, b, c, d, LO, HI, R, N, n, LEVEL, S, K, C, V)
            store_signal(DX, dx, row, rows, N, n)
        else:
            grad = load_signal(GRAD, row, rows, N, n, REAL)
            x = load_packed(X, row, rows, N, n, LEVEL, REAL)
            _, kept = reconstruct(x, LO, HI, R, N, n, LEVEL, S, K, False)
            dx, a, b, c, d = reconstruct_backward(grad, x, kept, a, b, c, d, LO, HI, R, N, n, LEVEL, S, K, C, V)
            store_packed(DX, dx, row, rows, N, n, LEVEL)
    store_filter(PARTS + program * 4 * S, a, b, ANALYSIS, S, K, C)
    store_filter(PARTS + program * 4 * S + 2 * S, c, d, ANALYSIS, S, K, C)
