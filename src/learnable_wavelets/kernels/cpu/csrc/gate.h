/* A recurrent gate: the product of the state with its sandwich, forward and backward, on what is in the cache already.
 * A template, like multilevel.h. Gate g is block g of a call with `banks` filter banks; each has `in` inputs and outputs. */

/* Buffers of one product, as forward leaves them for backward: the signal, its approximations and coefficients, the
 * permuted ones, the approximations of the way back, the result. */
typedef struct {
    E *h, *approx, *c, *z, *approx2, *u;
} FORM(product);

LW_LOCAL void FORM(place_product)(const lw_job *job, E *room, int64_t *at, FORM(product) *p) {
    const lw_plan *w = &job->w;
    int64_t apart = lw_max(w->apart_size, w->m);
    p->h = FORM(carve)(room, at, w->n, w->margin);
    p->u = FORM(carve)(room, at, w->n, w->margin);
    p->c = FORM(carve)(room, at, apart, 0);
    p->z = FORM(carve)(room, at, apart, 0);
    p->approx = FORM(carve)(room, at, w->approx_size, 0);
    p->approx2 = job->gy ? FORM(carve)(room, at, w->approx_size, 0) : p->approx;
}

/* to = W x + bias for the block of a matrix (inputs + 1, ld) that begins at W, the last row the bias */
LW_LOCAL void FORM(dense_product)(const T *W, int64_t inputs, int64_t ld, const E *x, int64_t n, E *to) {
    int64_t i = 0, count = FORM(vectors)(n);
    vec *y = (vec *)to;
    for (; i + 4 <= count; i += 4) {
        vec s[4];
        LW_UNROLL
        for (int l = 0; l < 4; l++) s[l] = FORM(parameter)(W + inputs * ld, i + l);
        for (int64_t j = 0; j < inputs; j++) {
            vec value = FORM(value)(x, j);
            LW_UNROLL
            for (int l = 0; l < 4; l++) s[l] += FORM(parameter)(W + j * ld, i + l) * value;
        }
        LW_UNROLL
        for (int l = 0; l < 4; l++) y[i + l] = s[l];
    }
    for (; i < count; i++) {
        vec s = FORM(parameter)(W + inputs * ld, i);
        for (int64_t j = 0; j < inputs; j++) s += FORM(parameter)(W + j * ld, i) * FORM(value)(x, j);
        y[i] = s;
    }
}

/* Whether gate g has a dense matrix, and where its block of H or gH begins. */
LW_INLINE int FORM(is_dense)(const lw_job *job, int64_t g) { return job->dense >> g & 1; }
LW_INLINE int64_t FORM(block)(const lw_job *job, int64_t g) { return g * lw_aligned_size(job->in); }

/* The gradients of H, and of the state, for gu that of the product. `rows`: room for the state, row by row. */
LW_LOCAL void FORM(dense_back)(const NAME(call) *call, int64_t g, const E *x, const E *gu, E *gx, T *rows, T *part) {
    const lw_job *job = call->job;
    int64_t n = job->in, ld = FORM(block)(job, job->k);
    const T *H = (const T *)job->H + FORM(block)(job, g);
    FORM(store)(x, n, NULL, NULL, rows, 0, n, 0, FORM(rows)(), 0);
    if (job->gH) FORM(add_outer)(gu, n, rows, n, FORM(rows)(), part + call->at_H + FORM(block)(job, g), ld);
    for (int64_t j = 0; j < n; j++) gx[j] += FORM(weighted)(gu, H + j * ld, n);
}

/* u = W^-1 G P W B x, wrapped; without S and the bias */
LW_LOCAL void FORM(multiply)(const NAME(call) *call, int64_t g, const E *x, const FORM(product) *p, T *scratch) {
    const lw_job *job = call->job;
    if (FORM(is_dense)(job, g)) {
        FORM(dense_product)((const T *)job->H + FORM(block)(job, g), job->in, FORM(block)(job, job->k), x, job->in, p->u);
        return;
    }
    const int64_t *perm = call->perm + g * job->m;
    const T *B = (const T *)job->B + g * job->in, *G = call->G + g * job->m, *f = call->f + 4 * g * job->w.taps;
    int hadamard = job->w.mode == LW_HADAMARD;
    E *h = hadamard ? p->c : p->h;
    for (int64_t i = 0; i < job->in; i++) h[i] = x[i] * B[i];
    memset((void *)(h + job->in), 0, (size_t)(job->n - job->in) * sizeof(E));
    if (hadamard) {
        FORM(hadamard)(h, job->n);
        FORM(gather_far)(h, perm, G, p->u, job->m);
        FORM(hadamard_near)(p->u, job->n);
    } else {
        FORM(decompose)(&job->w, f, h, p->approx, p->c, scratch);
        FORM(gather_apart)(&job->w, p->c, perm, G, p->z);
        FORM(reconstruct)(&job->w, f, p->z, p->approx2, p->u, scratch);
    }
    for (int64_t j = job->in; job->wrap && j < job->n; j += job->in)
        FORM(add)(p->u, p->u + j, lw_min(job->in, job->n - j));
}

/* Sums of the gradients of all gates over the steps, lane by lane; filters as `vec` in both forms. Null: not wanted. */
typedef struct {
    E *B, *G, *S, *bias;
    vec *filter;
} FORM(gate_sums);

LW_LOCAL void FORM(place_sums)(const lw_job *job, int filters, E *room, int64_t *at, FORM(gate_sums) *s) {
    int64_t lines = (int64_t)(sizeof(vec) / sizeof(E));
    s->B = job->gB ? FORM(carve)(room, at, job->k * job->in, 0) : NULL;
    s->G = job->gG ? FORM(carve)(room, at, job->k * job->m, 0) : NULL;
    s->S = job->gS ? FORM(carve)(room, at, job->k * job->in, 0) : NULL;
    s->bias = job->gbias ? FORM(carve)(room, at, job->k * job->in, 0) : NULL;
    s->filter = filters ? (vec *)FORM(carve)(room, at, job->k * 4 * job->w.taps * lines, 0) : NULL;
}

/* to[i] += gz[i] c[perm[i]], the gradient of G up to `scale` */
LW_LOCAL void FORM(add_products)(const E *gz, const E *c, const int64_t *perm, int64_t count, E *to) {
    for (int64_t i = 0; i < count; i++) to[i] += gz[i] * c[perm[i]];
}

/* gx += B ..., the gradient of x, for gu the gradient of S u + bias; p as FORM(multiply) left it, overwritten */
LW_LOCAL void FORM(multiply_back)(const NAME(call) *call, int64_t g, const E *x, const E *gu, const FORM(product) *p,
                                  const FORM(gate_sums) *s, E *gx, T *scratch) {
    const lw_job *job = call->job;
    const lw_plan *w = &job->w;
    int64_t in = job->in, m = job->m, n = job->n;
    const int64_t *perm = call->perm + g * m, *inverse = call->inverse + g * m;
    const T *B = (const T *)job->B + g * in, *S = (const T *)job->S + g * in, *f = call->f + 4 * g * w->taps;
    vec *gf = s->filter ? s->filter + 4 * g * w->taps : NULL;
    E *u = p->u, *gh = p->h, *gG = s->G ? s->G + g * m : NULL;
    for (int64_t i = 0; s->bias && i < in; i++) s->bias[g * in + i] += gu[i];
    for (int64_t i = 0; s->S && i < in; i++) s->S[g * in + i] += gu[i] * u[i];
    for (int64_t i = 0; i < in; i++) u[i] = gu[i] * S[i];
    if (job->wrap)
        for (int64_t i = in; i < n; i++) u[i] = u[i - in];
    else
        memset((void *)(u + in), 0, (size_t)(n - in) * sizeof(E));
    if (w->mode == LW_HADAMARD) {
        FORM(hadamard)(u, n);
        if (gG) FORM(add_products)(u, p->c, perm, m, gG);
        gh = p->z;
        FORM(gather_far)(u, inverse, call->G_inverse + g * m, gh, m);
        FORM(hadamard_near)(gh, n);
    } else {
        FORM(reconstruct_back)(w, f, u, p->approx2, p->z, gf, scratch);
        if (gG) {
            FORM(add_products)(p->z + w->apart[0], p->c, perm, w->len[w->level], gG);
            for (int j = w->level; j >= 1; j--)
                FORM(add_products)(p->z + w->apart[j], p->c, perm + w->detail[j], w->len[j], gG + w->detail[j]);
        }
        FORM(gather_apart)(w, p->z, inverse, call->G_inverse + g * m, p->c);
        FORM(decompose_back)(w, f, p->c, p->approx, gh, gf, scratch);
    }
    for (int64_t i = 0; s->B && i < in; i++) s->B[g * in + i] += gh[i] * x[i];
    for (int64_t i = 0; i < in; i++) gx[i] += gh[i] * B[i];
}
