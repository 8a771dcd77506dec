/* The multilevel transform and its gradients, for one form (tiles of vectors or single rows).
 * A template: E is vec or T; analysis, synthesis and correlate are those of the form.
 * `f` holds four filters of `taps` values: dec_lo, dec_hi reversed, rec_lo, rec_hi. */

LW_LOCAL void FORM(decompose)(const lw_plan *w, const T *f, const E *x, E *approx, E *c, T *scratch) {
    const T *lo = f, *hi = f + w->taps;
    const E *from = x;
    if (w->level == 0) memcpy(c, x, (size_t)w->n * sizeof(E));
    for (int j = 1; j <= w->level; j++) {
        E *to = j == w->level ? c : approx + w->approx[j];
        FORM(analysis)(from, w->len[j - 1], to, c + w->detail[j], w->len[j], lo, hi, w->taps, w->shift,
                       w->mode == LW_PERIODIZATION, scratch);
        from = to;
    }
}

LW_LOCAL void FORM(reconstruct)(const lw_plan *w, const T *f, const E *c, E *approx, E *y, T *scratch) {
    const T *lo = f + 2 * w->taps, *hi = f + 3 * w->taps;
    const E *from = c;
    if (w->level == 0) memcpy(y, c, (size_t)w->n * sizeof(E));
    for (int j = w->level; j >= 1; j--) {
        E *to = j == 1 ? y : approx + w->approx[j - 1];
        FORM(synthesis)(from, c + w->detail[j], w->len[j], to, w->len[j - 1], lo, hi, w->taps, w->shift,
                        w->mode == LW_PERIODIZATION, scratch);
        from = to;
    }
}

/* x and approx as decompose left them (not read when gf is NULL); x becomes its gradient. */
LW_LOCAL void FORM(decompose_back)(const lw_plan *w, const T *f, const E *gc, E *approx, E *x, vec *gf, T *scratch) {
    const T *lo = f, *hi = f + w->taps;
    int periodic = w->mode == LW_PERIODIZATION;
    const E *g = gc;
    if (w->level == 0) memcpy(x, gc, (size_t)w->n * sizeof(E));
    for (int j = w->level; j >= 1; j--) {
        E *to = j == 1 ? x : approx + w->approx[j - 1];
        const E *gd = gc + w->detail[j];
        if (gf)
            FORM(correlate)(g, gd, w->len[j], to, w->len[j - 1], gf, gf + w->taps, w->taps, w->shift, periodic, scratch);
        FORM(synthesis)(g, gd, w->len[j], to, w->len[j - 1], lo, hi, w->taps, w->shift, periodic, scratch);
        g = to;
    }
}

/* c and approx as reconstruct used and left them (not read when gf is NULL); c becomes its gradient. */
LW_LOCAL void FORM(reconstruct_back)(const lw_plan *w, const T *f, const E *gy, E *approx, E *c, vec *gf, T *scratch) {
    const T *lo = f + 2 * w->taps, *hi = f + 3 * w->taps;
    int periodic = w->mode == LW_PERIODIZATION;
    const E *g = gy;
    if (w->level == 0) memcpy(c, gy, (size_t)w->n * sizeof(E));
    for (int j = 1; j <= w->level; j++) {
        E *a = j == w->level ? c : approx + w->approx[j], *d = c + w->detail[j];
        if (gf)
            FORM(correlate)(a, d, w->len[j], g, w->len[j - 1], gf + 2 * w->taps, gf + 3 * w->taps, w->taps, w->shift,
                            periodic, scratch);
        FORM(analysis)(g, w->len[j - 1], a, d, w->len[j], lo, hi, w->taps, w->shift, periodic, scratch);
        g = a;
    }
}
