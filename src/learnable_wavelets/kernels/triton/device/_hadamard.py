"""The Walsh-Hadamard transform of rows on chip, and of columns for widths that do not fit.

Notes:
    Radix 2 with constant geometry: each step adds and subtracts neighbours, and moves the bit that it has done to the
    top of the index. After all steps the order is the old one. The compiler keeps the bits that lie in one thread's
    registers there, so that values cross threads only when those bits are used up: three times for 12 bits at 16
    values a thread, as the code compiled for sm_90 shows, and no more than any other radix would need.

    Why not tensor cores: tf32 keeps 11 of the 24 bits of a float32. Splitting each value in three bfloat16 would be
    exact, as the matrix is of ones, but operands pass through shared memory for every product too, and that traffic,
    not the additions, bounds the kernel: 12 additions a value against some 24 bytes.
"""

import triton
import triton.language as tl


@triton.jit
def hadamard(x, R: tl.constexpr, N: tl.constexpr, BITS: tl.constexpr):
    """Return `x @ H_N`, unnormalised; N = 2**BITS."""
    for _ in tl.static_range(BITS):
        a, b = tl.split(tl.reshape(x, [R, N // 2, 2]))
        x = tl.reshape(tl.permute(tl.join(a + b, a - b), [0, 2, 1]), [R, N])
    return x


@triton.jit
def fwht_rows(X, Y, rows, scale, R: tl.constexpr, N: tl.constexpr, BITS: tl.constexpr, REAL: tl.constexpr):
    """Compute `Y = scale * X @ H_N` for contiguous rows."""
    row = tl.program_id(0) * R + tl.arange(0, R)[:, None]
    at = row.to(tl.int64) * N + tl.arange(0, N)[None, :]
    x = tl.load(X + at, row < rows, 0.0).to(REAL)
    tl.store(Y + at, (hadamard(x, R, N, BITS) * scale).to(Y.dtype.element_ty), row < rows)


@triton.jit
def fwht_columns(
    X, Y, width, N: tl.constexpr, BITS: tl.constexpr, C: tl.constexpr, REAL: tl.constexpr
):  # fmt: skip
    """Transform the middle axis of `(rows, N, width)`, C columns at a time."""
    chunks = width // C
    row = (tl.program_id(0) // chunks).to(tl.int64) * N + tl.arange(0, N)[:, None]
    at = row * width + (tl.program_id(0) % chunks) * C + tl.arange(0, C)[None, :]
    x = tl.trans(tl.load(X + at).to(REAL))
    tl.store(Y + at, tl.trans(hadamard(x, C, N, BITS)).to(Y.dtype.element_ty))
