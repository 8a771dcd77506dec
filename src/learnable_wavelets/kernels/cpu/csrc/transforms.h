/* wavedec, waverec and their gradients for one unit (a tile of rows, or one row). A template, like multilevel.h. */

LW_LOCAL void FORM(wavedec_unit)(const NAME(call) *call, int64_t row, int nrows, void *room, T *scratch, T *part) {
    const lw_plan *w = &call->job->w;
    E *x = (E *)room + w->margin, *approx = x + lw_aligned_size(w->n) + w->margin, *c = approx + w->approx_size;
    (void)part;
    FORM(load)(call->job->x, call->job->bf16, w->n, row, nrows, 0, w->n, NULL, x, w->n, NULL);
    FORM(decompose)(w, call->f, x, approx, c, scratch);
    FORM(store)(c, w->m, NULL, NULL, call->job->y, call->job->bf16, w->m, row, nrows, 0);
}

LW_LOCAL void FORM(waverec_unit)(const NAME(call) *call, int64_t row, int nrows, void *room, T *scratch, T *part) {
    const lw_plan *w = &call->job->w;
    E *x = (E *)room + w->margin, *approx = x + lw_aligned_size(w->n) + w->margin, *c = approx + w->approx_size;
    (void)part;
    FORM(load)(call->job->x, call->job->bf16, w->m, row, nrows, 0, w->m, NULL, c, w->m, NULL);
    FORM(spread)(w, c);
    FORM(reconstruct)(w, call->f, c, approx, x, scratch);
    FORM(store)(x, w->n, NULL, NULL, call->job->y, call->job->bf16, w->n, row, nrows, 0);
}

LW_INLINE vec *FORM(clear_filter_grads)(const NAME(call) *call, T *scratch) {
    vec *gf = call->filter_grads ? (vec *)(scratch + call->scratch_size) : NULL;
    for (int64_t i = 0; gf && i < 4 * call->job->w.taps; i++) gf[i] = NAME(zero)();
    return gf;
}

LW_INLINE void FORM(keep_filter_grads)(const NAME(call) *call, const vec *gf, T *part) {
    for (int64_t i = 0; gf && i < 4 * call->job->w.taps; i++) part[call->at_filter + i] += NAME(sum)(gf[i]);
}

/* gy has m values a row, gx has n */
LW_LOCAL void FORM(wavedec_back_unit)(const NAME(call) *call, int64_t row, int nrows, void *room, T *scratch, T *part) {
    const lw_job *job = call->job;
    const lw_plan *w = &job->w;
    E *x = (E *)room + w->margin, *approx = x + lw_aligned_size(w->n) + w->margin, *c = approx + w->approx_size;
    vec *gf = FORM(clear_filter_grads)(call, scratch);
    if (gf) { /* the approximations, once more; the coefficients themselves are overwritten */
        FORM(load)(job->x, job->bf16, w->n, row, nrows, 0, w->n, NULL, x, w->n, NULL);
        FORM(decompose)(w, call->f, x, approx, c, scratch);
    }
    FORM(load)(job->gy, job->bf16, w->m, row, nrows, 0, w->m, NULL, c, w->m, NULL);
    FORM(spread)(w, c);
    FORM(decompose_back)(w, call->f, c, approx, x, gf, scratch);
    if (job->gx) FORM(store)(x, w->n, NULL, NULL, job->gx, job->bf16, w->n, row, nrows, 0);
    FORM(keep_filter_grads)(call, gf, part);
}

/* gy has n values a row, gx has m */
LW_LOCAL void FORM(waverec_back_unit)(const NAME(call) *call, int64_t row, int nrows, void *room, T *scratch, T *part) {
    const lw_job *job = call->job;
    const lw_plan *w = &job->w;
    E *y = (E *)room + w->margin, *approx = y + lw_aligned_size(w->n) + w->margin, *c = approx + w->approx_size;
    vec *gf = FORM(clear_filter_grads)(call, scratch);
    if (gf) {
        FORM(load)(job->x, job->bf16, w->m, row, nrows, 0, w->m, NULL, c, w->m, NULL);
        FORM(spread)(w, c);
        FORM(reconstruct)(w, call->f, c, approx, y, scratch);
    }
    FORM(load)(job->gy, job->bf16, w->n, row, nrows, 0, w->n, NULL, y, w->n, NULL);
    FORM(reconstruct_back)(w, call->f, y, approx, c, gf, scratch);
    FORM(collect)(w, c);
    if (job->gx) FORM(store)(c, w->m, NULL, NULL, job->gx, job->bf16, w->m, row, nrows, 0);
    FORM(keep_filter_grads)(call, gf, part);
}
