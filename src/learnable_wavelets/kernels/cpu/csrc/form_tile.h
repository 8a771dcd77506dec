/* Between memory and tiles. A tile holds LANES rows side by side: line i is column i of those rows. */

/* Every loop over `r` has a constant count and is unrolled: `r` then stays in registers. */
LW_INLINE void NAME(tile_load_io)(const void *x, const int bf16, int64_t ld, int64_t row, int nrows, int64_t col,
                                  int64_t cols, const T *B, vec *t, int64_t n, T *colsum, const int hadamard) {
    int64_t base = row * ld + col, c = 0;
    for (; c < cols; c += LANES) {
        vec r[LANES];
        if (c + LANES > cols) { /* the last columns once more, or one by one */
            if (cols < LANES || colsum || hadamard) break;
            c = cols - LANES;
        }
        if (nrows == LANES) {
            LW_UNROLL
            for (int i = 0; i < LANES; i++) r[i] = NAME(load)(x, base + i * ld + c, bf16);
        } else {
            LW_UNROLL
            for (int i = 0; i < LANES; i++) r[i] = i < nrows ? NAME(load)(x, base + i * ld + c, bf16) : NAME(zero)();
        }
        if (colsum) {
            vec s = r[0];
            LW_UNROLL
            for (int i = 1; i < LANES; i++) s += r[i];
            NAME(storeu)(colsum + c, NAME(loadu)(colsum + c) + s);
        }
        if (B) {
            vec b = NAME(loadu)(B + c);
            LW_UNROLL
            for (int i = 0; i < LANES; i++) r[i] *= b;
        }
        NAME(transpose)(r);
        if (hadamard) NAME(butterflies)(r, LANES);
        LW_UNROLL
        for (int i = 0; i < LANES; i++) t[c + i] = r[i];
    }
    if (c < cols) {
        int64_t rest = cols - c;
        vec r[LANES], b = B ? NAME(load_part)(B, c, rest, 0) : NAME(zero)(), s = NAME(zero)();
        for (int i = 0; i < LANES; i++) {
            r[i] = i < nrows ? NAME(load_part)(x, base + i * ld + c, rest, bf16) : NAME(zero)();
            s += r[i];
            if (B) r[i] *= b;
        }
        if (colsum) NAME(store_part)(colsum, c, s + NAME(load_part)(colsum, c, rest, 0), rest, 0);
        NAME(transpose)(r);
        if (hadamard) NAME(butterflies)(r, LANES), rest = LANES;
        for (int i = 0; i < rest; i++) t[c + i] = r[i];
        c += rest;
    }
    for (c = lw_max(c, cols); c < n; c++) t[c] = NAME(zero)();
}

/* t[i] = x[row.., col + i] * B[i] for i < cols, zero up to n; colsum[i] += the sum of x over the rows. B, colsum: or NULL */
LW_LOCAL void NAME(load_tile)(const void *x, int bf16, int64_t ld, int64_t row, int nrows, int64_t col, int64_t cols,
                              const T *B, vec *t, int64_t n, T *colsum) {
    if (bf16)
        NAME(tile_load_io)(x, 1, ld, row, nrows, col, cols, B, t, n, colsum, 0);
    else
        NAME(tile_load_io)(x, 0, ld, row, nrows, col, cols, B, t, n, colsum, 0);
}

LW_INLINE void NAME(tile_store_io)(const vec *t, int64_t cols, const T *S, const T *bias, void *y, const int bf16,
                                   int64_t ld, int64_t row, int nrows, int64_t col, const int hadamard) {
    int64_t base = row * ld + col, c = 0;
    for (; c < cols; c += LANES) {
        vec r[LANES];
        if (c + LANES > cols) {
            if (cols < LANES || hadamard) break;
            c = cols - LANES;
        }
        vec b = bias ? NAME(loadu)(bias + c) : NAME(zero)();
        LW_UNROLL
        for (int i = 0; i < LANES; i++) r[i] = t[c + i];
        if (hadamard) NAME(butterflies)(r, LANES);
        NAME(transpose)(r);
        if (S) {
            vec s = NAME(loadu)(S + c);
            LW_UNROLL
            for (int i = 0; i < LANES; i++) r[i] = r[i] * s + b;
        }
        if (nrows == LANES) {
            LW_UNROLL
            for (int i = 0; i < LANES; i++) NAME(store)(y, base + i * ld + c, r[i], bf16);
        } else {
            LW_UNROLL
            for (int i = 0; i < LANES; i++)
                if (i < nrows) NAME(store)(y, base + i * ld + c, r[i], bf16);
        }
    }
    if (c < cols) {
        int64_t rest = cols - c;
        vec r[LANES], s = NAME(zero)() + 1, b = bias ? NAME(load_part)(bias, c, rest, 0) : NAME(zero)();
        if (S) s = NAME(load_part)(S, c, rest, 0);
        for (int i = 0; i < LANES; i++) r[i] = hadamard || i < rest ? t[c + i] : NAME(zero)();
        if (hadamard) NAME(butterflies)(r, LANES);
        NAME(transpose)(r);
        for (int i = 0; i < nrows; i++) NAME(store_part)(y, base + i * ld + c, r[i] * s + b, rest, bf16);
    }
}

/* y[row.., col + i] = S[i] * t[i] + bias[i] for i < cols; S, bias: or NULL (bias only beside S) */
LW_LOCAL void NAME(store_tile)(const vec *t, int64_t cols, const T *S, const T *bias, void *y, int bf16, int64_t ld,
                               int64_t row, int nrows, int64_t col) {
    if (bf16)
        NAME(tile_store_io)(t, cols, S, bias, y, 1, ld, row, nrows, col, 0);
    else
        NAME(tile_store_io)(t, cols, S, bias, y, 0, ld, row, nrows, col, 0);
}

LW_LOCAL void NAME(gather_tile)(const vec *c, const int64_t *perm, const T *G, vec *z, int64_t m) {
    for (int64_t i = 0; i < m; i++) z[i] = c[perm[i]] * G[i];
}

/* to[i..] += the sums over the lanes of a[i] * b[..], LANES lines at a time */
LW_INLINE void NAME(add_sums)(vec *products, T *to, int64_t count) {
    vec s = NAME(sums)(products);
    if (count >= LANES)
        NAME(storeu)(to, NAME(loadu)(to) + s);
    else
        NAME(store_part)(to, 0, s + NAME(load_part)(to, 0, count, 0), count, 0);
}

/* Of z[i] = c[perm[i]] G[i] scale: gG, summed over the rows. */
LW_LOCAL void NAME(gather_back_tile)(const vec *gz, const vec *c, const int64_t *perm, T scale, int64_t m, T *gG) {
    vec weight = NAME(zero)() + scale;
    for (int64_t i = 0; i < m; i += LANES) {
        vec p[LANES];
        if (i + LANES <= m) {
            LW_UNROLL
            for (int l = 0; l < LANES; l++) p[l] = gz[i + l] * c[perm[i + l]] * weight;
        } else {
            for (int l = 0; l < LANES; l++) {
                p[l] = NAME(zero)();
                if (i + l < m) p[l] = gz[i + l] * c[perm[i + l]] * weight;
            }
        }
        NAME(add_sums)(p, gG + i, m - i);
    }
}

/* For lines i < count: gS[i] += sum over the rows of gy[i] u[i], then u[i] = S[i] gy[i]. gS: or NULL */
LW_LOCAL void NAME(scale_back_tile)(const vec *gy, vec *u, int64_t count, const T *S, T *gS) {
    for (int64_t i = 0; i < count; i += LANES) {
        vec p[LANES];
        if (i + LANES <= count) {
            LW_UNROLL
            for (int l = 0; l < LANES; l++) {
                vec g = gy[i + l];
                p[l] = g * u[i + l];
                u[i + l] = g * S[i + l];
            }
        } else {
            for (int l = 0; l < LANES; l++) {
                p[l] = NAME(zero)();
                if (i + l >= count) continue;
                p[l] = gy[i + l] * u[i + l];
                u[i + l] = gy[i + l] * S[i + l];
            }
        }
        if (gS) NAME(add_sums)(p, gS + i, count - i);
    }
}

/* The rows of one group of LANES columns, `at` the place of the first; all of them where `whole`. */
LW_INLINE void NAME(input_back_group)(const vec *gh, int64_t rest, const T *B, const void *x, void *gx, const int bf16,
                                      int64_t ld, int64_t at, int nrows, T *gB, T *acc, int first, int last,
                                      const int hadamard, const int whole) {
    vec r[LANES], sum = NAME(zero)(), b = whole ? NAME(loadu)(B) : NAME(load_part)(B, 0, rest, 0);
    LW_UNROLL
    for (int i = 0; i < LANES; i++) r[i] = whole || hadamard || i < rest ? gh[i] : NAME(zero)();
    if (hadamard) NAME(butterflies)(r, LANES);
    NAME(transpose)(r);
    if (gB) {
        LW_UNROLL
        for (int i = 0; i < LANES; i++)
            if (whole)
                sum += r[i] * NAME(load)(x, at + i * ld, bf16);
            else if (i < nrows)
                sum += r[i] * NAME(load_part)(x, at + i * ld, rest, bf16);
        if (whole)
            NAME(storeu)(gB, NAME(loadu)(gB) + sum);
        else
            NAME(store_part)(gB, 0, NAME(load_part)(gB, 0, rest, 0) + sum, rest, 0);
    }
    LW_UNROLL
    for (int i = 0; i < LANES; i++) {
        if (!gx || (!whole && i >= nrows)) continue;
        T *kept = acc + i * LANES; /* only touched when there are several blocks */
        vec g = r[i] * b;
        if (!first) g += NAME(loadu)(kept);
        if (!last)
            NAME(storeu)(kept, g);
        else if (whole)
            NAME(store)(gx, at + i * ld, g, bf16);
        else
            NAME(store_part)(gx, at + i * ld, g, rest, bf16);
    }
}

LW_INLINE void NAME(input_back_io)(const vec *gh, int64_t cols, const T *B, const void *x, void *gx, const int bf16,
                                   int64_t ld, int64_t row, int nrows, int64_t col, T *gB, T *acc, int first, int last,
                                   const int hadamard) {
    for (int64_t c = 0; c < cols; c += LANES) {
        int64_t rest = lw_min(cols - c, LANES), at = row * ld + col + c;
        T *gB_here = gB ? gB + c : NULL, *kept = acc + c * LANES;
        if (rest < LANES || nrows < LANES)
            NAME(input_back_group)(gh + c, rest, B + c, x, gx, bf16, ld, at, nrows, gB_here, kept, first, last, hadamard, 0);
        else if (first && last)
            NAME(input_back_group)(gh + c, rest, B + c, x, gx, bf16, ld, at, LANES, gB_here, kept, 1, 1, hadamard, 1);
        else
            NAME(input_back_group)(gh + c, rest, B + c, x, gx, bf16, ld, at, LANES, gB_here, kept, first, last, hadamard, 1);
    }
}

/* Of h[i] = B[i] x[row.., col + i]: gB summed over the rows; gx summed in `acc` from the first to the last block. */
LW_LOCAL void NAME(input_back_tile)(const vec *gh, int64_t cols, const T *B, const void *x, void *gx, int bf16, int64_t ld,
                                    int64_t row, int nrows, int64_t col, T *gB, T *acc, int first, int last) {
    if (bf16)
        NAME(input_back_io)(gh, cols, B, x, gx, 1, ld, row, nrows, col, gB, acc, first, last, 0);
    else
        NAME(input_back_io)(gh, cols, B, x, gx, 0, ld, row, nrows, col, gB, acc, first, last, 0);
}

LW_LOCAL void NAME(add_tile)(vec *to, const vec *from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

LW_LOCAL void NAME(hadamard_tile)(vec *t, int64_t n) { NAME(fwht_lines)(t, n); }

/* load_tile, then the transform: each block while it is in the first-level cache, its first stages in registers. */
LW_LOCAL void NAME(load_hadamard_tile)(const void *x, int bf16, int64_t ld, int64_t row, int nrows, int64_t col,
                                       int64_t cols, const T *B, vec *t, int64_t n) {
    int64_t block = lw_min(n, LW_BLOCK);
    for (int64_t s = 0; s < n; s += block) {
        int64_t here = lw_max(0, lw_min(block, cols - s));
        if (n < LANES)
            NAME(load_tile)(x, bf16, ld, row, nrows, col, here, B, t, n, NULL);
        else if (bf16)
            NAME(tile_load_io)(x, 1, ld, row, nrows, col + s, here, B + s, t + s, block, NULL, 1);
        else
            NAME(tile_load_io)(x, 0, ld, row, nrows, col + s, here, B + s, t + s, block, NULL, 1);
        NAME(fwht_near)(t + s, block, n < LANES ? 1 : LANES);
    }
    NAME(fwht_far)(t, n, block);
}

LW_INLINE void NAME(gather_butterfly)(const vec *c, const int64_t *perm, const T *G, vec *z, int64_t h, const int radix) {
    for (int64_t j = 0; j < h; j++) {
        vec r[16];
        LW_UNROLL
        for (int i = 0; i < radix; i++) r[i] = c[perm[j + i * h]] * G[j + i * h];
        NAME(butterflies)(r, radix);
        LW_UNROLL
        for (int i = 0; i < radix; i++) z[j + i * h] = r[i];
    }
}

/* gather_tile, then the passes that `hadamard_near` and `hadamard_store` leave: those further than LANES in one block, or
 * than a block. The first of them takes the lines as they come in. */
LW_LOCAL void NAME(gather_far_tile)(const vec *c, const int64_t *perm, const T *G, vec *z, int64_t n) {
    int64_t from = n <= LW_BLOCK ? LANES : LW_BLOCK;
    if (n <= from) {
        NAME(gather_tile)(c, perm, G, z, n);
        return;
    }
    int radix = NAME(next_radix)(n / from, n <= LW_BLOCK ? LW_RADIX : 8);
    int64_t h = n / radix;
    switch (radix) {
#if LW_RADIX >= 16
    case 16: NAME(gather_butterfly)(c, perm, G, z, h, 16); break;
#endif
    case 8: NAME(gather_butterfly)(c, perm, G, z, h, 8); break;
    case 4: NAME(gather_butterfly)(c, perm, G, z, h, 4); break;
    default: NAME(gather_butterfly)(c, perm, G, z, h, 2);
    }
    for (int64_t s = 0; s < n; s += h) {
        if (n <= LW_BLOCK)
            NAME(fwht_near)(z + s, h, LANES);
        else
            NAME(fwht_far)(z + s, h, from);
    }
}

/* What gather_far leaves of a block, but for the stages within LANES lines. */
LW_INLINE void NAME(middle)(vec *t, int64_t n, int64_t block) {
    if (n > LW_BLOCK) NAME(fwht_near)(t, block, LANES);
}

LW_LOCAL void NAME(hadamard_near_tile)(vec *t, int64_t n) {
    int64_t block = lw_min(n, LW_BLOCK);
    for (int64_t s = 0; s < n; s += block) {
        NAME(middle)(t + s, n, block);
        if (n < LANES)
            NAME(fwht_near)(t, n, 1);
        else
            for (int64_t i = s; i < s + block; i += LANES) NAME(butterfly)(t + i, 1, LANES);
    }
}

/* hadamard_near_tile, then store_tile, block by block. */
LW_LOCAL void NAME(hadamard_store_tile)(vec *t, int64_t n, int64_t cols, const T *S, const T *bias, void *y, int bf16,
                                        int64_t ld, int64_t row, int nrows) {
    int64_t block = lw_min(n, LW_BLOCK);
    if (n < LANES) {
        NAME(fwht_near)(t, n, 1);
        NAME(store_tile)(t, cols, S, bias, y, bf16, ld, row, nrows, 0);
        return;
    }
    for (int64_t s = 0; s < cols; s += block) {
        const T *bias_here = bias ? bias + s : NULL;
        int64_t here = lw_min(block, cols - s);
        NAME(middle)(t + s, n, block);
        if (bf16)
            NAME(tile_store_io)(t + s, here, S + s, bias_here, y, 1, ld, row, nrows, s, 1);
        else
            NAME(tile_store_io)(t + s, here, S + s, bias_here, y, 0, ld, row, nrows, s, 1);
    }
}

/* A recurrent step works on whole vectors: as many as there are lines, each with one parameter. */
LW_INLINE int64_t NAME(vectors_tile)(int64_t n) { return n; }
LW_INLINE vec NAME(parameter_tile)(const T *p, int64_t i) { return NAME(zero)() + p[i]; }

/* The rows from `first` on take the values of `from`, or zero for NULL: their sequences have ended, or not begun. */
LW_LOCAL void NAME(replace_tile)(vec *to, const vec *from, int64_t n, int first) {
    NAME(word) lanes[LANES];
    words mask;
    for (int l = 0; l < LANES; l++) lanes[l] = l < first ? ~(NAME(word))0 : 0;
    memcpy(&mask, lanes, sizeof mask);
    for (int64_t i = 0; i < n; i++) to[i] = NAME(choose)(mask, to[i], from ? from[i] : NAME(zero)());
}

/* to[i] += the sum of line i over the rows, times `scale` */
LW_LOCAL void NAME(add_lines_tile)(const vec *from, int64_t count, T scale, T *to) {
    for (int64_t i = 0; i < count; i++) to[i] += NAME(sum)(from[i]) * scale;
}

LW_INLINE int NAME(rows_tile)(void) { return LANES; }
LW_INLINE vec NAME(value_tile)(const vec *x, int64_t i) { return x[i]; }

/* The sum of from[i] p[i]. */
LW_LOCAL vec NAME(weighted_tile)(const vec *from, const T *p, int64_t n) {
    vec s[4] = {NAME(zero)(), NAME(zero)(), NAME(zero)(), NAME(zero)()};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        LW_UNROLL
        for (int l = 0; l < 4; l++) s[l] += from[i + l] * p[i + l];
    }
    for (; i < n; i++) s[0] += from[i] * p[i];
    return s[0] + s[1] + (s[2] + s[3]);
}

/* gW[j * ld + i] += the sum over the rows of g[i] x[row, j], and of g[i] for j = inputs */
LW_LOCAL void NAME(add_outer_tile)(const vec *g, int64_t n, const T *x, int64_t inputs, int nrows, T *gW, int64_t ld) {
    for (int64_t i = 0; i < n; i += LANES, gW += LANES) {
        vec r[LANES], s = NAME(zero)();
        for (int l = 0; l < LANES; l++) r[l] = i + l < n ? g[i + l] : NAME(zero)();
        NAME(transpose)(r);
        for (int64_t j = 0; j < inputs; j++) {
            vec sum = NAME(loadu)(gW + j * ld);
            if (nrows == LANES) {
                LW_UNROLL
                for (int l = 0; l < LANES; l++) sum += r[l] * x[l * inputs + j];
            } else {
                for (int l = 0; l < nrows; l++) sum += r[l] * x[l * inputs + j];
            }
            NAME(storeu)(gW + j * ld, sum);
        }
        for (int l = 0; l < nrows; l++) s += r[l];
        NAME(storeu)(gW + inputs * ld, NAME(loadu)(gW + inputs * ld) + s);
    }
}
