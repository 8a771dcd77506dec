/* The backward pass of recurrent.h. */

/* The state before step s: that of the step before, and of rows that begin with step s the first one. */
LW_LOCAL void FORM(state_before)(const FORM(recurrence) *r, const void *states, const E *start, int64_t s, int64_t row,
                                 int nrows, int have, E *to) {
    int64_t n = r->call->job->in, at = row;
    int before = s ? FORM(rows_at)(r, s - 1, row, nrows, &at) : 0;
    if (before) FORM(read)(r, states, n, at, lw_min(before, have), 0, to);
    if (!before)
        memcpy((void *)to, start, (size_t)n * sizeof(E));
    else if (before < have)
        FORM(replace)(to, start, n, before);
}

/* Hands out g, the gradient of gate number `gate`'s input product: as it is, or as those of W and of the inputs. */
LW_LOCAL void FORM(input_product_back)(const FORM(recurrence) *r, int64_t gate, const E *g, int64_t row, int nrows, T *part) {
    const lw_job *job = r->call->job;
    int64_t n = job->in, inputs = job->inputs, padded = lw_aligned_size(n), ld = job->k * padded;
    if (!job->W) {
        FORM(write)(r, g, job->gx, job->k * n, row, nrows, gate * n);
        return;
    }
    const T *x = (const T *)job->x + row * inputs;
    if (job->gW) FORM(add_outer)(g, n, x, inputs, nrows, part + r->call->at_W + gate * padded, ld);
    if (!job->gx) return;
    for (int64_t j = 0; j < inputs; j++) {
        E s = FORM(weighted)(g, (const T *)job->W + j * ld + gate * padded, n);
        r->gin[j] = gate ? r->gin[j] + s : s;
    }
    if (gate == job->k - 1) FORM(store)(r->gin, inputs, NULL, NULL, job->gx, 0, inputs, row, nrows, 0);
}

/* gx += the gradient of `state` for gu, that of the product of gate g with it. */
LW_LOCAL void FORM(product_back)(const FORM(recurrence) *r, int64_t g, const E *state, E *gx, T *part) {
    if (FORM(is_dense)(r->call->job, g))
        FORM(dense_back)(r->call, g, state, r->gu[g], gx, r->rows, part);
    else
        FORM(multiply_back)(r->call, g, state, r->gu[g], &r->product[g], &r->sums, gx, r->scratch);
}

/* From gh, the gradient of the state after the step: gu of each gate and the part of gh that goes round the products. */
LW_LOCAL void FORM(gru_back)(const FORM(recurrence) *r, int64_t row, int nrows, T *part) {
    const lw_job *job = r->call->job;
    int64_t n = job->in, count = FORM(vectors)(n);
    const vec *reset = (vec *)r->value[0], *z = (vec *)r->value[1], *new = (vec *)r->value[2], *q = (vec *)r->q;
    const vec *h = (vec *)r->h;
    vec *gh = (vec *)r->gh, *gr = (vec *)r->gu[0], *gz = (vec *)r->gu[1], *gn = (vec *)r->gu[2], *gx = (vec *)r->gx;
    for (int64_t i = 0; i < count; i++) {
        vec g = gh[i];
        gz[i] = g * (h[i] - new[i]) * z[i] * (1 - z[i]);
        gx[i] = g * (1 - z[i]) * (1 - new[i] * new[i]);
        gn[i] = gx[i] * reset[i];
        gr[i] = gx[i] * q[i] * reset[i] * (1 - reset[i]);
        gh[i] = g * z[i];
    }
    for (int64_t g = 0; g < 3; g++)
        FORM(product_back)(r, g, r->h, r->gh, part);
    for (int64_t g = 0; g < 3; g++)
        FORM(input_product_back)(r, g, g == 2 ? r->gx : r->gu[g], row, nrows, part);
}

LW_LOCAL void FORM(published_back)(const FORM(recurrence) *r, int64_t row, int nrows, T *part) {
    const lw_job *job = r->call->job;
    int64_t n = job->in, count = FORM(vectors)(n);
    const vec *reset = (vec *)r->value[0], *z = (vec *)r->value[1], *new = (vec *)r->value[2], *h = (vec *)r->h;
    vec *gh = (vec *)r->gh, *gr = (vec *)r->gu[0], *gz = (vec *)r->gu[1], *gn = (vec *)r->gu[2], *grh = (vec *)r->gx;
    for (int64_t i = 0; i < count; i++) {
        vec g = gh[i];
        gz[i] = g * (new[i] - h[i]) * z[i] * (1 - z[i]);
        gn[i] = g * z[i] * (1 - new[i] * new[i]);
        gh[i] = g * (1 - z[i]);
        grh[i] = NAME(zero)();
    }
    FORM(product_back)(r, 2, r->rh, r->gx, part);
    for (int64_t i = 0; i < count; i++) {
        gr[i] = grh[i] * h[i] * reset[i] * (1 - reset[i]);
        gh[i] += grh[i] * reset[i];
    }
    for (int64_t g = 0; g < 2; g++)
        FORM(product_back)(r, g, r->h, r->gh, part);
    for (int64_t g = 0; g < 3; g++) FORM(input_product_back)(r, g, r->gu[g], row, nrows, part);
}

/* `cell`: the second state after the step; c: that before it */
LW_LOCAL void FORM(lstm_back)(const FORM(recurrence) *r, int64_t row, int nrows, T *part) {
    const lw_job *job = r->call->job;
    int64_t n = job->in, count = FORM(vectors)(n);
    const vec *in = (vec *)r->value[0], *forget = (vec *)r->value[1], *new = (vec *)r->value[2], *out = (vec *)r->value[3];
    const vec *c = (vec *)r->c, *cell = (vec *)r->cell;
    vec *gh = (vec *)r->gh, *gc = (vec *)r->gc;
    vec *gi = (vec *)r->gu[0], *gf = (vec *)r->gu[1], *gn = (vec *)r->gu[2], *go = (vec *)r->gu[3];
    for (int64_t i = 0; i < count; i++) {
        vec t = NAME(tanh)(cell[i]), g = gc[i] + gh[i] * out[i] * (1 - t * t);
        go[i] = gh[i] * t * out[i] * (1 - out[i]);
        gi[i] = g * new[i] * in[i] * (1 - in[i]);
        gn[i] = g * in[i] * (1 - new[i] * new[i]);
        gf[i] = g * c[i] * forget[i] * (1 - forget[i]);
        gc[i] = g * forget[i];
        gh[i] = NAME(zero)();
    }
    for (int64_t g = 0; g < 4; g++) {
        FORM(product_back)(r, g, r->h, r->gh, part);
        FORM(input_product_back)(r, g, r->gu[g], row, nrows, part);
    }
}

LW_LOCAL void FORM(step_back)(const FORM(recurrence) *r, int64_t row, int nrows, T *part) {
    if (r->of->cell == LW_GRU)
        FORM(gru_back)(r, row, nrows, part);
    else if (r->of->cell == LW_LSTM)
        FORM(lstm_back)(r, row, nrows, part);
    else
        FORM(published_back)(r, row, nrows, part);
}

LW_LOCAL void FORM(keep_sums)(const FORM(recurrence) *r, T *part) {
    const NAME(call) *call = r->call;
    const lw_job *job = call->job;
    if (r->sums.B) FORM(add_lines)(r->sums.B, job->k * job->in, 1, part + call->at_B);
    if (r->sums.S) FORM(add_lines)(r->sums.S, job->k * job->in, 1, part + call->at_S);
    if (r->sums.bias) FORM(add_lines)(r->sums.bias, job->k * job->in, 1, part + call->at_bias);
    if (r->sums.G) FORM(add_lines)(r->sums.G, job->k * job->m, (T)job->scale, part + call->at_G);
    for (int64_t i = 0; r->sums.filter && i < 4 * job->k * job->w.taps; i++)
        part[call->at_filter + i] += NAME(sum)(r->sums.filter[i]);
}

LW_LOCAL void FORM(recurrent_back_unit)(const NAME(call) *call, int64_t row, int nrows, void *room, T *scratch, T *part) {
    FORM(recurrence) r;
    const lw_job *job = call->job;
    int64_t n = job->in, at;
    FORM(begin_recurrence)(call, room, scratch, &r);
    const lw_recurrence *of = r.of;
    FORM(read)(&r, of->h0, n, row, nrows, 0, r.h0);
    FORM(read)(&r, of->c0, n, row, nrows, 0, r.c0);
    FORM(read)(&r, of->ghn, n, row, nrows, 0, r.gh);
    FORM(read)(&r, of->gcn, n, row, nrows, 0, r.gc);
    for (int64_t s = job->steps - 1; s >= 0; s--) {
        int have = FORM(rows_at)(&r, s, row, nrows, &at);
        if (!have) continue;
        FORM(state_before)(&r, job->y, r.h0, s, row, nrows, have, r.h);
        if (of->cell == LW_LSTM) {
            FORM(state_before)(&r, of->cells, r.c0, s, row, nrows, have, r.c);
            FORM(read)(&r, of->cells, n, at, have, 0, r.cell);
        }
        FORM(gates)(&r, at, have);
        if (have < nrows) {
            memcpy((void *)r.old_h, r.gh, (size_t)n * sizeof(E));
            memcpy((void *)r.old_c, r.gc, (size_t)n * sizeof(E));
            FORM(replace)(r.gh, NULL, n, have);
            FORM(replace)(r.gc, NULL, n, have);
        }
        FORM(read)(&r, job->gy, n, at, have, 0, r.x);
        FORM(add)(r.gh, r.x, n);
        FORM(step_back)(&r, at, have, part);
        if (have < nrows) {
            FORM(replace)(r.gh, r.old_h, n, have);
            FORM(replace)(r.gc, r.old_c, n, have);
        }
    }
    FORM(write)(&r, r.gh, of->gh0, n, row, nrows, 0);
    FORM(write)(&r, r.gc, of->gc0, n, row, nrows, 0);
    FORM(keep_sums)(&r, part);
}
