"""One wavelet level of rows that lie in global memory, for widths that do not fit on chip; `periodization`.

Rows of 2h samples, of h coefficients in each band; `x_row`, `a_row`, `d_row` are the distances between rows.
"""

import triton
import triton.language as tl


@triton.jit
def decompose_level(
    X, LO, HI, A, D, x_row, a_row, d_row, h, M: tl.constexpr, HALF: tl.constexpr, FLIP: tl.constexpr,
    REAL: tl.constexpr,
):  # fmt: skip
    """Compute `cA[k] = sum_j lo[j] x[(2k + HALF - j) mod 2h]`, M coefficients at a time."""
    chunks = tl.cdiv(h, M)
    row = (tl.program_id(0) // chunks).to(tl.int64)
    k = (tl.program_id(0) % chunks) * M + tl.arange(0, M)
    cA = tl.zeros([M], REAL)
    cD = tl.zeros([M], REAL)
    for j in tl.range(0, 2 * HALF):
        i = (2 * k + HALF - j) % (2 * h)
        i = tl.where(i < 0, i + 2 * h, i)
        x = tl.load(X + row * x_row + i, k < h, 0.0).to(REAL)
        at = 2 * HALF - 1 - j if FLIP else j
        cA += tl.load(LO + at) * x
        cD += tl.load(HI + at) * x
    tl.store(A + row * a_row + k, cA.to(A.dtype.element_ty), k < h)
    tl.store(D + row * d_row + k, cD.to(D.dtype.element_ty), k < h)


@triton.jit
def reconstruct_level(
    A, D, LO, HI, X, a_row, d_row, x_row, h, M: tl.constexpr, HALF: tl.constexpr, FLIP: tl.constexpr,
    REAL: tl.constexpr,
):  # fmt: skip
    """Compute `x[i] = sum_k lo[i + HALF - 1 - 2k] cA[k] + hi[i + HALF - 1 - 2k] cD[k]`, M samples at a time."""
    chunks = tl.cdiv(2 * h, M)
    row = (tl.program_id(0) // chunks).to(tl.int64)
    i = (tl.program_id(0) % chunks) * M + tl.arange(0, M)
    x = tl.zeros([M], REAL)
    for shift in tl.range(0, HALF + 1):
        d = shift - HALF // 2
        k = (i // 2 + d) % h
        k = tl.where(k < 0, k + h, k)
        t = HALF - 1 + i % 2 - 2 * d
        at = 2 * HALF - 1 - t if FLIP else t
        a_filter = tl.load(LO + at, (t >= 0) & (t < 2 * HALF), 0.0)
        d_filter = tl.load(HI + at, (t >= 0) & (t < 2 * HALF), 0.0)
        x += a_filter * tl.load(A + row * a_row + k, i < 2 * h, 0.0).to(REAL)
        x += d_filter * tl.load(D + row * d_row + k, i < 2 * h, 0.0).to(REAL)
    tl.store(X + row * x_row + i, x.to(X.dtype.element_ty), i < 2 * h)


@triton.jit
def filter_gradient(
    A, D, X, PARTS, a_row, d_row, x_row, h, rows, M: tl.constexpr, T: tl.constexpr, HALF: tl.constexpr,
    FLIP: tl.constexpr, REAL: tl.constexpr,
):  # fmt: skip
    """Sum `cA[k] x[(2k + HALF - j) mod 2h]` for each tap j, and the same of cD, into `[program, 2, taps]`."""
    chunks = tl.cdiv(h, M)
    j = tl.arange(0, T)[None, :]
    lo = tl.zeros([T], REAL)
    hi = tl.zeros([T], REAL)
    for item in tl.range(tl.program_id(0), rows * chunks, tl.num_programs(0)):
        row = (item // chunks).to(tl.int64)
        k = (item % chunks) * M + tl.arange(0, M)[:, None]
        i = (2 * k + HALF - j) % (2 * h)
        i = tl.where(i < 0, i + 2 * h, i)
        x = tl.load(X + row * x_row + i, (k < h) & (j < 2 * HALF), 0.0).to(REAL)
        lo += tl.sum(tl.load(A + row * a_row + k, k < h, 0.0).to(REAL) * x, 0)
        hi += tl.sum(tl.load(D + row * d_row + k, k < h, 0.0).to(REAL) * x, 0)
    t = tl.arange(0, T)
    at = PARTS + tl.program_id(0) * 4 * HALF + (2 * HALF - 1 - t if FLIP else t)
    tl.store(at, lo, t < 2 * HALF)
    tl.store(at + 2 * HALF, hi, t < 2 * HALF)
