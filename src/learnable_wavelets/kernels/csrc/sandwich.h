/* y = wrap(S * W^-1 G P W B x) + bias for one unit (a tile of rows, or one row), forward and backward.
 * A template, like multilevel.h: E is vec or T. Buffers in `ws`: see FORM(sandwich_room). */

/* where block b reads its columns, and how many there are */
LW_INLINE int64_t FORM(block_col)(const lw_job *job, int64_t b) { return job->chunked ? b * job->n : 0; }
LW_INLINE int64_t FORM(block_cols)(const lw_job *job, int64_t b) {
    int64_t left = job->in - FORM(block_col)(job, b);
    return lw_max(0, lw_min(job->n, left));
}

/* elements of E: h, approx, c, z, approx, u (for all blocks), out or gy */
LW_LOCAL int64_t FORM(sandwich_room)(const lw_job *job) {
    int64_t wide = NAME(round_up)(job->n), packed = NAME(round_up)(job->m);
    return 2 * wide + 2 * packed + 2 * NAME(round_up)(job->w.approx_size) + NAME(round_up)(job->out) +
           (job->chunked ? wide : job->k * job->n) + NAME(round_up)(job->k > 1 ? job->in : 0) + LANES;
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
    E *h = room, *approx = h + NAME(round_up)(n), *c = approx + NAME(round_up)(job->w.approx_size);
    E *z = c + NAME(round_up)(m), *u = z + NAME(round_up)(m), *v = u + NAME(round_up)(n);
    int64_t width = job->chunked ? n : job->k * n;
    int hadamard = job->w.mode == LW_HADAMARD, direct = hadamard && job->k == 1 && (job->out == n || !job->wrap);
    (void)part;
    for (int64_t b = 0; b < job->k; b++) {
        const T *G = (const T *)job->G + b * m;
        E *target = job->chunked ? (b ? u : v) : v + b * n;
        FORM(block_in)(call, b, row, nrows, h, approx, c, scratch);
        if (hadamard) {
            FORM(gather_far)(c, job->perm + b * m, G, (T)job->scale, target, m);
            if (!direct) FORM(hadamard_near)(target, n);
        } else {
            FORM(gather)(c, job->perm + b * m, G, 1, z, m);
            FORM(reconstruct)(&job->w, call->f, z, approx, target, scratch);
        }
        if (job->chunked && b) FORM(add)(v, u, n);
    }
    if (direct) {
        FORM(hadamard_store)(v, n, job->out, job->S, job->bias, job->y, job->bf16, job->out, row, nrows);
        return;
    }
    for (int64_t j = job->out; job->wrap && j < width; j += job->out)
        FORM(add)(v, v + j, lw_min(job->out, width - j));
    FORM(store)(v, job->out, job->S, job->bias, job->y, job->bf16, job->out, row, nrows, 0);
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
    E *h = room, *approx = h + NAME(round_up)(n), *c = approx + NAME(round_up)(job->w.approx_size);
    E *z = c + NAME(round_up)(m), *u = z + NAME(round_up)(m), *approx2 = u + NAME(round_up)(n);
    E *gy = approx2 + NAME(round_up)(job->w.approx_size), *acc = gy + NAME(round_up)(job->out);
    T *gS = job->gS ? part + call->at_S : NULL;
    vec *gf = FORM(clear_filter_grads)(call, scratch);
    T scale = (T)job->scale;
    if (hadamard) u = z;
    FORM(load)(job->gy, job->bf16, job->out, row, nrows, 0, job->out, NULL, gy, job->out,
               job->gbias ? part + call->at_bias : NULL);

    for (int64_t b = 0; b < job->k; b++) {
        const T *B = (const T *)job->B + (job->chunked ? b * n : b * job->in), *G = (const T *)job->G + b * m;
        const int64_t *perm = job->perm + b * m;
        /* forward again */
        FORM(block_in)(call, b, row, nrows, h, approx, c, scratch);
        if (hadamard) {
            FORM(gather_far)(c, perm, G, scale, u, m);
            FORM(hadamard_near)(u, n);
        } else {
            FORM(gather)(c, perm, G, scale, z, m);
            FORM(reconstruct)(&job->w, call->f, z, approx2, u, scratch);
        }
        /* and back */
        FORM(output_back)(call, gy, u, job->chunked ? 0 : b * n, gS);
        if (hadamard)
            FORM(hadamard)(u, n);
        else
            FORM(reconstruct_back)(&job->w, call->f, u, approx2, z, gf, scratch);
        if (job->gG) FORM(gather_back)(z, c, perm, scale, m, part + call->at_G + b * m);
        if (!call->input_grads) continue;
        if (hadamard) {
            FORM(gather_far)(z, call->inverse + b * m, call->G_inverse + b * m, scale, c, m);
            FORM(hadamard_near)(c, n);
        } else {
            FORM(gather)(z, call->inverse + b * m, call->G_inverse + b * m, scale, c, m);
            FORM(decompose_back)(&job->w, call->f, c, approx, h, gf, scratch);
        }
        int64_t col = FORM(block_col)(job, b), cols = FORM(block_cols)(job, b);
        FORM(input_back)(hadamard ? c : h, cols, B, job->x, job->gx, job->bf16, job->in, row, nrows, col,
                         job->gB ? part + call->at_B + (job->chunked ? b * n : b * job->in) : NULL, (T *)acc,
                         job->chunked || b == 0, job->chunked || b == job->k - 1);
    }
    FORM(keep_filter_grads)(call, gf, part);
}
