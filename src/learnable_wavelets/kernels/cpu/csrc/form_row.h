/* The counterparts of form_tile.h for one row, kept as it lies in memory: for batches too small to fill a tile. */

LW_LOCAL void NAME(load_row)(const void *x, int bf16, int64_t ld, int64_t row, int nrows, int64_t col, int64_t cols,
                             const T *B, T *t, int64_t n, T *colsum) {
    int64_t base = row * ld + col, c = 0;
    (void)nrows;
    for (; c + LANES <= cols; c += LANES) {
        vec v = NAME(load)(x, base + c, bf16);
        if (colsum) NAME(storeu)(colsum + c, NAME(loadu)(colsum + c) + v);
        if (B) v *= NAME(loadu)(B + c);
        NAME(storeu)(t + c, v);
    }
    for (; c < cols; c++) {
        T v = NAME(get)(x, base + c, bf16);
        if (colsum) colsum[c] += v;
        t[c] = B ? v * B[c] : v;
    }
    for (; c < n; c++) t[c] = 0;
}

LW_LOCAL void NAME(store_row)(const T *t, int64_t cols, const T *S, const T *bias, void *y, int bf16, int64_t ld,
                              int64_t row, int nrows, int64_t col) {
    int64_t base = row * ld + col, c = 0;
    (void)nrows;
    for (; c + LANES <= cols; c += LANES) {
        vec v = NAME(loadu)(t + c);
        if (S) v *= NAME(loadu)(S + c);
        if (bias) v += NAME(loadu)(bias + c);
        NAME(store)(y, base + c, v, bf16);
    }
    for (; c < cols; c++) {
        T v = t[c];
        if (S) v *= S[c];
        if (bias) v += bias[c];
        NAME(put)(y, base + c, v, bf16);
    }
}

LW_LOCAL void NAME(gather_row)(const T *c, const int64_t *perm, const T *G, T *z, int64_t m) {
    for (int64_t i = 0; i < m; i++) z[i] = c[perm[i]] * G[i];
}

LW_LOCAL void NAME(gather_back_row)(const T *gz, const T *c, const int64_t *perm, T scale, int64_t m, T *gG) {
    for (int64_t i = 0; i < m; i++) gG[i] += gz[i] * c[perm[i]] * scale;
}

LW_LOCAL void NAME(scale_back_row)(const T *gy, T *u, int64_t count, const T *S, T *gS) {
    for (int64_t i = 0; gS && i < count; i++) gS[i] += gy[i] * u[i];
    for (int64_t i = 0; i < count; i++) u[i] = gy[i] * S[i];
}

LW_LOCAL void NAME(input_back_row)(const T *gh, int64_t cols, const T *B, const void *x, void *gx, int bf16, int64_t ld,
                                   int64_t row, int nrows, int64_t col, T *gB, T *acc, int first, int last) {
    int64_t base = row * ld + col;
    (void)nrows;
    for (int64_t i = 0; i < cols; i++) {
        if (gB) gB[i] += gh[i] * NAME(get)(x, base + i, bf16);
        T g = gh[i] * B[i];
        if (!first) g += acc[i];
        if (!last)
            acc[i] = g;
        else if (gx)
            NAME(put)(gx, base + i, g, bf16);
    }
}

LW_LOCAL void NAME(add_row)(T *to, const T *from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

/* t is aligned to a vector */
LW_LOCAL void NAME(hadamard_row)(T *t, int64_t n) {
    if (n < LANES) {
        for (int64_t h = 1; h < n; h *= 2)
            for (int64_t i = 0; i < n; i++)
                if (!(i & h)) {
                    T a = t[i], b = t[i + h];
                    t[i] = a + b;
                    t[i + h] = a - b;
                }
        return;
    }
    vec *v = (vec *)t;
    for (int64_t i = 0; i < n / LANES; i++) v[i] = NAME(hadamard_inside)(v[i], LANES);
    NAME(fwht_lines)(v, n / LANES);
}

LW_LOCAL void NAME(load_hadamard_row)(const void *x, int bf16, int64_t ld, int64_t row, int nrows, int64_t col,
                                      int64_t cols, const T *B, T *t, int64_t n) {
    NAME(load_row)(x, bf16, ld, row, nrows, col, cols, B, t, n, NULL);
    NAME(hadamard_row)(t, n);
}

/* A tile does the far passes first and the near ones later; a row does all of them later. */
LW_LOCAL void NAME(gather_far_row)(const T *c, const int64_t *perm, const T *G, T *z, int64_t n) {
    NAME(gather_row)(c, perm, G, z, n);
}

LW_LOCAL void NAME(hadamard_near_row)(T *t, int64_t n) { NAME(hadamard_row)(t, n); }

LW_LOCAL void NAME(hadamard_store_row)(T *t, int64_t n, int64_t cols, const T *S, const T *bias, void *y, int bf16,
                                       int64_t ld, int64_t row, int nrows) {
    NAME(hadamard_row)(t, n);
    NAME(store_row)(t, cols, S, bias, y, bf16, ld, row, nrows, 0);
}

/* The buffers of a recurrent step are padded to whole vectors, and so are its parameters. */
LW_INLINE int64_t NAME(vectors_row)(int64_t n) { return (n + LANES - 1) / LANES; }
LW_INLINE vec NAME(parameter_row)(const T *p, int64_t i) { return NAME(loadu)(p + i * LANES); }

/* A single row is there or not. */
LW_LOCAL void NAME(replace_row)(T *to, const T *from, int64_t n, int first) { (void)to, (void)from, (void)n, (void)first; }

LW_LOCAL void NAME(add_lines_row)(const T *from, int64_t count, T scale, T *to) {
    for (int64_t i = 0; i < count; i++) to[i] += from[i] * scale;
}

LW_INLINE int NAME(rows_row)(void) { return 1; }
LW_INLINE vec NAME(value_row)(const T *x, int64_t i) { return NAME(zero)() + x[i]; }

LW_LOCAL T NAME(weighted_row)(const T *from, const T *p, int64_t n) {
    vec s = NAME(zero)();
    for (int64_t i = 0; i < n; i += LANES) s += NAME(loadu)(from + i) * NAME(loadu)(p + i); /* padded by zeros */
    return NAME(sum)(s);
}

LW_LOCAL void NAME(add_outer_row)(const T *g, int64_t n, const T *x, int64_t inputs, int nrows, T *gW, int64_t ld) {
    (void)nrows;
    for (int64_t j = 0; j <= inputs; j++) {
        vec weight = NAME(zero)() + (j < inputs ? x[j] : 1);
        for (int64_t i = 0; i < n; i += LANES)
            NAME(storeu)(gW + j * ld + i, NAME(loadu)(gW + j * ld + i) + NAME(loadu)(g + i) * weight);
    }
}
