"""Transform rows on chip: `periodization` mode, any filters, any number of levels.

The filters have 2*S taps. A row of n samples lies in the first n of N places, N a power of two; a level halves both.
`FLIP` reads the filters backwards, which makes the analysis the adjoint of the synthesis and the other way round.

Notes:
    Even and odd samples are taken apart, so that each tap is a weighted, shifted copy. Shifts are gathers through
    shared memory, K of them in one: the row is stored there once for K copies.
    Packed coefficients `[cA_L, cD_L, ..., cD_1]` keep their padding: level l lies at `N >> l`, not at `n >> l`. For
    widths that are powers of two the two are the same; else `true_place` and `padded_place` translate.
"""

import triton
import triton.language as tl


@triton.jit
def halves(x, R: tl.constexpr, N: tl.constexpr):
    """Return the first and the second half of each row."""
    return tl.split(tl.permute(tl.reshape(x, [R, 2, N // 2]), [0, 2, 1]))


@triton.jit
def concatenate(a, b, R: tl.constexpr, N: tl.constexpr):
    """Invert `halves`."""
    return tl.reshape(tl.permute(tl.join(a, b), [0, 2, 1]), [R, N])


@triton.jit
def take(x, places, R: tl.constexpr, N: tl.constexpr, M: tl.constexpr):
    """Return `x[r, places[r, m]]` for `[R, M]` places, or `[1, M]` for all rows.

    As a gather of one axis on purpose: it goes through shared memory, each value stored and read once. For a matrix the
    compiler brings whole rows into single warps, and then selects among all their registers.
    """
    at = tl.arange(0, R)[:, None] * N + places
    return tl.reshape(tl.gather(tl.reshape(x, [R * N]), tl.reshape(at, [R * M]), 0), [R, M])


@triton.jit
def shifted(x, start, h: tl.constexpr, R: tl.constexpr, H: tl.constexpr, S: tl.constexpr, K: tl.constexpr):
    """Return `[R, K, H]` with `x[r, (m + start + t) mod h]` at `[r, t, m]`; `|start| <= S`."""
    if S == 1:  # the only shift is none
        return tl.reshape(x, [R, 1, H])
    elif H == 1:
        return tl.broadcast_to(tl.reshape(x, [R, 1, 1]), [R, K, 1])
    else:
        UP: tl.constexpr = ((S + h - 1) // h) * h  # the remainder of a negative number would be negative
        i = tl.arange(0, H)[None, :] + ((tl.arange(0, K)[:, None] + (start + UP)) % h)
        i = tl.where(i >= h, i - h, i)
        return tl.reshape(take(x, tl.reshape(i, [1, K * H]), R, H, K * H), [R, K, H])


@triton.jit
def tap(F, j, S: tl.constexpr, FLIP: tl.constexpr):
    """Load filter values, zero outside the filter, `[1, K, 1]`."""
    at = 2 * S - 1 - j if FLIP else j
    return tl.load(F + at, (j >= 0) & (j < 2 * S), 0.0)[None, :, None]


@triton.jit
def split_step(
    even, odd, cA, cD, first, LO, HI, h: tl.constexpr, R: tl.constexpr, H: tl.constexpr, S: tl.constexpr,
    K: tl.constexpr, FLIP: tl.constexpr,
):  # fmt: skip
    """Add K shifts of each phase: `cA[k] += lo[S - 2d] even[k + d] + lo[S - 1 - 2d] odd[k + d]`."""
    t = first + tl.arange(0, K)
    j_even, j_odd = S - 2 * (t - (S - 1) // 2), S - 1 - 2 * (t - S // 2)
    u = shifted(even, first - (S - 1) // 2, h, R, H, S, K)
    v = shifted(odd, first - S // 2, h, R, H, S, K)
    cA += tl.sum(tap(LO, j_even, S, FLIP) * u + tap(LO, j_odd, S, FLIP) * v, 1)
    cD += tl.sum(tap(HI, j_even, S, FLIP) * u + tap(HI, j_odd, S, FLIP) * v, 1)
    return cA, cD, u, v


@triton.jit
def split_level(
    x, LO, HI, R: tl.constexpr, N: tl.constexpr, n: tl.constexpr, S: tl.constexpr, K: tl.constexpr, FLIP: tl.constexpr
):  # fmt: skip
    """Analyse one level: `cA[k] = sum_j lo[j] x[(2k + S - j) mod n]`."""
    H: tl.constexpr = N // 2
    even, odd = tl.split(tl.reshape(x, [R, H, 2]))
    cA = tl.zeros([R, H], x.dtype)
    cD = tl.zeros([R, H], x.dtype)
    for first in tl.range(0, S, K):
        cA, cD, _, _ = split_step(even, odd, cA, cD, first, LO, HI, n // 2, R, H, S, K, FLIP)
    return cA, cD


@triton.jit
def merge_step(
    cA, cD, even, odd, first, LO, HI, h: tl.constexpr, R: tl.constexpr, H: tl.constexpr, S: tl.constexpr,
    K: tl.constexpr, FLIP: tl.constexpr,
):  # fmt: skip
    """Add K shifts of a band: `even[m] += lo[S - 1 - 2d] cA[m + d]`, `odd[m] += lo[S - 2d] cA[m + d]`."""
    t = first + tl.arange(0, K) - S // 2
    u = shifted(cA, first - S // 2, h, R, H, S, K)
    v = shifted(cD, first - S // 2, h, R, H, S, K)
    even += tl.sum(tap(LO, S - 1 - 2 * t, S, FLIP) * u + tap(HI, S - 1 - 2 * t, S, FLIP) * v, 1)
    odd += tl.sum(tap(LO, S - 2 * t, S, FLIP) * u + tap(HI, S - 2 * t, S, FLIP) * v, 1)
    return even, odd, u, v


@triton.jit
def merge_level(
    cA, cD, LO, HI, R: tl.constexpr, N: tl.constexpr, n: tl.constexpr, S: tl.constexpr, K: tl.constexpr,
    FLIP: tl.constexpr,
):  # fmt: skip
    """Synthesise one level: `x[i] = sum_k lo[i + S - 1 - 2k] cA[k] + hi[i + S - 1 - 2k] cD[k]`, periodic."""
    H: tl.constexpr = N // 2
    even = tl.zeros([R, H], cA.dtype)
    odd = tl.zeros([R, H], cA.dtype)
    for first in tl.range(0, S + 1 - S % 2, K):
        even, odd, _, _ = merge_step(cA, cD, even, odd, first, LO, HI, n // 2, R, H, S, K, FLIP)
    return tl.reshape(tl.join(even, odd), [R, N])


@triton.jit
def decompose(
    x, LO, HI, R: tl.constexpr, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr, S: tl.constexpr,
    K: tl.constexpr, FLIP: tl.constexpr,
):  # fmt: skip
    """Return the packed coefficients and the approximations on the way, packed as `[cA_L, cA_L, ..., cA_1]`."""
    if LEVEL == 0:
        return x, x
    else:
        cA, cD = split_level(x, LO, HI, R, N, n, S, K, FLIP)
        packed, coarser = decompose(cA, LO, HI, R, N // 2, n // 2, LEVEL - 1, S, K, FLIP)
        return concatenate(packed, cD, R, N), concatenate(coarser, cA, R, N)


@triton.jit
def reconstruct(
    packed, LO, HI, R: tl.constexpr, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr, S: tl.constexpr,
    K: tl.constexpr, FLIP: tl.constexpr,
):  # fmt: skip
    """Return the signal, and the approximations on the way."""
    if LEVEL == 0:
        return packed, packed
    else:
        rest, cD = halves(packed, R, N)
        cA, coarser = reconstruct(rest, LO, HI, R, N // 2, n // 2, LEVEL - 1, S, K, FLIP)
        return merge_level(cA, cD, LO, HI, R, N, n, S, K, FLIP), concatenate(coarser, cA, R, N)


@triton.jit
def true_place(q, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr):
    """Return the place of padded coefficient q without the padding; at least n for padding."""
    i = tl.where(q < (n >> LEVEL), q, n)
    for depth in tl.static_range(1, LEVEL + 1):
        k = q - (N >> depth)
        i = tl.where((k >= 0) & (k < (n >> depth)), k + (n >> depth), i)
    return i


@triton.jit
def padded_place(i, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr):
    """Invert `true_place`."""
    q = i
    for depth in tl.static_range(1, LEVEL + 1):
        q = tl.where((i >= (n >> depth)) & (i < 2 * (n >> depth)), i - (n >> depth) + (N >> depth), q)
    return q
