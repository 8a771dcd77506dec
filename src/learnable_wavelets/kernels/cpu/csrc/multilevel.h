/* The multilevel transform and its gradients, for one form (tiles of vectors or single rows).
 * A template: E is vec or T; analysis, synthesis and correlate are those of the form.
 * `f` holds four filters of `taps` values: dec_lo, dec_hi reversed, rec_lo, rec_hi. Signals have margins, and what a
 * synthesis reads lies apart (lw_plan). */

/* From packed to apart, in place: from the end, for nothing moves down. */
LW_LOCAL void FORM(spread)(const lw_plan *w, E *c) {
    for (int j = 1; j <= w->level; j++)
        memmove((void *)(c + w->apart[j]), c + w->detail[j], (size_t)w->len[j] * sizeof(E));
    memmove((void *)(c + w->apart[0]), c, (size_t)w->len[w->level] * sizeof(E));
}

/* And back. */
LW_LOCAL void FORM(collect)(const lw_plan *w, E *c) {
    memmove((void *)c, c + w->apart[0], (size_t)w->len[w->level] * sizeof(E));
    for (int j = w->level; j >= 1; j--)
        memmove((void *)(c + w->detail[j]), c + w->apart[j], (size_t)w->len[j] * sizeof(E));
}

/* gather, to where a synthesis reads */
LW_LOCAL void FORM(gather_apart)(const lw_plan *w, const E *c, const int64_t *perm, const T *G, E *z) {
    FORM(gather)(c, perm, G, z + w->apart[0], w->len[w->level]);
    for (int j = w->level; j >= 1; j--) {
        int64_t at = w->detail[j];
        FORM(gather)(c, perm + at, G + at, z + w->apart[j], w->len[j]);
    }
}

/* gather_back of gradients that lie apart */
LW_LOCAL void FORM(gather_apart_back)(const lw_plan *w, const E *gz, const E *c, const int64_t *perm, T scale, T *gG) {
    FORM(gather_back)(gz + w->apart[0], c, perm, scale, w->len[w->level], gG);
    for (int j = w->level; j >= 1; j--) {
        int64_t at = w->detail[j];
        FORM(gather_back)(gz + w->apart[j], c, perm + at, scale, w->len[j], gG + at);
    }
}

/* Modes beyond zero: the margins take the values that continue the signal, and a step then sees it so much longer. */
LW_LOCAL void FORM(fill_margins)(int mode, E *x, int64_t n, int64_t left, int64_t right) {
    for (int64_t i = -left; i < n + right; i++) {
        if (i == 0) i = n;
        if (i == n + right) break;
        lw_outside o = lw_continue(mode, n, i);
        if (mode == LW_SMOOTH && o.count == 2) { /* the difference first: it may be small */
            x[i] = x[o.at[0]] + (x[o.at[0]] - x[o.at[1]]) * (T)-o.weight[1];
            continue;
        }
        E s = x[o.at[0]] * (T)o.weight[0];
        for (int k = 1; k < o.count; k++) s += x[o.at[k]] * (T)o.weight[k];
        x[i] = s;
    }
}

/* The adjoint: gradients in the margins go to the values that fill_margins read. */
LW_LOCAL void FORM(fold_margins)(int mode, E *x, int64_t n, int64_t left, int64_t right) {
    for (int64_t i = -left; i < n + right; i++) {
        if (i == 0) i = n;
        if (i == n + right) break;
        lw_outside o = lw_continue(mode, n, i);
        for (int k = 0; k < o.count; k++) x[o.at[k]] += x[i] * (T)o.weight[k];
    }
}

/* One step of analysis sees x[-left] to x[n + right - 1]. */
LW_INLINE int64_t FORM(left)(const lw_plan *w) { return w->mode > LW_ZERO ? -w->shift : 0; }
LW_INLINE int64_t FORM(right)(const lw_plan *w, int j) { return w->mode > LW_ZERO ? 2 * w->len[j] - w->len[j - 1] : 0; }

LW_LOCAL void FORM(decompose)(const lw_plan *w, const T *f, E *x, E *approx, E *c, T *scratch) {
    const T *lo = f, *hi = f + w->taps;
    int64_t left = FORM(left)(w);
    E *from = x;
    if (w->level == 0) memcpy(c, x, (size_t)w->n * sizeof(E));
    for (int j = 1; j <= w->level; j++) {
        E *to = j == w->level ? c : approx + w->approx[j];
        int64_t n = w->len[j - 1], right = FORM(right)(w, j);
        if (w->mode > LW_ZERO) FORM(fill_margins)(w->mode, from, n, left, right);
        FORM(analysis)(from - left, left + n + right, to, c + w->detail[j], w->len[j], lo, hi, w->taps, w->shift + left,
                       w->mode == LW_PERIODIZATION, scratch);
        from = to;
    }
}

LW_LOCAL void FORM(reconstruct)(const lw_plan *w, const T *f, E *c, E *approx, E *y, T *scratch) {
    const T *lo = f + 2 * w->taps, *hi = f + 3 * w->taps;
    E *from = c + w->apart[0];
    if (w->level == 0) memcpy(y, c, (size_t)w->n * sizeof(E));
    for (int j = w->level; j >= 1; j--) {
        E *to = j == 1 ? y : approx + w->approx[j - 1];
        FORM(synthesis)(from, c + w->apart[j], w->len[j], to, w->len[j - 1], lo, hi, w->taps, w->shift,
                        w->mode == LW_PERIODIZATION, scratch);
        from = to;
    }
}

/* x and approx as decompose left them (not read when gf is NULL); x becomes its gradient. gc lies apart. */
LW_LOCAL void FORM(decompose_back)(const lw_plan *w, const T *f, E *gc, E *approx, E *x, vec *gf, T *scratch) {
    const T *lo = f, *hi = f + w->taps;
    int periodic = w->mode == LW_PERIODIZATION;
    int64_t left = FORM(left)(w);
    E *g = gc + w->apart[0];
    if (w->level == 0) memcpy(x, gc, (size_t)w->n * sizeof(E));
    for (int j = w->level; j >= 1; j--) {
        E *to = j == 1 ? x : approx + w->approx[j - 1];
        E *gd = gc + w->apart[j];
        int64_t n = w->len[j - 1], right = FORM(right)(w, j), seen = left + n + right, shift = w->shift + left;
        if (gf && w->mode > LW_ZERO) FORM(fill_margins)(w->mode, to, n, left, right);
        if (gf)
            FORM(synthesis_back)(g, gd, w->len[j], to - left, seen, lo, hi, gf, gf + w->taps, w->taps, shift, periodic,
                                 scratch);
        else
            FORM(synthesis)(g, gd, w->len[j], to - left, seen, lo, hi, w->taps, shift, periodic, scratch);
        if (w->mode > LW_ZERO) FORM(fold_margins)(w->mode, to, n, left, right);
        g = to;
    }
}

/* c and approx as reconstruct used and left them (not read when gf is NULL); c becomes its gradient, and lies apart. */
LW_LOCAL void FORM(reconstruct_back)(const lw_plan *w, const T *f, E *gy, E *approx, E *c, vec *gf, T *scratch) {
    const T *lo = f + 2 * w->taps, *hi = f + 3 * w->taps;
    int periodic = w->mode == LW_PERIODIZATION;
    E *g = gy;
    if (w->level == 0) memcpy(c, gy, (size_t)w->n * sizeof(E));
    for (int j = 1; j <= w->level; j++) {
        E *a = j == w->level ? c + w->apart[0] : approx + w->approx[j], *d = c + w->apart[j];
        if (gf)
            FORM(analysis_back)(a, d, w->len[j], g, w->len[j - 1], lo, hi, gf + 2 * w->taps, gf + 3 * w->taps, w->taps,
                                w->shift, periodic, scratch);
        else
            FORM(analysis)(g, w->len[j - 1], a, d, w->len[j], lo, hi, w->taps, w->shift, periodic, scratch);
        g = a;
    }
}
