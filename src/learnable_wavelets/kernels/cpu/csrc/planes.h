/* One level of the 2-D transform of many planes: the analysis, and its adjoint, which is the synthesis and the gradient.
 * Rows go by in order, columns first: an output row needs `taps` input rows, which are still in the cache from the row
 * before. Axis 0 is that of the columns, axis 1 lies in memory. Bands: aa, ad, da, dd, each of all planes; the first
 * letter belongs to axis 0. */

typedef struct {
    const lw_planes *job;
    T *f; /* lo and hi of both axes, in the order in which an analysis reads them */
    int64_t line_room, row_room, coef_room, slots, room;
    double *total; /* gradients of the filters, in the order of f */
} NAME(planes_call);

typedef T NAME(four)[4];

/* What a thread works with. */
typedef struct {
    NAME(line) low[2], high[2]; /* of two output rows */
    T *edge_rows, *zero_row, *joined, *coefs[4];
    const T **rows;
    NAME(line) *line_low, *line_high; /* of coefficient row tag[slot] */
    int64_t *tag;
    const T **used; /* of a pair of rows: where the low lines begin, and their taps */
    NAME(four) *used_f;
} NAME(planes_room);

/* Lays the room out at `at`, or counts its bytes for NULL. */
LW_LOCAL size_t NAME(lay_planes)(const NAME(planes_call) *call, char *at, NAME(planes_room) *r) {
    const lw_axis *rows = call->job->axis, *row = rows + 1;
    size_t size = 0;
#define LW_TAKE(to, type, count) to = (type *)(at ? at + size : NULL), size += ((size_t)(count) * sizeof(type) + 63) / 64 * 64
    T *lines;
    LW_TAKE(lines, T, (4 + 2 * call->slots) * call->line_room);
    LW_TAKE(r->edge_rows, T, (rows->taps + 2) * call->row_room);
    LW_TAKE(r->zero_row, T, call->row_room);
    LW_TAKE(r->joined, T, 3 * call->row_room);
    for (int b = 0; b < 4; b++) LW_TAKE(r->coefs[b], T, call->coef_room);
    LW_TAKE(r->rows, const T *, rows->taps + 2);
    LW_TAKE(r->line_low, NAME(line), call->slots);
    LW_TAKE(r->line_high, NAME(line), call->slots);
    LW_TAKE(r->tag, int64_t, call->slots);
    LW_TAKE(r->used, const T *, call->slots);
    LW_TAKE(r->used_f, NAME(four), call->slots);
#undef LW_TAKE
    if (!at) return size;
    memset(at, 0, size);
    for (int b = 0; b < 4; b++) r->coefs[b] += lw_aligned_size(row->taps);
    for (int i = 0; i < 2; i++) {
        r->low[i] = NAME(lay_line)(row, lines + 2 * i * call->line_room);
        r->high[i] = NAME(lay_line)(row, lines + (2 * i + 1) * call->line_room);
    }
    for (int64_t s = 0; s < call->slots; s++) {
        r->tag[s] = -1;
        r->line_low[s] = NAME(lay_line)(row, lines + (4 + 2 * s) * call->line_room);
        r->line_high[s] = NAME(lay_line)(row, lines + (5 + 2 * s) * call->line_room);
    }
    return size;
}

/* r->rows: the rows of a plane that `count` output rows from k on see, those outside as axis->mode continues the plane. */
LW_LOCAL void NAME(see_rows)(const NAME(planes_call) *call, NAME(planes_room) *r, const T *x, int64_t k, int count) {
    const lw_axis *axis = call->job->axis;
    int64_t n = call->job->axis[1].n;
    for (int t = 0; t < axis->taps + 2 * (count - 1); t++) {
        int64_t i = 2 * k + t - axis->lead;
        r->rows[t] = x + i * n;
        if (i >= 0 && i < axis->n) continue;
        const lw_outside *o = axis->edge + (i < 0 ? i + axis->lead : i - axis->n + axis->lead);
        if (o->count == 1 && o->weight[0] == 1) r->rows[t] = x + o->at[0] * n;
        if (o->count == 0) r->rows[t] = r->zero_row;
        if (o->count == 0 || (o->count == 1 && o->weight[0] == 1)) continue;
        T *to = r->edge_rows + t * call->row_room;
        const T *p = x + o->at[0] * n, *q = x + o->at[1] * n, *s = x + o->at[2] * n;
        T a = (T)o->weight[0], b = (T)o->weight[1], c = (T)o->weight[2];
        r->rows[t] = to;
        if (axis->mode == LW_SMOOTH) /* the difference first: it may be small */
            for (int64_t j = 0; j < n; j++) to[j] = p[j] + (p[j] - q[j]) * -b;
        else if (o->count == 1)
            for (int64_t j = 0; j < n; j++) to[j] = p[j] * a;
        else if (o->count == 2)
            for (int64_t j = 0; j < n; j++) to[j] = p[j] * a + q[j] * b;
        else
            for (int64_t j = 0; j < n; j++) to[j] = p[j] * a + q[j] * b + s[j] * c;
    }
}

LW_LOCAL void NAME(analyse_columns)(const NAME(planes_call) *call, NAME(planes_room) *r, int count) {
    const lw_axis *axis = call->job->axis;
    NAME(columns)(r->rows, axis[1].n, call->f, call->f + axis->taps, axis->taps, r->low, r->high, count);
    for (int i = 0; i < count; i++) NAME(fill_line)(axis + 1, r->low + i), NAME(fill_line)(axis + 1, r->high + i);
}

LW_LOCAL void NAME(analyse_unit)(const NAME(planes_call) *call, NAME(planes_room) *r, int64_t plane, int64_t from,
                                 int64_t to, double *part) {
    const lw_planes *job = call->job;
    const lw_axis *col = job->axis, *row = col + 1;
    const T *x = (const T *)job->x + plane * col->n * row->n, *lo = call->f + 2 * col->taps, *hi = lo + row->taps;
    (void)part;
    for (int64_t k = from; k < to; k += 2) {
        int count = (int)lw_min(2, to - k);
        NAME(see_rows)(call, r, x, k, count);
        NAME(analyse_columns)(call, r, count);
        for (int i = 0; i < count; i++) {
            T *out[4];
            for (int b = 0; b < 4; b++) out[b] = (T *)job->out[b] + (plane * col->m + k + i) * row->m;
            NAME(filter_line)(r->low + i, row->m, lo, hi, row->taps, out[0], out[1]);
            NAME(filter_line)(r->high + i, row->m, lo, hi, row->taps, out[2], out[3]);
        }
    }
}

/* The slot with both lines of coefficient row k, after the adjoint in the rows. */
LW_LOCAL int64_t NAME(spread_coefs)(const NAME(planes_call) *call, NAME(planes_room) *r, int64_t plane, int64_t k) {
    const lw_planes *job = call->job;
    const lw_axis *col = job->axis, *row = col + 1;
    const T *lo = call->f + 2 * col->taps, *hi = lo + row->taps;
    int64_t slot = k % call->slots;
    if (r->tag[slot] == k) return slot;
    r->tag[slot] = k;
    for (int b = 0; b < 4; b++)
        memcpy(r->coefs[b], (const T *)job->bands[b] + (plane * col->m + k) * row->m, (size_t)row->m * sizeof(T));
    NAME(spread_line)(r->coefs[0], r->coefs[1], row->half, lo, hi, row->taps, r->line_low + slot);
    NAME(spread_line)(r->coefs[2], r->coefs[3], row->half, lo, hi, row->taps, r->line_high + slot);
    if (row->mode != LW_ZERO) {
        NAME(fold_line)(row, r->line_low + slot);
        NAME(fold_line)(row, r->line_high + slot);
    }
    return slot;
}

/* Rows 2q and 2q + 1 of the extended plane. */
LW_LOCAL void NAME(merge_rows)(const NAME(planes_call) *call, NAME(planes_room) *r, int64_t plane, int64_t q, T *y0,
                               T *y1) {
    const lw_axis *col = call->job->axis;
    const T *lo = call->f, *hi = lo + col->taps;
    int lines = 0;
    for (int u = 0; u < col->taps / 2; u++) {
        if (q - u < 0 || q - u >= col->m) continue;
        int64_t slot = NAME(spread_coefs)(call, r, plane, q - u);
        r->used[lines] = r->line_low[slot].in0;
        T *f = r->used_f[lines++];
        f[0] = lo[2 * u], f[1] = lo[2 * u + 1], f[2] = hi[2 * u], f[3] = hi[2 * u + 1];
    }
    const NAME(line) *low = r->line_low, *high = r->line_high; /* all lines lie alike */
    NAME(merge_lines)(r->used, low->in1 - low->in0, high->in0 - low->in0, (const NAME(four) *)r->used_f, lines, col[1].n, y0, y1);
}

/* Of `count` rows of coefficients, which share the rows of x that they see. */
LW_LOCAL void NAME(filter_grads)(const NAME(planes_call) *call, NAME(planes_room) *r, int64_t plane, int64_t k, int count,
                                 double *part) {
    const lw_planes *job = call->job;
    const lw_axis *col = job->axis, *row = col + 1;
    double *rows_part = part + 2 * col->taps;
    T *low = r->joined + call->row_room, *high = low + call->row_room;
    NAME(see_rows)(call, r, (const T *)job->x + plane * col->n * row->n, k, count);
    if (row->grads) NAME(analyse_columns)(call, r, count);
    for (int i = 0; i < count; i++) {
        int64_t slot = NAME(spread_coefs)(call, r, plane, k + i);
        if (row->grads) {
            for (int b = 0; b < 4; b++) /* the slot may be of an earlier turn */
                memcpy(r->coefs[b], (const T *)job->bands[b] + (plane * col->m + k + i) * row->m, (size_t)row->m * sizeof(T));
            NAME(row_filter_grads)((const T *const *)r->coefs, row->m, r->low + i, r->high + i, row->taps, rows_part,
                                   rows_part + row->taps);
        }
        if (!col->grads) continue;
        NAME(join_line)(r->line_low + slot, row->n, low);
        NAME(join_line)(r->line_high + slot, row->n, high);
        NAME(column_filter_grads)(low, high, row->n, r->rows + 2 * i, col->taps, part, part + col->taps);
    }
}

/* Pairs of rows from..to-1 of the extended plane, of which those inside are written. */
LW_LOCAL void NAME(adjoint_unit)(const NAME(planes_call) *call, NAME(planes_room) *r, int64_t plane, int64_t from,
                                 int64_t to, double *part) {
    const lw_planes *job = call->job;
    const lw_axis *col = job->axis;
    int64_t n = col[1].n;
    for (int64_t s = 0; s < call->slots; s++) r->tag[s] = -1; /* of another plane */
    for (int64_t q = from; q < to; q++) {
        if (part && q < col->m && (q - from) % 2 == 0)
            NAME(filter_grads)(call, r, plane, q, (int)lw_min(2, lw_min(to, col->m) - q), part);
        if (!job->out[0]) continue;
        int64_t i = 2 * q - col->lead;
        T *y = (T *)job->out[0] + (plane * col->n + i) * n;
        int first = i >= 0 && i < col->n, second = i + 1 >= 0 && i + 1 < col->n;
        if (first || second) NAME(merge_rows)(call, r, plane, q, first ? y : NULL, second ? y + n : NULL);
    }
}

/* And those outside are added to the rows that they continue. */
LW_LOCAL void NAME(fold_rows)(const NAME(planes_call) *call, NAME(planes_room) *r, int64_t plane) {
    const lw_planes *job = call->job;
    const lw_axis *col = job->axis;
    int64_t n = col[1].n;
    for (int64_t s = 0; s < call->slots; s++) r->tag[s] = -1;
    for (int64_t e = 0; e < col->lead + col->tail; e++) {
        const lw_outside *o = col->edge + e;
        int64_t seen = e < col->lead ? e : col->n + e;
        NAME(merge_rows)(call, r, plane, seen / 2, seen % 2 ? NULL : r->joined, seen % 2 ? r->joined : NULL);
        for (int k = 0; k < o->count; k++) {
            T *y = (T *)job->out[0] + (plane * col->n + o->at[k]) * n, weight = (T)o->weight[k];
            for (int64_t j = 0; j < n; j++) y[j] += r->joined[j] * weight;
        }
    }
}
