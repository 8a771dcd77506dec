/* Steps of the 2-D transform on the lines of one plane. A line of n samples lies split: sample i is value i + lead of the
 * signal as an analysis sees it, extended at both ends, and even and odd values of that signal are two arrays of `half`
 * values. So each tap is a contiguous load, whatever the parity of `lead`:
 *   a[k] = sum_u lo[2u] even[k + u] + lo[2u + 1] odd[k + u],  and the adjoint likewise. */

typedef struct {
    T *even, *odd; /* values 0, 2, ... and 1, 3, ... of the extended signal */
    T *in0, *in1;  /* in the same memory: samples 0, 2, ... and 1, 3, ... */
} NAME(line);

LW_INLINE int64_t NAME(half_room)(const lw_axis *axis) { return lw_aligned_size(axis->half + 3 * LANES); }

/* A line in `room`, of 2 half_room values. */
LW_INLINE NAME(line) NAME(lay_line)(const lw_axis *axis, T *room) {
    NAME(line) line = {room, room + NAME(half_room)(axis), NULL, NULL};
    int64_t h = axis->lead / 2;
    line.in0 = axis->lead % 2 ? line.odd + h : line.even + h;
    line.in1 = axis->lead % 2 ? line.even + h + 1 : line.odd + h;
    return line;
}

/* Sample i, also outside. */
LW_INLINE T *NAME(sample)(const NAME(line) *line, int64_t i) { return (i & 1 ? line->in1 : line->in0) + (i >> 1); }

LW_LOCAL void NAME(fill_line)(const lw_axis *axis, const NAME(line) *line) {
    for (int64_t e = 0; e < axis->lead + axis->tail; e++) {
        const lw_outside *o = axis->edge + e;
        T *to = NAME(sample)(line, e < axis->lead ? e - axis->lead : axis->n + e - axis->lead), s = 0;
        if (axis->mode == LW_SMOOTH && o->count == 2) { /* the difference first: it may be small */
            T end = *NAME(sample)(line, o->at[0]);
            *to = end + (end - *NAME(sample)(line, o->at[1])) * (T)-o->weight[1];
            continue;
        }
        for (int k = 0; k < o->count; k++) s += *NAME(sample)(line, o->at[k]) * (T)o->weight[k];
        *to = s;
    }
}

/* The adjoint. */
LW_LOCAL void NAME(fold_line)(const lw_axis *axis, const NAME(line) *line) {
    for (int64_t e = 0; e < axis->lead + axis->tail; e++) {
        const lw_outside *o = axis->edge + e;
        T from = *NAME(sample)(line, e < axis->lead ? e - axis->lead : axis->n + e - axis->lead);
        for (int k = 0; k < o->count; k++) *NAME(sample)(line, o->at[k]) += from * (T)o->weight[k];
    }
}

/* Output row r: low[r] = sum_t lo[t] rows[2r + t] and high[r] likewise, split; `count` of them at once share their loads. */
LW_INLINE void NAME(columns_inner)(const T *const *rows, int64_t n, const T *lo, const T *hi, const NAME(line) *low,
                                   const NAME(line) *high, const int taps, const int count) {
    int64_t j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES) {
        vec a[2][2], d[2][2];
        for (int r = 0; r < count; r++) a[r][0] = a[r][1] = d[r][0] = d[r][1] = NAME(zero)();
        for (int t = 0; t < taps + 2 * (count - 1); t++) {
            vec v = NAME(loadu)(rows[t] + j), w = NAME(loadu)(rows[t] + j + LANES);
            if (t < taps) a[0][0] += v * lo[t], a[0][1] += w * lo[t], d[0][0] += v * hi[t], d[0][1] += w * hi[t];
            if (count == 1 || t < 2) continue;
            a[1][0] += v * lo[t - 2], a[1][1] += w * lo[t - 2], d[1][0] += v * hi[t - 2], d[1][1] += w * hi[t - 2];
        }
        for (int r = 0; r < count; r++) {
            NAME(storeu)(low[r].in0 + j / 2, EVEN(a[r][0], a[r][1]));
            NAME(storeu)(low[r].in1 + j / 2, ODD(a[r][0], a[r][1]));
            NAME(storeu)(high[r].in0 + j / 2, EVEN(d[r][0], d[r][1]));
            NAME(storeu)(high[r].in1 + j / 2, ODD(d[r][0], d[r][1]));
        }
    }
    for (; j < n; j++)
        for (int r = 0; r < count; r++) {
            T a = 0, d = 0;
            for (int t = 0; t < taps; t++) a += rows[2 * r + t][j] * lo[t], d += rows[2 * r + t][j] * hi[t];
            *NAME(sample)(low + r, j) = a, *NAME(sample)(high + r, j) = d;
        }
}

LW_LOCAL void NAME(columns)(const T *const *rows, int64_t n, const T *lo, const T *hi, int taps, const NAME(line) *low,
                            const NAME(line) *high, int count) {
#define LW_COLUMNS(taps) \
    if (count == 2) \
        NAME(columns_inner)(rows, n, lo, hi, low, high, taps, 2); \
    else \
        NAME(columns_inner)(rows, n, lo, hi, low, high, taps, 1)
    switch (taps) {
    case 2: LW_COLUMNS(2); break;
    case 4: LW_COLUMNS(4); break;
    case 10: LW_COLUMNS(10); break;
    default: LW_COLUMNS(taps);
    }
#undef LW_COLUMNS
}

LW_INLINE void NAME(filter_inner)(const NAME(line) *line, int64_t m, const T *lo, const T *hi, T *a, T *d, const int taps) {
    for (int64_t k = 0; k < m; k += LANES) {
        vec sa = NAME(zero)(), sd = sa, ta = sa, td = sa;
        for (int u = 0; u < taps / 2; u++) {
            vec e = NAME(loadu)(line->even + k + u), f = NAME(loadu)(line->odd + k + u);
            sa += e * lo[2 * u], ta += f * lo[2 * u + 1];
            sd += e * hi[2 * u], td += f * hi[2 * u + 1];
        }
        if (k + LANES <= m) {
            NAME(storeu)(a + k, sa + ta);
            NAME(storeu)(d + k, sd + td);
        } else {
            NAME(store_part)(a, k, sa + ta, m - k, 0);
            NAME(store_part)(d, k, sd + td, m - k, 0);
        }
    }
}

LW_LOCAL void NAME(filter_line)(const NAME(line) *line, int64_t m, const T *lo, const T *hi, int taps, T *a, T *d) {
    switch (taps) {
    case 2: NAME(filter_inner)(line, m, lo, hi, a, d, 2); break;
    case 4: NAME(filter_inner)(line, m, lo, hi, a, d, 4); break;
    case 10: NAME(filter_inner)(line, m, lo, hi, a, d, 10); break;
    default: NAME(filter_inner)(line, m, lo, hi, a, d, taps);
    }
}

/* Its adjoint without the folding: a and d have taps/2 - 1 zeros before them and as many, and a vector, after them. */
LW_INLINE void NAME(spread_inner)(const T *a, const T *d, int64_t half, const T *lo, const T *hi, const NAME(line) *line,
                                  const int taps) {
    for (int64_t q = 0; q < half; q += LANES) {
        vec e = NAME(zero)(), f = e, g = e, h = e;
        for (int u = 0; u < taps / 2; u++) {
            vec va = NAME(loadu)(a + q - u), vd = NAME(loadu)(d + q - u);
            e += va * lo[2 * u], f += va * lo[2 * u + 1];
            g += vd * hi[2 * u], h += vd * hi[2 * u + 1];
        }
        NAME(storeu)(line->even + q, e + g);
        NAME(storeu)(line->odd + q, f + h);
    }
}

LW_LOCAL void NAME(spread_line)(const T *a, const T *d, int64_t half, const T *lo, const T *hi, int taps,
                                const NAME(line) *line) {
    switch (taps) {
    case 2: NAME(spread_inner)(a, d, half, lo, hi, line, 2); break;
    case 4: NAME(spread_inner)(a, d, half, lo, hi, line, 4); break;
    case 10: NAME(spread_inner)(a, d, half, lo, hi, line, 10); break;
    default: NAME(spread_inner)(a, d, half, lo, hi, line, taps);
    }
}

/* The samples of a line, and up to two vectors more, in order. */
LW_LOCAL void NAME(join_line)(const NAME(line) *line, int64_t n, T *to) {
    for (int64_t h = 0; 2 * h < n; h += LANES) {
        vec e = NAME(loadu)(line->in0 + h), o = NAME(loadu)(line->in1 + h);
        NAME(storeu)(to + 2 * h, ZIPLO(e, o));
        NAME(storeu)(to + 2 * h + LANES, ZIPHI(e, o));
    }
}

/* Two rows of the adjoint in the columns, y0 = sum_l f[l][0] low[l] + f[l][2] high[l] and y1 with f[l][1], f[l][3]: either
 * may be absent. low[l] begins at p[l]; its other half lies `odd` further, the high line `high`. */
LW_INLINE void NAME(merge_inner)(const T *const *p, int64_t odd, int64_t high, const T (*f)[4], int64_t n, T *y0, T *y1,
                                 const int lines) {
    for (int64_t h = 0; 2 * h < n; h += LANES) {
        vec e0 = NAME(zero)(), o0 = e0, e1 = e0, o1 = e0;
        for (int l = 0; l < lines; l++) {
            vec a = NAME(loadu)(p[l] + h), b = NAME(loadu)(p[l] + h + odd);
            e0 += a * f[l][0], o0 += b * f[l][0], e1 += a * f[l][1], o1 += b * f[l][1];
            a = NAME(loadu)(p[l] + h + high), b = NAME(loadu)(p[l] + h + high + odd);
            e0 += a * f[l][2], o0 += b * f[l][2], e1 += a * f[l][3], o1 += b * f[l][3];
        }
        int64_t left = n - 2 * h;
        if (left >= 2 * LANES) {
            if (y0) NAME(storeu)(y0 + 2 * h, ZIPLO(e0, o0)), NAME(storeu)(y0 + 2 * h + LANES, ZIPHI(e0, o0));
            if (y1) NAME(storeu)(y1 + 2 * h, ZIPLO(e1, o1)), NAME(storeu)(y1 + 2 * h + LANES, ZIPHI(e1, o1));
            continue;
        }
        if (y0) NAME(store_part)(y0, 2 * h, ZIPLO(e0, o0), left, 0);
        if (y1) NAME(store_part)(y1, 2 * h, ZIPLO(e1, o1), left, 0);
        if (y0 && left > LANES) NAME(store_part)(y0, 2 * h + LANES, ZIPHI(e0, o0), left - LANES, 0);
        if (y1 && left > LANES) NAME(store_part)(y1, 2 * h + LANES, ZIPHI(e1, o1), left - LANES, 0);
    }
}

LW_LOCAL void NAME(merge_lines)(const T *const *p, int64_t odd, int64_t high, const T (*f)[4], int lines, int64_t n, T *y0,
                                T *y1) {
#define LW_FEW(lines) \
    { \
        const T *at[lines]; \
        T taps[lines][4]; /* copies, which can stay in registers */ \
        memcpy(at, p, sizeof at), memcpy(taps, f, sizeof taps); \
        NAME(merge_inner)(at, odd, high, (const T(*)[4])taps, n, y0, y1, lines); \
        break; \
    }
    switch (lines) {
    case 1: LW_FEW(1)
    case 2: LW_FEW(2)
    case 3: LW_FEW(3)
    case 4: LW_FEW(4)
    case 5: LW_FEW(5)
    default: NAME(merge_inner)(p, odd, high, f, n, y0, y1, lines);
    }
#undef LW_FEW
}
