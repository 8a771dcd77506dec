/* Between memory and tiles. A tile holds LANES rows side by side: line i is column i of those rows. */

LW_INLINE void NAME(tile_load_io)(const void *x, const int bf16, int64_t ld, int64_t row, int nrows, int64_t col,
                                  int64_t cols, const T *B, vec *t, int64_t n, T *colsum) {
    int64_t base = row * ld + col, c = 0;
    vec r[LANES];
    for (; c < cols; c += LANES) {
        if (c + LANES > cols) { /* the last columns once more, or one by one */
            if (cols < LANES || colsum) break;
            c = cols - LANES;
        }
        if (nrows == LANES) {
            LW_UNROLL
            for (int i = 0; i < LANES; i++) r[i] = NAME(load)(x, base + i * ld + c, bf16);
        } else {
            for (int i = 0; i < LANES; i++) r[i] = i < nrows ? NAME(load)(x, base + i * ld + c, bf16) : NAME(zero)();
        }
        if (colsum) {
            vec s = r[0];
            for (int i = 1; i < LANES; i++) s += r[i];
            NAME(storeu)(colsum + c, NAME(loadu)(colsum + c) + s);
        }
        if (B) {
            vec b = NAME(loadu)(B + c);
            LW_UNROLL
            for (int i = 0; i < LANES; i++) r[i] *= b;
        }
        NAME(transpose)(r);
        LW_UNROLL
        for (int i = 0; i < LANES; i++) t[c + i] = r[i];
    }
    if (c < cols) {
        int64_t rest = cols - c;
        vec b = B ? NAME(load_part)(B, c, rest, 0) : NAME(zero)();
        vec s = NAME(zero)();
        for (int i = 0; i < LANES; i++) {
            r[i] = i < nrows ? NAME(load_part)(x, base + i * ld + c, rest, bf16) : NAME(zero)();
            s += r[i];
            if (B) r[i] *= b;
        }
        if (colsum) NAME(store_part)(colsum, c, s + NAME(load_part)(colsum, c, rest, 0), rest, 0);
        NAME(transpose)(r);
        for (int i = 0; i < rest; i++) t[c + i] = r[i];
    }
    for (c = cols; c < n; c++) t[c] = NAME(zero)();
}

/* t[i] = x[row.., col + i] * B[i] for i < cols, zero up to n; colsum[i] += the sum of x over the rows. B, colsum: or NULL */
LW_LOCAL void NAME(load_tile)(const void *x, int bf16, int64_t ld, int64_t row, int nrows, int64_t col, int64_t cols,
                              const T *B, vec *t, int64_t n, T *colsum) {
    if (bf16)
        NAME(tile_load_io)(x, 1, ld, row, nrows, col, cols, B, t, n, colsum);
    else
        NAME(tile_load_io)(x, 0, ld, row, nrows, col, cols, B, t, n, colsum);
}

LW_INLINE void NAME(tile_store_io)(const vec *t, int64_t cols, const T *S, const T *bias, void *y, const int bf16,
                                   int64_t ld, int64_t row, int nrows, int64_t col) {
    int64_t base = row * ld + col, c = 0;
    vec r[LANES];
    for (; c < cols; c += LANES) {
        if (c + LANES > cols) {
            if (cols < LANES) break;
            c = cols - LANES;
        }
        vec b = bias ? NAME(loadu)(bias + c) : NAME(zero)();
        LW_UNROLL
        for (int i = 0; i < LANES; i++) r[i] = t[c + i];
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
            for (int i = 0; i < nrows; i++) NAME(store)(y, base + i * ld + c, r[i], bf16);
        }
    }
    if (c < cols) {
        int64_t rest = cols - c;
        vec s = NAME(zero)() + 1;
        if (S) s = NAME(load_part)(S, c, rest, 0);
        vec b = bias ? NAME(load_part)(bias, c, rest, 0) : NAME(zero)();
        for (int i = 0; i < LANES; i++) r[i] = i < rest ? t[c + i] : NAME(zero)();
        NAME(transpose)(r);
        for (int i = 0; i < nrows; i++) NAME(store_part)(y, base + i * ld + c, r[i] * s + b, rest, bf16);
    }
}

/* y[row.., col + i] = S[i] * t[i] + bias[i] for i < cols; S, bias: or NULL (bias only beside S) */
LW_LOCAL void NAME(store_tile)(const vec *t, int64_t cols, const T *S, const T *bias, void *y, int bf16, int64_t ld,
                               int64_t row, int nrows, int64_t col) {
    if (bf16)
        NAME(tile_store_io)(t, cols, S, bias, y, 1, ld, row, nrows, col);
    else
        NAME(tile_store_io)(t, cols, S, bias, y, 0, ld, row, nrows, col);
}

LW_LOCAL void NAME(gather_tile)(const vec *c, const int64_t *perm, const T *G, T scale, vec *z, int64_t m) {
    for (int64_t i = 0; i < m; i++) z[i] = c[perm[i]] * (G[i] * scale);
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

LW_INLINE void NAME(input_back_io)(const vec *gh, int64_t cols, const T *B, const void *x, void *gx, const int bf16,
                                   int64_t ld, int64_t row, int nrows, int64_t col, T *gB, T *acc, int first, int last) {
    for (int64_t c = 0; c < cols; c += LANES) {
        int64_t rest = cols - c;
        int whole = rest >= LANES;
        vec r[LANES], sum = NAME(zero)();
        vec b = whole ? NAME(loadu)(B + c) : NAME(load_part)(B, c, rest, 0);
        if (whole) {
            LW_UNROLL
            for (int i = 0; i < LANES; i++) r[i] = gh[c + i];
        } else {
            for (int i = 0; i < LANES; i++) r[i] = i < rest ? gh[c + i] : NAME(zero)();
        }
        NAME(transpose)(r);
        for (int i = 0; gB && i < nrows; i++) {
            int64_t at = (row + i) * ld + col + c;
            sum += r[i] * (whole ? NAME(load)(x, at, bf16) : NAME(load_part)(x, at, rest, bf16));
        }
        if (gB && whole) NAME(storeu)(gB + c, NAME(loadu)(gB + c) + sum);
        if (gB && !whole) NAME(store_part)(gB, c, NAME(load_part)(gB, c, rest, 0) + sum, rest, 0);
        for (int i = 0; gx && i < nrows; i++) {
            int64_t at = (row + i) * ld + col + c;
            T *kept = acc + (c * LANES + i * LANES); /* only touched when there are several blocks */
            vec g = r[i] * b;
            if (!first) g += NAME(loadu)(kept);
            if (!last)
                NAME(storeu)(kept, g);
            else if (whole)
                NAME(store)(gx, at, g, bf16);
            else
                NAME(store_part)(gx, at, g, rest, bf16);
        }
    }
}

/* Of h[i] = B[i] x[row.., col + i]: gB summed over the rows; gx summed in `acc` from the first to the last block. */
LW_LOCAL void NAME(input_back_tile)(const vec *gh, int64_t cols, const T *B, const void *x, void *gx, int bf16, int64_t ld,
                                    int64_t row, int nrows, int64_t col, T *gB, T *acc, int first, int last) {
    if (bf16)
        NAME(input_back_io)(gh, cols, B, x, gx, 1, ld, row, nrows, col, gB, acc, first, last);
    else
        NAME(input_back_io)(gh, cols, B, x, gx, 0, ld, row, nrows, col, gB, acc, first, last);
}

LW_LOCAL void NAME(add_tile)(vec *to, const vec *from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

LW_LOCAL void NAME(hadamard_tile)(vec *t, int64_t n) { NAME(fwht_lines)(t, n); }

/* load_tile, then the transform: each block while it is in the first-level cache. */
LW_LOCAL void NAME(load_hadamard_tile)(const void *x, int bf16, int64_t ld, int64_t row, int nrows, int64_t col,
                                       int64_t cols, const T *B, vec *t, int64_t n) {
    int64_t block = lw_min(n, LW_BLOCK);
    for (int64_t s = 0; s < n; s += block) {
        NAME(load_tile)(x, bf16, ld, row, nrows, col + s, lw_max(0, lw_min(block, cols - s)), B + s, t + s, block, NULL);
        NAME(fwht_near)(t + s, block, 1);
    }
    NAME(fwht_far)(t, n, block);
}

/* gather_tile, then the passes further than a block; the first of them takes the lines as they come in. */
LW_LOCAL void NAME(gather_far_tile)(const vec *c, const int64_t *perm, const T *G, T scale, vec *z, int64_t n) {
    int64_t block = lw_min(n, LW_BLOCK);
    if (n == block) {
        NAME(gather_tile)(c, perm, G, scale, z, n);
        return;
    }
    int radix = NAME(next_radix)(n / block, 8);
    int64_t h = n / radix;
    for (int64_t j = 0; j < h; j++) {
        for (int64_t i = j; i < n; i += h) z[i] = c[perm[i]] * (G[i] * scale);
        NAME(butterfly)(z + j, h, radix);
    }
    for (int64_t s = 0; s < n; s += h) NAME(fwht_far)(z + s, h, block);
}

LW_LOCAL void NAME(hadamard_near_tile)(vec *t, int64_t n) { NAME(fwht_blocks)(t, n); }

/* hadamard_near_tile, then store_tile, block by block. */
LW_LOCAL void NAME(hadamard_store_tile)(vec *t, int64_t n, int64_t cols, const T *S, const T *bias, void *y, int bf16,
                                        int64_t ld, int64_t row, int nrows) {
    int64_t block = lw_min(n, LW_BLOCK);
    for (int64_t s = 0; s < cols; s += block) {
        NAME(fwht_near)(t + s, block, 1);
        NAME(store_tile)(t + s, lw_min(block, cols - s), S + s, bias ? bias + s : NULL, y, bf16, ld, row, nrows, s);
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
