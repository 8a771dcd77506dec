/* The stationary transform of rows: an analysis of several levels, and its adjoint, which is the synthesis and the gradient.
 * Level j has filters spread out by s = dilation 2^(j - 1), around the row in a circle:
 *   a[q] = sum_t lo[t] x[q + off[t]],  d[q] with hi,  off[t] = s (taps/2 - t).
 * An axis that is not the last is the same on its flat rows, with its stride as the dilation. With `inverse` an analysis is
 * the adjoint of one level of the synthesis, off[t] = s (t + 1 - taps/2), with halved filters.
 * A row is cut where a tap passes its end: between cuts each tap is a contiguous load. */

typedef struct {
    const lw_undecimated *job;
    T *lo, *hi;
    int64_t *off;  /* of the taps, in 0..n-1: for each level, and for the adjoint of each */
    int64_t parts; /* sums of the filters' gradients, of so many groups of rows, or blocks of one */
    double *part;
} NAME(undecimated_call);

/* What one row needs, or all threads that work at one: x and the approximations after levels 1 to level - 1, then two
 * gradients of approximations. */
LW_LOCAL T *NAME(level_room)(const NAME(undecimated_call) *call, T *room, int j) { return room + (j - 1) * call->job->n; }

LW_LOCAL int64_t NAME(rooms)(const lw_undecimated *job) {
    return job->adjoint ? lw_max(0, job->level - 1) + 2 : lw_min(2, job->level);
}

LW_LOCAL void NAME(fill_offsets)(const lw_undecimated *job, int64_t *off) {
    for (int j = 0; j < job->level; j++)
        for (int t = 0; t < job->taps; t++) {
            int64_t s = job->dilation * ((int64_t)1 << j);
            int64_t o = s * (job->inverse ? t + 1 - job->taps / 2 : job->taps / 2 - t) % job->n;
            off[j * job->taps + t] = o < 0 ? o + job->n : o;
            off[(job->level + j) * job->taps + t] = o > 0 ? job->n - o : -o;
        }
}

LW_LOCAL const int64_t *NAME(offsets)(const NAME(undecimated_call) *call, int j, int back) {
    return call->off + ((back ? call->job->level : 0) + j - 1) * call->job->taps;
}

/* The end of the stretch from q on in which no tap passes the end; pointers p[t] so that tap t of place i is p[t][i]. */
LW_LOCAL int64_t NAME(stretch)(const T *x, int64_t n, const int64_t *off, int taps, int64_t q, int64_t to, const T **p) {
    for (int t = 0; t < taps; t++) {
        int64_t cut = n - off[t];
        p[t] = q < cut ? x + off[t] : x + off[t] - n;
        if (q < cut) to = lw_min(to, cut);
    }
    return to;
}

LW_INLINE void NAME(analyse_stretch)(const T *const *p, const T *lo, const T *hi, T *a, T *d, int64_t q, int64_t to,
                                     const int taps) {
    for (; q + 2 * LANES <= to; q += 2 * LANES) {
        vec a0 = NAME(zero)(), a1 = a0, d0 = a0, d1 = a0;
        for (int t = 0; t < taps; t++) {
            vec v = NAME(loadu)(p[t] + q), w = NAME(loadu)(p[t] + q + LANES);
            a0 += v * lo[t], a1 += w * lo[t], d0 += v * hi[t], d1 += w * hi[t];
        }
        NAME(storeu)(a + q, a0), NAME(storeu)(a + q + LANES, a1);
        NAME(storeu)(d + q, d0), NAME(storeu)(d + q + LANES, d1);
    }
    for (; q < to; q++) {
        T sa = 0, sd = 0;
        for (int t = 0; t < taps; t++) sa += p[t][q] * lo[t], sd += p[t][q] * hi[t];
        a[q] = sa, d[q] = sd;
    }
}

/* y = sum_t lo[t] a[q + off[t]] + hi[t] d[q + off[t]], and `plus`, if there is one. */
LW_INLINE void NAME(merge_stretch)(const T *const *p, const T *const *r, const T *lo, const T *hi, const T *plus, T *y,
                                   int64_t q, int64_t to, const int taps) {
    for (; q + 2 * LANES <= to; q += 2 * LANES) {
        vec a0 = NAME(zero)(), a1 = a0, d0 = a0, d1 = a0;
        for (int t = 0; t < taps; t++) {
            a0 += NAME(loadu)(p[t] + q) * lo[t], a1 += NAME(loadu)(p[t] + q + LANES) * lo[t];
            d0 += NAME(loadu)(r[t] + q) * hi[t], d1 += NAME(loadu)(r[t] + q + LANES) * hi[t];
        }
        if (plus) a0 += NAME(loadu)(plus + q), a1 += NAME(loadu)(plus + q + LANES);
        NAME(storeu)(y + q, a0 + d0), NAME(storeu)(y + q + LANES, a1 + d1);
    }
    for (; q < to; q++) {
        T s = plus ? plus[q] : 0;
        for (int t = 0; t < taps; t++) s += p[t][q] * lo[t] + r[t][q] * hi[t];
        y[q] = s;
    }
}

LW_LOCAL void NAME(analyse_level)(const NAME(undecimated_call) *call, int j, const T *x, T *a, T *d, int64_t q, int64_t to,
                                  const T **p) {
    const lw_undecimated *job = call->job;
    const int64_t *off = NAME(offsets)(call, j, 0);
    while (q < to) {
        int64_t end = NAME(stretch)(x, job->n, off, job->taps, q, to, p);
        switch (job->taps) {
        case 2: NAME(analyse_stretch)(p, call->lo, call->hi, a, d, q, end, 2); break;
        case 4: NAME(analyse_stretch)(p, call->lo, call->hi, a, d, q, end, 4); break;
        case 8: NAME(analyse_stretch)(p, call->lo, call->hi, a, d, q, end, 8); break;
        default: NAME(analyse_stretch)(p, call->lo, call->hi, a, d, q, end, job->taps);
        }
        q = end;
    }
}

LW_LOCAL void NAME(merge_level)(const NAME(undecimated_call) *call, int j, const T *a, const T *d, const T *plus, T *y,
                                int64_t q, int64_t to, const T **p) {
    const lw_undecimated *job = call->job;
    const int64_t *off = NAME(offsets)(call, j, 1);
    while (q < to) {
        int64_t end = NAME(stretch)(a, job->n, off, job->taps, q, to, p);
        NAME(stretch)(d, job->n, off, job->taps, q, to, p + job->taps);
        switch (job->taps) {
        case 2: NAME(merge_stretch)(p, p + 2, call->lo, call->hi, plus, y, q, end, 2); break;
        case 4: NAME(merge_stretch)(p, p + 4, call->lo, call->hi, plus, y, q, end, 4); break;
        case 8: NAME(merge_stretch)(p, p + 8, call->lo, call->hi, plus, y, q, end, 8); break;
        default: NAME(merge_stretch)(p, p + job->taps, call->lo, call->hi, plus, y, q, end, job->taps);
        }
        q = end;
    }
}

/* part[t] += sum_q a[q] x[q + off[t]], part[taps + t] with d, in blocks short enough to stay in the first cache. */
LW_LOCAL void NAME(correlate_level)(const NAME(undecimated_call) *call, int j, const T *a, const T *d, const T *x, int64_t q,
                                    int64_t to, const T **p, double *part) {
    const lw_undecimated *job = call->job;
    const int64_t *off = NAME(offsets)(call, j, 0);
    while (q < to) {
        int64_t end = NAME(stretch)(x, job->n, off, job->taps, q, lw_min(to, q + 1024), p);
        for (int t = 0; t < job->taps; t += 2) {
            vec a0 = NAME(zero)(), a1 = a0, d0 = a0, d1 = a0;
            const T *p0 = p[t], *p1 = p[t + 1];
            T sa0 = 0, sa1 = 0, sd0 = 0, sd1 = 0;
            int64_t i = q;
            for (; i + LANES <= end; i += LANES) {
                vec va = NAME(loadu)(a + i), vd = NAME(loadu)(d + i), x0 = NAME(loadu)(p0 + i), x1 = NAME(loadu)(p1 + i);
                a0 += va * x0, a1 += va * x1, d0 += vd * x0, d1 += vd * x1;
            }
            for (; i < end; i++) {
                sa0 += a[i] * p0[i], sa1 += a[i] * p1[i];
                sd0 += d[i] * p0[i], sd1 += d[i] * p1[i];
            }
            part[t] += NAME(sum)(a0) + sa0, part[t + 1] += NAME(sum)(a1) + sa1;
            part[job->taps + t] += NAME(sum)(d0) + sd0, part[job->taps + t + 1] += NAME(sum)(d1) + sd1;
        }
        q = end;
    }
}

/* Step `step` of one row, for places q..to-1: all threads finish a step before the next. */
LW_LOCAL void NAME(undecimated_step)(const NAME(undecimated_call) *call, int64_t row, int step, T *room, int64_t q,
                                     int64_t to, double *part, const T **p) {
    const lw_undecimated *job = call->job;
    const T *x = job->x ? (const T *)job->x + row * job->n : NULL;
    int level = job->level, first = job->adjoint && job->grads ? level - 1 : 0, j = step + 1;
#define LW_BAND(base, j) ((T *)(base) + ((level - (j)) * job->stride * job->rows + row) * job->n)
    if (!job->adjoint) {
        const T *from = j == 1 ? x : job->trim ? NAME(level_room)(call, room, 1 + (j - 1) % 2) : LW_BAND(job->a, j - 1);
        T *a = job->trim && j < level ? NAME(level_room)(call, room, 1 + j % 2) : LW_BAND(job->a, j);
        NAME(analyse_level)(call, j, from, a, LW_BAND(job->d, j), q, to, p);
        return;
    }
    if (step < first) { /* the approximations, once more; details go where a gradient will be */
        const T *from = j == 1 ? x : NAME(level_room)(call, room, j - 1);
        NAME(analyse_level)(call, j, from, NAME(level_room)(call, room, j), NAME(level_room)(call, room, level), q, to, p);
        return;
    }
    j = level - (step - first);
    const T *g = j == level ? LW_BAND(job->a, level) : NAME(level_room)(call, room, level + (j + 1) % 2);
    const T *gd = LW_BAND(job->d, j), *plus = job->trim || j == 1 ? NULL : LW_BAND(job->a, j - 1);
    const T *seen = j == 1 ? x : NAME(level_room)(call, room, j - 1);
    T *y = j > 1 ? NAME(level_room)(call, room, level + j % 2) : job->out ? (T *)job->out + row * job->n : NULL;
    if (job->grads) NAME(correlate_level)(call, j, g, gd, seen, q, to, p, part);
    if (y) NAME(merge_level)(call, j, g, gd, plus, y, q, to, p);
#undef LW_BAND
}
