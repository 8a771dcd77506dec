"""Compute the whole layer on chip, `y = scale * S W^-1 G P W B x + bias`: x is read once, y written once.

A program takes R rows of one block at a time. `S` is the diagonal here, `HALF` half the number of taps.
"""

import triton
import triton.language as tl

from ._filter_gradient import decompose_backward, reconstruct_backward, store_filter
from ._hadamard import hadamard
from ._wavelet import decompose, padded_place, reconstruct, take, true_place


@triton.jit
def forward_transform(
    x, LO, HI, R: tl.constexpr, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr, HALF: tl.constexpr,
    K: tl.constexpr, BITS: tl.constexpr, FLIP: tl.constexpr,
):  # fmt: skip
    """Apply W, and return the values that its gradient needs too; Hadamard where there are no taps."""
    if HALF == 0:
        y = hadamard(x, R, N, BITS)
        return y, y
    else:
        return decompose(x, LO, HI, R, N, n, LEVEL, HALF, K, FLIP)


@triton.jit
def inverse_transform(
    x, LO, HI, R: tl.constexpr, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr, HALF: tl.constexpr,
    K: tl.constexpr, BITS: tl.constexpr, FLIP: tl.constexpr,
):  # fmt: skip
    """Apply W^-1, and return the values that its gradient needs too; both scales of Hadamard, 1 / n, are here."""
    if HALF == 0:
        y = hadamard(x, R, N, BITS) * (1.0 / n)
        return y, y
    else:
        return reconstruct(x, LO, HI, R, N, n, LEVEL, HALF, K, FLIP)


@triton.jit
def load_places(P, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr):
    """Load the permutation of one block as places in the padded row, `[1, N]`."""
    i = true_place(tl.arange(0, N)[None, :], N, n, LEVEL)
    return padded_place(tl.load(P + i, i < n, 0).to(tl.int32), N, n, LEVEL)


@triton.jit
def load_first(
    B, block, in_features, N: tl.constexpr, n: tl.constexpr, REDUCE: tl.constexpr, REAL: tl.constexpr
):  # fmt: skip
    q = tl.arange(0, N)[None, :]
    at = block * n + q if REDUCE else q
    return tl.load(B + (at if REDUCE else block * in_features + q), (q < n) & (at < in_features), 0.0).to(REAL)


@triton.jit
def load_middle(
    G, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr, SCALE: tl.constexpr, REAL: tl.constexpr
):  # fmt: skip
    i = true_place(tl.arange(0, N)[None, :], N, n, LEVEL)
    return tl.load(G + i, i < n, 0.0).to(REAL) * SCALE


@triton.jit
def sandwich(
    X, B, P, G, S, BIAS, DEC_LO, DEC_HI, REC_LO, REC_HI, Y, rows, in_features, out_features, blocks, slots,
    R: tl.constexpr, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr, HALF: tl.constexpr, K: tl.constexpr,
    BITS: tl.constexpr, REDUCE: tl.constexpr, TAIL: tl.constexpr, TURNS: tl.constexpr, SINGLE: tl.constexpr,
    HAS_BIAS: tl.constexpr, SCALE: tl.constexpr, REAL: tl.constexpr,
):  # fmt: skip
    """Compute one slot of n outputs for R rows at a time: blocks side by side have one each, summed blocks share one.

    Args beyond the formula's: `TAIL`: outputs of the last block beyond out_features are added to the first slot.
    `TURNS`: outputs beyond out_features of a single slot are wrapped so often. `SINGLE`: every slot has one block, so
    that the parameters stay in registers from tile to tile.
    """
    slot = tl.program_id(0) % slots
    programs = tl.num_programs(0) // slots
    q = tl.arange(0, N)[None, :]
    o = slot * n + q
    writes = (q < n) & (o < out_features)
    s = tl.load(S + o, writes, 0.0).to(REAL)
    if HAS_BIAS:
        bias = tl.load(BIAS + o, writes, 0.0).to(REAL)
    block = 0 if REDUCE else slot
    places = load_places(P + block * n, N, n, LEVEL)
    middle = load_middle(G + block * n, N, n, LEVEL, SCALE, REAL)
    first = load_first(B, block, in_features, N, n, REDUCE, REAL)
    last = (blocks - 1) * n
    for tile in tl.range(tl.program_id(0) // slots, tl.cdiv(rows, R), programs):
        row = tile * R + tl.arange(0, R)[:, None]
        total = tl.zeros([R, N], REAL)
        if SINGLE:
            count = 1
        elif REDUCE:
            count = blocks
        else:
            count = tl.where(slot == 0, 2, 1)
        for turn in tl.range(0, count):
            if not SINGLE:
                block = turn if REDUCE else tl.where(turn == 0, slot, blocks - 1)
                places = load_places(P + block * n, N, n, LEVEL)
                middle = load_middle(G + block * n, N, n, LEVEL, SCALE, REAL)
                first = load_first(B, block, in_features, N, n, REDUCE, REAL)
            at = block * n + q if REDUCE else q
            reads = (row < rows) & (q < n) & (at < in_features)
            x = tl.load(X + row.to(tl.int64) * in_features + at, reads, 0.0).to(REAL)
            c, _ = forward_transform(x * first, DEC_LO, DEC_HI, R, N, n, LEVEL, HALF, K, BITS, False)
            m = take(c, places, R, N, N) * middle
            v, _ = inverse_transform(m, REC_LO, REC_HI, R, N, n, LEVEL, HALF, K, BITS, False)
            if TAIL:
                if turn == 1:
                    behind = q + (out_features - last)
                    v = take(v, tl.minimum(behind, N - 1), R, N, N)
                    v = tl.where(behind < n, v, 0.0)
            total += v
        y = total
        for turn in tl.static_range(1, TURNS):
            behind = q + turn * out_features
            v = take(total, tl.minimum(behind, N - 1), R, N, N)
            y += tl.where(behind < n, v, 0.0)
        y *= s
        if HAS_BIAS:
            y += bias
        tl.store(Y + row.to(tl.int64) * out_features + o, y.to(Y.dtype.element_ty), (row < rows) & writes)


@triton.jit
def sandwich_backward(
    GRAD, X, B, P, INVERSE, G, S, DEC_LO, DEC_HI, REC_LO, REC_HI, DX, PARTS, rows, in_features, out_features, blocks,
    R: tl.constexpr, N: tl.constexpr, n: tl.constexpr, LEVEL: tl.constexpr, HALF: tl.constexpr, K: tl.constexpr,
    BITS: tl.constexpr, REDUCE: tl.constexpr, WRAP: tl.constexpr, C: tl.constexpr, V: tl.constexpr,
    DIAGONALS: tl.constexpr, FILTERS: tl.constexpr, SCALE: tl.constexpr, REAL: tl.constexpr,
):  # fmt: skip
    """Compute the gradients of one block, recomputed from x.

    Those of the parameters are sums over the rows of a program, in PARTS `[programs, blocks, 4*n + 8*HALF]`: of B, G, S
    and bias by position in the block (S and bias not yet wrapped or summed over blocks), then the four filters.
    DX is `[rows, in_features]`, with a leading axis of blocks where several read the same x.
    """
    block = tl.program_id(0) % blocks
    programs = tl.num_programs(0) // blocks
    q = tl.arange(0, N)[None, :]
    o = q if REDUCE else block * n + q
    if WRAP:
        o = o % out_features
    out = (q < n) & (o < out_features)
    at = block * n + q if REDUCE else q
    inside = (q < n) & (at < in_features)
    first = load_first(B, block, in_features, N, n, REDUCE, REAL)
    places = load_places(P + block * n, N, n, LEVEL)
    back = load_places(INVERSE + block * n, N, n, LEVEL)
    middle = load_middle(G + block * n, N, n, LEVEL, SCALE, REAL)
    s = tl.load(S + o, out, 0.0).to(REAL)
    base = DX if REDUCE else DX + block.to(tl.int64) * rows * in_features
    dfirst = tl.zeros([1, N], REAL)
    dmiddle, ds, dbias = dfirst, dfirst, dfirst
    if FILTERS:
        dec_a = tl.zeros([C, K, V], REAL)
        dec_b, dec_c, dec_d, rec_a, rec_b, rec_c, rec_d = dec_a, dec_a, dec_a, dec_a, dec_a, dec_a, dec_a
    for tile in tl.range(tl.program_id(0) // blocks, tl.cdiv(rows, R), programs):
        row = tile * R + tl.arange(0, R)[:, None]
        x = tl.load(X + row.to(tl.int64) * in_features + at, (row < rows) & inside, 0.0).to(REAL)
        grad = tl.load(GRAD + row.to(tl.int64) * out_features + o, (row < rows) & out, 0.0).to(REAL)
        u = x * first
        dv = grad * s
        if DIAGONALS or FILTERS:  # the layer once more
            c, on_way_down = forward_transform(u, DEC_LO, DEC_HI, R, N, n, LEVEL, HALF, K, BITS, False)
            p = take(c, places, R, N, N)
            m = p * middle
            v, on_way_up = inverse_transform(m, REC_LO, REC_HI, R, N, n, LEVEL, HALF, K, BITS, False)
        if FILTERS:
            dm, rec_a, rec_b, rec_c, rec_d = reconstruct_backward(
                dv, m, on_way_up, rec_a, rec_b, rec_c, rec_d, REC_LO, REC_HI, R, N, n, LEVEL, HALF, K, C, V
            )
        else:
            dm, _ = forward_transform(dv, REC_LO, REC_HI, R, N, n, LEVEL, HALF, K, BITS, True)
        dc = take(dm * middle, back, R, N, N)
        if FILTERS:
            du, dec_a, dec_b, dec_c, dec_d = decompose_backward(
                dc, u, on_way_down, dec_a, dec_b, dec_c, dec_d, DEC_LO, DEC_HI, R, N, n, LEVEL, HALF, K, C, V
            )
        else:
            du, _ = inverse_transform(dc, DEC_LO, DEC_HI, R, N, n, LEVEL, HALF, K, BITS, True)
        if DIAGONALS:
            ds += tl.sum(grad * v, 0)[None, :]
            dbias += tl.sum(grad, 0)[None, :]
            dmiddle += tl.sum(dm * p, 0)[None, :]
            dfirst += tl.sum(du * x, 0)[None, :]
        dx = (du * first).to(DX.dtype.element_ty)
        tl.store(base + row.to(tl.int64) * in_features + at, dx, (row < rows) & inside)
    PARTS += tl.program_id(0).to(tl.int64) * (4 * n + 8 * HALF)
    if DIAGONALS:
        i = true_place(q, N, n, LEVEL)
        dmiddle *= SCALE
        if HALF == 0:
            dmiddle *= 1.0 / n
        tl.store(PARTS + q, dfirst, q < n)
        tl.store(PARTS + n + i, dmiddle, i < n)
        tl.store(PARTS + 2 * n + q, ds, q < n)
        tl.store(PARTS + 3 * n + q, dbias, q < n)
    if FILTERS:
        TAPS: tl.constexpr = 2 * HALF
        store_filter(PARTS + 4 * n, dec_a, dec_b, True, HALF, K, C)
        store_filter(PARTS + 4 * n + TAPS, dec_c, dec_d, True, HALF, K, C)
        store_filter(PARTS + 4 * n + 2 * TAPS, rec_a, rec_b, False, HALF, K, C)
        store_filter(PARTS + 4 * n + 3 * TAPS, rec_c, rec_d, False, HALF, K, C)
