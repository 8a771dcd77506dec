/* Walsh-Hadamard transform of lines: n vectors, n a power of two, transformed across the vectors, not inside them.
 * A tile [n][LANES] is n lines; one long row is n / LANES lines, whose vectors are then transformed inside too. */

#define BUTTERFLY(a, b)     \
    do {                    \
        vec sum_ = a + b;   \
        b = a - b;          \
        a = sum_;           \
    } while (0)

LW_INLINE void NAME(radix2)(vec *t, int64_t h) {
    vec a = t[0], b = t[h];
    t[0] = a + b;
    t[h] = a - b;
}

LW_INLINE void NAME(radix4)(vec *t, int64_t h) {
    vec a = t[0], b = t[h], c = t[2 * h], d = t[3 * h];
    BUTTERFLY(a, b);
    BUTTERFLY(c, d);
    t[0] = a + c;
    t[h] = b + d;
    t[2 * h] = a - c;
    t[3 * h] = b - d;
}

/* the 8-point transform of eight named vectors */
#define EIGHT(a, b, c, d, e, f, g, i)                                                          \
    BUTTERFLY(a, b); BUTTERFLY(c, d); BUTTERFLY(e, f); BUTTERFLY(g, i);                        \
    BUTTERFLY(a, c); BUTTERFLY(b, d); BUTTERFLY(e, g); BUTTERFLY(f, i);                        \
    BUTTERFLY(a, e); BUTTERFLY(b, f); BUTTERFLY(c, g); BUTTERFLY(d, i)

LW_INLINE void NAME(radix8)(vec *t, int64_t h) {
    vec a = t[0], b = t[h], c = t[2 * h], d = t[3 * h], e = t[4 * h], f = t[5 * h], g = t[6 * h], i = t[7 * h];
    EIGHT(a, b, c, d, e, f, g, i);
    t[0] = a, t[h] = b, t[2 * h] = c, t[3 * h] = d, t[4 * h] = e, t[5 * h] = f, t[6 * h] = g, t[7 * h] = i;
}

#if LW_RADIX >= 16
LW_INLINE void NAME(radix16)(vec *t, int64_t h) {
    vec *s = t + 8 * h;
    vec a = t[0], b = t[h], c = t[2 * h], d = t[3 * h], e = t[4 * h], f = t[5 * h], g = t[6 * h], i = t[7 * h];
    EIGHT(a, b, c, d, e, f, g, i);
    vec A = s[0], B = s[h], C = s[2 * h], D = s[3 * h], E_ = s[4 * h], F_ = s[5 * h], G = s[6 * h], I_ = s[7 * h];
    EIGHT(A, B, C, D, E_, F_, G, I_);
    BUTTERFLY(a, A); BUTTERFLY(b, B); BUTTERFLY(c, C); BUTTERFLY(d, D);
    BUTTERFLY(e, E_); BUTTERFLY(f, F_); BUTTERFLY(g, G); BUTTERFLY(i, I_);
    t[0] = a, t[h] = b, t[2 * h] = c, t[3 * h] = d, t[4 * h] = e, t[5 * h] = f, t[6 * h] = g, t[7 * h] = i;
    s[0] = A, s[h] = B, s[2 * h] = C, s[3 * h] = D, s[4 * h] = E_, s[5 * h] = F_, s[6 * h] = G, s[7 * h] = I_;
}
#endif

/* One butterfly: t[0], t[h], ..., t[(radix - 1) h]. */
LW_INLINE void NAME(butterfly)(vec *t, int64_t h, int radix) {
    if (radix == 8) NAME(radix8)(t, h);
    else if (radix == 4) NAME(radix4)(t, h);
    else NAME(radix2)(t, h);
}

/* All butterflies of one radix: distance h between the members, `count` starting points from `first` on in each group. */
LW_LOCAL void NAME(radix_pass)(vec *t, int64_t n, int64_t h, int radix) {
    for (int64_t s = 0; s < n; s += radix * h) {
        vec *p = t + s;
        switch (radix) {
#if LW_RADIX >= 16
        case 16:
            for (int64_t j = 0; j < h; j++) NAME(radix16)(p + j, h);
            break;
#endif
        case 8:
            for (int64_t j = 0; j < h; j++) NAME(radix8)(p + j, h);
            break;
        case 4:
            for (int64_t j = 0; j < h; j++) NAME(radix4)(p + j, h);
            break;
        default:
            for (int64_t j = 0; j < h; j++) NAME(radix2)(p + j, h);
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
