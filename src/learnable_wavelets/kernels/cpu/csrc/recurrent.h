/* GRU and LSTM for one unit (a tile of sequences, or one) through all steps, forward and backward. A template, like
 * multilevel.h. Backward through time computes the gates of a step again, from the states before it. */

/* `value`: the gates of a step, in torch's order; `q`: the product of the third of a GRU, `rh`: r h of the published form.
 * h, c: the states, of the backward pass those before the step. gu: the gradients of the products, gh and gc of the states. */
typedef struct {
    const NAME(call) *call;
    const lw_recurrence *of;
    T *S, *bias, *rows, *scratch;
    FORM(product) product[4];
    E *h, *c, *x, *in, *value[4], *q, *rh, *old_h, *old_c;
    E *h0, *c0, *gh, *gc, *gu[4], *gx, *gin, *cell;
    FORM(gate_sums) sums;
} FORM(recurrence);

LW_LOCAL int64_t FORM(place_recurrence)(const lw_job *job, E *room, FORM(recurrence) *r) {
    int64_t at = 0, n = job->in, k = job->k, ratio = (int64_t)(sizeof(E) / sizeof(T));
    int backward = job->gy != NULL, filters = 0;
    E **states[] = {&r->h, &r->c, &r->x, &r->q, &r->rh, &r->old_h, &r->old_c};
    E **gradients[] = {&r->h0, &r->c0, &r->gh, &r->gc, &r->gx, &r->cell};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) *states[i] = FORM(carve)(room, &at, n, 0);
    for (size_t i = 0; backward && i < sizeof gradients / sizeof *gradients; i++) *gradients[i] = FORM(carve)(room, &at, n, 0);
    r->in = FORM(carve)(room, &at, job->inputs, 0);
    r->gin = FORM(carve)(room, &at, backward ? job->inputs : 0, 0);
    for (int64_t g = 0; g < k; g++) {
        r->value[g] = FORM(carve)(room, &at, n, 0);
        if (backward) r->gu[g] = FORM(carve)(room, &at, n, 0);
        if (g == 0 || backward)
            FORM(place_product)(job, room, &at, &r->product[g]);
        else
            r->product[g] = r->product[0];
    }
    for (int i = 0; i < 4; i++) filters |= job->gfilter[i] != NULL;
    FORM(place_sums)(job, filters, room, &at, &r->sums);
    r->S = (T *)FORM(carve)(room, &at, (k * lw_aligned_size(n) + ratio - 1) / ratio, 0);
    r->bias = (T *)FORM(carve)(room, &at, (k * lw_aligned_size(n) + ratio - 1) / ratio, 0);
    r->rows = (T *)FORM(carve)(room, &at, job->dense ? n : 0, 0);
    return at + LANES;
}

LW_LOCAL int64_t FORM(recurrent_room)(const lw_job *job) {
    FORM(recurrence) r;
    return FORM(place_recurrence)(job, NULL, &r);
}

LW_LOCAL void FORM(begin_recurrence)(const NAME(call) *call, E *room, T *scratch, FORM(recurrence) *r) {
    const lw_job *job = call->job;
    int64_t n = job->in, padded = lw_aligned_size(n);
    memset((void *)room, 0, (size_t)FORM(place_recurrence)(job, room, r) * sizeof(E));
    r->call = call, r->of = (const lw_recurrence *)job, r->scratch = scratch;
    for (int64_t g = 0; g < job->k; g++) {
        for (int64_t i = 0; i < n; i++) r->S[g * padded + i] = FORM(is_dense)(job, g) ? 1 : ((const T *)job->S)[g * n + i];
        if (FORM(is_dense)(job, g)) continue;
        if (job->bias) memcpy(r->bias + g * padded, (const T *)job->bias + g * n, (size_t)n * sizeof(T));
    }
}

/* Between memory and a buffer: `in` columns from `col` on of rows `ld` wide. Absent data count as zeros. */
LW_INLINE void FORM(read)(const FORM(recurrence) *r, const void *p, int64_t ld, int64_t row, int nrows, int64_t col, E *to) {
    int64_t n = r->call->job->in;
    if (p)
        FORM(load)(p, 0, ld, row, nrows, col, n, NULL, to, n, NULL);
    else
        memset((void *)to, 0, (size_t)n * sizeof(E));
}

LW_INLINE void FORM(write)(const FORM(recurrence) *r, const E *from, void *p, int64_t ld, int64_t row, int nrows, int64_t col) {
    if (p) FORM(store)(from, r->call->job->in, NULL, NULL, p, 0, ld, row, nrows, col);
}

/* x = the input product of gate g, read or computed */
LW_LOCAL void FORM(input_product)(const FORM(recurrence) *r, int64_t g, int64_t row, int nrows) {
    const lw_job *job = r->call->job;
    if (job->W)
        FORM(dense_product)((const T *)job->W + FORM(block)(job, g), job->inputs, FORM(block)(job, job->k), r->in, job->in, r->x);
    else
        FORM(read)(r, job->x, job->k * job->in, row, nrows, g * job->in, r->x);
}

/* The kind is a constant wherever this is inlined. */
LW_INLINE void FORM(activate)(const FORM(recurrence) *r, int64_t g, const int kind) {
    int64_t padded = lw_aligned_size(r->call->job->in), count = FORM(vectors)(r->call->job->in);
    const T *S = r->S + g * padded, *bias = r->bias + g * padded;
    const vec *u = (vec *)r->product[g].u, *x = (vec *)r->x, *reset = (vec *)r->value[0];
    vec *to = (vec *)r->value[g], *q = (vec *)r->q;
    for (int64_t i = 0; i < count; i++) {
        vec product = u[i] * FORM(parameter)(S, i) + FORM(parameter)(bias, i);
        if (kind == LW_SIGMOID) to[i] = NAME(sigmoid)(x[i] + product);
        if (kind == LW_TANH) to[i] = NAME(tanh)(x[i] + product);
        if (kind == LW_TANH_AFTER) q[i] = product, to[i] = NAME(tanh)(x[i] + reset[i] * product);
    }
}

/* value[g] = f(input product + gate's product with `state`), or, after a reset gate, f(input product + r * product) */
LW_LOCAL void FORM(gate)(const FORM(recurrence) *r, int64_t g, const E *state, int64_t row, int nrows, int kind) {
    FORM(multiply)(r->call, g, state, &r->product[g], r->scratch);
    FORM(input_product)(r, g, row, nrows);
    if (kind == LW_SIGMOID) FORM(activate)(r, g, LW_SIGMOID);
    if (kind == LW_TANH) FORM(activate)(r, g, LW_TANH);
    if (kind == LW_TANH_AFTER) FORM(activate)(r, g, LW_TANH_AFTER);
}

LW_LOCAL void FORM(gates)(const FORM(recurrence) *r, int64_t row, int nrows) {
    const lw_job *job = r->call->job;
    int cell = r->of->cell;
    if (job->W) FORM(load)(job->x, 0, job->inputs, row, nrows, 0, job->inputs, NULL, r->in, job->inputs, NULL);
    FORM(gate)(r, 0, r->h, row, nrows, LW_SIGMOID);
    FORM(gate)(r, 1, r->h, row, nrows, LW_SIGMOID);
    if (cell == LW_GRU) {
        FORM(gate)(r, 2, r->h, row, nrows, LW_TANH_AFTER);
    } else if (cell == LW_LSTM) {
        FORM(gate)(r, 2, r->h, row, nrows, LW_TANH);
        FORM(gate)(r, 3, r->h, row, nrows, LW_SIGMOID);
    } else {
        int64_t count = FORM(vectors)(r->call->job->in);
        const vec *reset = (vec *)r->value[0], *h = (vec *)r->h;
        for (int64_t i = 0; i < count; i++) ((vec *)r->rh)[i] = reset[i] * h[i];
        FORM(gate)(r, 2, r->rh, row, nrows, LW_TANH);
    }
}

/* The states after a step, from its gates. */
LW_LOCAL void FORM(advance)(const FORM(recurrence) *r) {
    int64_t count = FORM(vectors)(r->call->job->in);
    vec *h = (vec *)r->h, *c = (vec *)r->c;
    const vec *a = (vec *)r->value[0], *b = (vec *)r->value[1], *n = (vec *)r->value[2], *o = (vec *)r->value[3];
    if (r->of->cell == LW_GRU)
        for (int64_t i = 0; i < count; i++) h[i] = n[i] + b[i] * (h[i] - n[i]);
    else if (r->of->cell == LW_GRU_PUBLISHED)
        for (int64_t i = 0; i < count; i++) h[i] = h[i] + b[i] * (n[i] - h[i]);
    else
        for (int64_t i = 0; i < count; i++) {
            c[i] = b[i] * c[i] + a[i] * n[i];
            h[i] = o[i] * NAME(tanh)(c[i]);
        }
}

/* How many of the unit's rows step s of the way has, and where they begin. */
LW_INLINE int FORM(rows_at)(const FORM(recurrence) *r, int64_t s, int64_t row, int nrows, int64_t *begin) {
    const lw_recurrence *of = r->of;
    int64_t t = of->reverse ? of->job.steps - 1 - s : s, size = of->first[t + 1] - of->first[t];
    *begin = of->first[t] + row;
    return (int)lw_max(0, lw_min(nrows, size - row));
}

LW_LOCAL void FORM(recurrent_unit)(const NAME(call) *call, int64_t row, int nrows, void *room, T *scratch, T *part) {
    FORM(recurrence) r;
    const lw_job *job = call->job;
    int64_t n = job->in, at;
    (void)part;
    FORM(begin_recurrence)(call, room, scratch, &r);
    FORM(read)(&r, r.of->h0, n, row, nrows, 0, r.h);
    FORM(read)(&r, r.of->c0, n, row, nrows, 0, r.c);
    for (int64_t s = 0; s < job->steps; s++) {
        int have = FORM(rows_at)(&r, s, row, nrows, &at);
        if (!have) continue;
        if (have < nrows) {
            memcpy((void *)r.old_h, r.h, (size_t)n * sizeof(E));
            memcpy((void *)r.old_c, r.c, (size_t)n * sizeof(E));
        }
        FORM(gates)(&r, at, have);
        FORM(advance)(&r);
        if (have < nrows) {
            FORM(replace)(r.h, r.old_h, n, have);
            FORM(replace)(r.c, r.old_c, n, have);
        }
        FORM(write)(&r, r.h, job->y, n, at, have, 0);
        FORM(write)(&r, r.c, r.of->cells, n, at, have, 0);
    }
    FORM(write)(&r, r.h, r.of->hn, n, row, nrows, 0);
    FORM(write)(&r, r.c, r.of->cn, n, row, nrows, 0);
}
