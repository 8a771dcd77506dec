"""The adjoints of the transforms together with the gradients of their filters.

A gradient is a sum over rows, positions and levels for each tap. It is kept as `[C, K, V]` (C chunks of K shifts, V
partial sums, so that threads need not meet at every level), one such array for each of lo and hi and for even and odd
samples; `store_filter` adds the V sums up, once a program.
"""

import triton
import triton.language as tl

from ._wavelet import concatenate, halves, merge_step, split_step


@triton.jit
def partial_sums(product, R: tl.constexpr, K: tl.constexpr, H: tl.constexpr, V: tl.constexpr):
    """Reduce `[R, K, H]` to `[1, K, V]`: sums over rows and over all positions but V."""
    if H >= V:
        return tl.sum(tl.sum(tl.reshape(product, [R, K, H // V, V]), 2), 0)[None, :, :]
    else:  # few positions: their sums lie in the first H of V places
        few = tl.sum(product, 0)
        spread = tl.where(tl.arange(0, V // H)[None, :, None] == 0, few[:, None, :], 0.0)
        return tl.reshape(spread, [1, K, V])


@triton.jit
def add_product(
    gradient, chunk, a, shifts, R: tl.constexpr, K: tl.constexpr, H: tl.constexpr, C: tl.constexpr, V: tl.constexpr
):  # fmt: skip
    """Add `sum a[m] shifts[t, m]` in the places of this chunk."""
    sums = partial_sums(a[:, None, :] * shifts, R, K, H, V)
    return gradient + tl.where(tl.arange(0, C)[:, None, None] == chunk, sums, 0.0)


@triton.jit
def masked(x, h: tl.constexpr, H: tl.constexpr):
    """Set padding to zero."""
    return x if h == H else tl.where(tl.arange(0, H)[None, :] < h, x, 0.0)


@triton.jit
def reconstruct_backward(
    dx, packed, approximations, lo_even, lo_odd, hi_even, hi_odd, LO, HI, R: tl.constexpr, N: tl.constexpr,
    n: tl.constexpr, LEVEL: tl.constexpr, S: tl.constexpr, K: tl.constexpr, C: tl.constexpr, V: tl.constexpr,
):  # fmt: skip
    """Return the gradient of the packed coefficients; add to those of the filters; even and odd are samples of dx."""
    if LEVEL == 0:
        return dx, lo_even, lo_odd, hi_even, hi_odd
    else:
        H: tl.constexpr = N // 2
        rest, cD = halves(packed, R, N)
        coarser, cA = halves(approximations, R, N)
        even, odd = tl.split(tl.reshape(dx, [R, H, 2]))
        a, d = masked(cA, n // 2, H), masked(cD, n // 2, H)
        dA = tl.zeros([R, H], dx.dtype)
        dD = tl.zeros([R, H], dx.dtype)
        for first in tl.range(0, S, K):
            dA, dD, u, v = split_step(even, odd, dA, dD, first, LO, HI, n // 2, R, H, S, K, True)
            lo_even = add_product(lo_even, first // K, a, u, R, K, H, C, V)
            lo_odd = add_product(lo_odd, first // K, a, v, R, K, H, C, V)
            hi_even = add_product(hi_even, first // K, d, u, R, K, H, C, V)
            hi_odd = add_product(hi_odd, first // K, d, v, R, K, H, C, V)
        drest, lo_even, lo_odd, hi_even, hi_odd = reconstruct_backward(
            dA, rest, coarser, lo_even, lo_odd, hi_even, hi_odd, LO, HI, R, H, n // 2, LEVEL - 1, S, K, C, V
        )
        return concatenate(drest, dD, R, N), lo_even, lo_odd, hi_even, hi_odd


@triton.jit
def decompose_backward(
    dpacked, x, approximations, lo_even, lo_odd, hi_even, hi_odd, LO, HI, R: tl.constexpr, N: tl.constexpr,
    n: tl.constexpr, LEVEL: tl.constexpr, S: tl.constexpr, K: tl.constexpr, C: tl.constexpr, V: tl.constexpr,
):  # fmt: skip
    """Return the gradient of the signal; add to those of the filters, even and odd meaning the samples of x."""
    if LEVEL == 0:
        return dpacked, lo_even, lo_odd, hi_even, hi_odd
    else:
        H: tl.constexpr = N // 2
        drest, dD = halves(dpacked, R, N)
        coarser, cA = halves(approximations, R, N)
        dA, lo_even, lo_odd, hi_even, hi_odd = decompose_backward(
            drest, cA, coarser, lo_even, lo_odd, hi_even, hi_odd, LO, HI, R, H, n // 2, LEVEL - 1, S, K, C, V
        )
        even, odd = tl.split(tl.reshape(x, [R, H, 2]))
        a, b = masked(even, n // 2, H), masked(odd, n // 2, H)
        deven = tl.zeros([R, H], x.dtype)
        dodd = tl.zeros([R, H], x.dtype)
        for first in tl.range(0, S + 1 - S % 2, K):
            deven, dodd, u, v = merge_step(dA, dD, deven, dodd, first, LO, HI, n // 2, R, H, S, K, True)
            lo_even = add_product(lo_even, first // K, a, u, R, K, H, C, V)
            lo_odd = add_product(lo_odd, first // K, b, u, R, K, H, C, V)
            hi_even = add_product(hi_even, first // K, a, v, R, K, H, C, V)
            hi_odd = add_product(hi_odd, first // K, b, v, R, K, H, C, V)
        return tl.reshape(tl.join(deven, dodd), [R, N]), lo_even, lo_odd, hi_even, hi_odd


@triton.jit
def store_filter(OUT, even, odd, ANALYSIS: tl.constexpr, S: tl.constexpr, K: tl.constexpr, C: tl.constexpr):
    """Write the 2*S taps of one filter: shift t of even and odd samples belongs to these taps (see the steps)."""
    t = tl.arange(0, C)[:, None] * K + tl.arange(0, K)[None, :]
    if ANALYSIS:  # the taps of `merge_step`, read backwards
        d = t - S // 2
        j_even, j_odd = S + 2 * d, S - 1 + 2 * d
    else:  # those of `split_step`, read backwards
        j_even, j_odd = S - 1 + 2 * (t - (S - 1) // 2), S + 2 * (t - S // 2)
    tl.store(OUT + j_even, tl.sum(even, 2), (j_even >= 0) & (j_even < 2 * S))
    tl.store(OUT + j_odd, tl.sum(odd, 2), (j_odd >= 0) & (j_odd < 2 * S))
