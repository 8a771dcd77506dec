/* y = wrap(scale * S * W^-1 G P W B x) + bias for one unit (a tile of rows, or one row), forward and backward.
 * A template, like multilevel.h: E is vec or T. */

/* where block b reads its columns, and how many there are */
LW_INLINE int64_t FORM(block_col)(const lw_job *job, int64_t b) { return job->chunked ? b * job->n : 0; }
LW_INLINE int64_t FORM(block_cols)(const lw_job *job, int64_t b) {
    int64_t left = job->in - FORM(block_col)(job, b);
    return lw_max(0, lw_min(job->n, left));
}

/* Buffers of a unit, in elements of E. */
typedef struct {
    E *h, *approx, *c, *z, *u, *approx2, *v, *gy, *acc;
} FORM(buffers);

/* The next buffer of `size` elements, with `margin` before and after it. */
LW_INLINE E *FORM(carve)(E *room, int64_t *at, int64_t size, int64_t margin) {
    E *p = room ? room + *at + margin : NULL;
    *at += lw_aligned_size(size) + 2 * margin;
    return p;
}

/* Places the buffers in `room`, or only counts how much they take. h, u: signals. v: the outputs of all blocks, in the
 * place of h where there is one block. gy, acc: backward only. */
LW_LOCAL int64_t FORM(place)(const lw_job *job, E *room, FORM(buffers) *p) {
    const lw_plan *w = &job->w;
    int64_t apart = lw_max(w->apart_size, w->m), backward = job->gy != NULL, at = 0;
    p->h = FORM(carve)(room, &at, w->n, w->margin);
    p->u = FORM(carve)(room, &at, w->n, w->margin);
    p->c = FORM(carve)(room, &at, apart, 0);
    p->z = FORM(carve)(room, &at, apart, 0);
    p->approx = FORM(carve)(room, &at, w->approx_size, 0);
    p->approx2 = FORM(carve)(room, &at, backward ? w->approx_size : 0, 0);
    p->v = job->k == 1 ? p->h : FORM(carve)(room, &at, backward ? 0 : job->chunked ? w->n : job->k * w->n, 0);
    p->gy = FORM(carve)(room, &at, backward ? job->out : 0, 0);
    p->acc = FORM(carve)(room, &at, backward && job->k > 1 ? job->in : 0, 0);
    return at + LANES;
}

LW_LOCAL int64_t FORM(sandwich_room)(const lw_job *job) {
    FORM(buffers) p;
    return FORM(place)(job, NULL, &p);
}

/* c = W B x for block b; the signal h and its approximations stay for the way back (Hadamard leaves none). */
LW_INLINE void FORM(block_in)(const NAME(call) *call, int64_t b, int64_t row, int nrows, E *h, E *approx, E *c, T *scratch) {
    const lw_job *job = call->job;
    const T *B = (const T *)job->B + (job->chunked ? b * job->n : b * job->in);
    int64_t col = FORM(block_col)(job, b), cols = FORM(block_cols)(job, b);
    if (job->w.mode == LW_HADAMARD) {
        FORM(load_hadamard)(job->x, job->bf16, job->in, row, nrows, col, cols, B, c, job->n);
    } else {
        FORM(load)(job->x, job->bf16, job->in, row, nrows, col, cols, B, h, job->n, NULL);
        FORM(decompose)(&job->w, call->f, h, approx, c, scratch);
    }
}

LW_LOCAL void FORM(sandwich_unit)(const NAME(call) *call, int64_t row, int nrows, void *room, T *scratch, T *part) {
    const lw_job *job = call->job;
    int64_t n = job->n, m = job->m;
    FORM(buffers) p;
    FORM(place)(job, room, &p);
    int64_t width = job->chunked ? n : job->k * n;
    int hadamard = job->w.mode == LW_HADAMARD, direct = hadamard && job->k == 1 && (job->out == n || !job->wrap);
    (void)part;
    for (int64_t b = 0; b < job->k; b++) {
        const T *G = call->G + b * m;
        const int64_t *perm = call->perm + b * m;
        E *target = job->chunked ? (b ? p.u : p.v) : p.v + b * n;
        FORM(block_in)(call, b, row, nrows, p.h, p.approx, p.c, scratch);
        if (hadamard) {
            FORM(gather_far)(p.c, perm, G, target, m);
            if (!direct) FORM(hadamard_near)(target, n);
        } else {
            FORM(gather_apart)(&job->w, p.c, perm, G, p.z);
            FORM(reconstruct)(&job->w, call->f, p.z, p.approx, target, scratch);
        }
        if (job->chunked && b) FORM(add)(p.v, p.u, n);
    }
    if (direct) {
        FORM(hadamard_store)(p.v, n, job->out, job->S, job->bias, job->y, job->bf16, job->out, row, nrows);
        return;
    }
    for (int64_t j = job->out; job->wrap && j < width; j += job->out)
        FORM(add)(p.v, p.v + j, lw_min(job->out, width - j));
    FORM(store)(p.v, job->out, job->S, job->bias, job->y, job->bf16, job->out, row, nrows, 0);
}

/* gS from gy and u; u becomes the gradient of the block's output. `first` is the place of u[0] in the whole output. */
LW_INLINE void FORM(output_back)(const NAME(call) *call, const E *gy, E *u, int64_t first, T *gS) {
    const lw_job *job = call->job;
    const T *S = job->S;
    for (int64_t j = 0; j < job->n;) {
        int64_t i = first + j;
        if (job->wrap) i %= job->out;
        if (i >= job->out) {
            memset((void *)(u + j), 0, (size_t)(job->n - j) * sizeof(E));
            break;
        }
        int64_t count = lw_min(job->n - j, job->out - i);
        FORM(scale_back)(gy + i, u + j, count, S + i, gS ? gS + i : NULL);
        j += count;
    }
}

LW_LOCAL void FORM(sandwich_back_unit)(const NAME(call) *call, int64_t row, int nrows, void *room, T *scratch, T *part) {
    const lw_job *job = call->job;
    int hadamard = job->w.mode == LW_HADAMARD;
    int64_t n = job->n, m = job->m;
    FORM(buffers) p;
    FORM(place)(job, room, &p);
    E *u = hadamard ? p.z : p.u;
    T *gS = job->gS ? part + call->at_S : NULL;
    vec *gf = FORM(clear_filter_grads)(call, scratch);
    T scale = (T)job->scale;
    FORM(load)(job->gy, job->bf16, job->out, row, nrows, 0, job->out, NULL, p.gy, job->out,
               job->gbias ? part + call->at_bias : NULL);

    for (int64_t b = 0; b < job->k; b++) {
        const T *B = (const T *)job->B + (job->chunked ? b * n : b * job->in), *G = call->G + b * m;
        const int64_t *perm = call->perm + b * m;
        /* forward again */
        FORM(block_in)(call, b, row, nrows, p.h, p.approx, p.c, scratch);
        if (hadamard) {
            FORM(gather_far)(p.c, perm, G, u, m);
            FORM(hadamard_near)(u, n);
        } else {
            FORM(gather_apart)(&job->w, p.c, perm, G, p.z);
            FORM(reconstruct)(&job->w, call->f, p.z, p.approx2, u, scratch);
        }
        /* and back */
        FORM(output_back)(call, p.gy, u, job->chunked ? 0 : b * n, gS);
        if (hadamard)
            FORM(hadamard)(u, n);
        else
            FORM(reconstruct_back)(&job->w, call->f, u, p.approx2, p.z, gf, scratch);
        if (job->gG && hadamard) FORM(gather_back)(p.z, p.c, perm, scale, m, part + call->at_G + b * m);
        if (job->gG && !hadamard) FORM(gather_apart_back)(&job->w, p.z, p.c, perm, scale, part + call->at_G + b * m);
        if (!call->input_grads) continue;
        const int64_t *inverse = call->inverse + b * m;
        const T *G_inverse = call->G_inverse + b * m;
        if (hadamard) {
            FORM(gather_far)(p.z, inverse, G_inverse, p.c, m);
            FORM(hadamard_near)(p.c, n);
        } else {
            FORM(gather_apart)(&job->w, p.z, inverse, G_inverse, p.c);
            FORM(decompose_back)(&job->w, call->f, p.c, p.approx, p.h, gf, scratch);
        }
        int64_t col = FORM(block_col)(job, b), cols = FORM(block_cols)(job, b);
        FORM(input_back)(hadamard ? p.c : p.h, cols, B, job->x, job->gx, job->bf16, job->in, row, nrows, col,
                         job->gB ? part + call->at_B + (job->chunked ? b * n : b * job->in) : NULL, (T *)p.acc,
                         job->chunked || b == 0, job->chunked || b == job->k - 1);
    }
    FORM(keep_filter_grads)(call, gf, part);
}
