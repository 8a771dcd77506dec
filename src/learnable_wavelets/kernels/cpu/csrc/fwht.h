/* Walsh-Hadamard transform of lines: n vectors, n a power of two, transformed across the vectors, not inside them.
 * A tile [n][LANES] is n lines; one long row is n / LANES lines, whose vectors are then transformed inside too. */

/* a - b. Where sums and products have units of their own, a product keeps both busy: -1 times b, unknown to the compiler,
 * which would make a difference of it; the bits are those of a difference. */
LW_INLINE vec NAME(less)(vec a, vec b) {
#ifdef LW_FMA
    vec minus = NAME(zero)() - 1;
    __asm__("" : "+v"(minus));
    return a + b * minus;
#else
    return a - b;
#endif
}

#define BUTTERFLY(a, b)          \
    do {                         \
        vec sum_ = a + b;        \
        b = NAME(less)(a, b);    \
        a = sum_;                \
    } while (0)

/* The transform of `radix` vectors, a constant, at most 16. */
LW_INLINE void NAME(butterflies)(vec *r, const int radix) {
    LW_UNROLL
    for (int i = 0; i < radix / 2; i++) BUTTERFLY(r[2 * i], r[2 * i + 1]);
    LW_UNROLL
    for (int i = 0; i < radix / 4; i++) {
        BUTTERFLY(r[4 * i], r[4 * i + 2]);
        BUTTERFLY(r[4 * i + 1], r[4 * i + 3]);
    }
    LW_UNROLL
    for (int i = 0; i < radix / 8 * 4; i++) BUTTERFLY(r[i / 4 * 8 + i % 4], r[i / 4 * 8 + i % 4 + 4]);
    LW_UNROLL
    for (int i = 0; i < radix / 16 * 8; i++) BUTTERFLY(r[i], r[i + 8]);
}

/* One butterfly: t[0], t[h], ..., t[(radix - 1) h]. */
LW_INLINE void NAME(butterfly)(vec *t, int64_t h, const int radix) {
    vec r[16];
    LW_UNROLL
    for (int i = 0; i < radix; i++) r[i] = t[i * h];
    NAME(butterflies)(r, radix);
    LW_UNROLL
    for (int i = 0; i < radix; i++) t[i * h] = r[i];
}

/* All butterflies of one radix: distance h between the members, `count` starting points from `first` on in each group. */
LW_LOCAL void NAME(radix_pass)(vec *t, int64_t n, int64_t h, int radix) {
    for (int64_t s = 0; s < n; s += radix * h) {
        vec *p = t + s;
        switch (radix) {
#if LW_RADIX >= 16
        case 16:
            for (int64_t j = 0; j < h; j++) NAME(butterfly)(p + j, h, 16);
            break;
#endif
        case 8:
            for (int64_t j = 0; j < h; j++) NAME(butterfly)(p + j, h, 8);
            break;
        case 4:
            for (int64_t j = 0; j < h; j++) NAME(butterfly)(p + j, h, 4);
            break;
        default:
            for (int64_t j = 0; j < h; j++) NAME(butterfly)(p + j, h, 2);
        }
    }
}

/* The radix of the next pass when a factor `rest` is still to do: as few passes as possible, evenly loaded. */
LW_INLINE int NAME(next_radix)(int64_t rest, int largest) {
    if (rest <= largest) return (int)rest;
    if (rest > largest * largest) return largest;
    int r = 2;
    while ((int64_t)r * r < rest) r *= 2;
    return r;
}

/* Lines that stay in the first-level cache with room to spare. */
#ifndef LW_BLOCK_BYTES
#define LW_BLOCK_BYTES 16384
#endif
#define LW_BLOCK (LW_BLOCK_BYTES / (int64_t)sizeof(vec))

/* Distances `from` and up to n, within a block. */
LW_LOCAL void NAME(fwht_near)(vec *t, int64_t n, int64_t from) {
    for (int64_t h = from; h < n;) {
        int radix = NAME(next_radix)(n / h, LW_RADIX);
        NAME(radix_pass)(t, n, h, radix);
        h *= radix;
    }
}

/* The passes that reach further than a block. Lines a large power of two apart share a cache set, which holds at least
 * eight: hence never radix 16 here. */
LW_LOCAL void NAME(fwht_far)(vec *t, int64_t n, int64_t block) {
    for (int64_t h = block; h < n;) {
        int radix = NAME(next_radix)(n / h, 8);
        NAME(radix_pass)(t, n, h, radix);
        h *= radix;
    }
}

LW_LOCAL void NAME(fwht_blocks)(vec *t, int64_t n) {
    int64_t block = lw_min(n, LW_BLOCK);
    for (int64_t s = 0; s < n; s += block) NAME(fwht_near)(t + s, block, 1);
}

LW_LOCAL void NAME(fwht_lines)(vec *t, int64_t n) {
    NAME(fwht_blocks)(t, n);
    NAME(fwht_far)(t, n, lw_min(n, LW_BLOCK));
}
