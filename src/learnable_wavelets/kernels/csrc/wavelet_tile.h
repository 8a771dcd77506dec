/* The three steps of a wavelet transform on tiles, where one signal value is one vector (LANES rows side by side):
 *   analysis    a[k] = sum_t lo[t] x[2k + t + o],  d[k] likewise with hi        (k < M)
 *   synthesis   y[2k + t + o] += lo[t] a[k] + hi[t] d[k]                        (its adjoint)
 *   correlate   glo[t] += sum_k a[k] x[2k + t + o], ghi[t] with d               (the gradient of either for the filters)
 * Outside 0..n-1 x is periodic, or zero. Where an index leaves the signal, the few lines that are needed are first
 * copied, extended, to `edge` (8 taps lines), so that the same loops serve there too. */

/* ceil(a / 2), floor(a / 2) for any sign */
LW_INLINE int64_t NAME(half_up)(int64_t a) { return (a + 1) >> 1; }
LW_INLINE int64_t NAME(half_down)(int64_t a) { return a >> 1; }

/* Index in 0..n-1, or -1 where the signal is zero. */
LW_INLINE int64_t NAME(wrap_index)(int64_t i, int64_t n, int periodic) {
    if (i >= 0 && i < n) return i;
    if (!periodic) return -1;
    i %= n;
    return i < 0 ? i + n : i;
}

/* to[i] = x[first + i], extended, for i < count */
LW_LOCAL void NAME(extend_lines)(const vec *x, int64_t n, int64_t first, int64_t count, int periodic, vec *to) {
    for (int64_t i = 0; i < count; i++) {
        int64_t from = NAME(wrap_index)(first + i, n, periodic);
        to[i] = NAME(zero)();
        if (from >= 0) to[i] = x[from];
    }
}

LW_INLINE void NAME(analysis_inner)(const vec *x, vec *a, vec *d, int64_t from, int64_t to, const T *lo, const T *hi,
                                    int64_t o, const int taps) {
    int64_t k = from;
    for (; k + 4 <= to; k += 4) {
        const vec *p = x + 2 * k + o;
        vec a0 = p[0] * lo[0], a1 = p[2] * lo[0], a2 = p[4] * lo[0], a3 = p[6] * lo[0];
        vec d0 = p[0] * hi[0], d1 = p[2] * hi[0], d2 = p[4] * hi[0], d3 = p[6] * hi[0];
        for (int t = 1; t < taps; t++) {
            T l = lo[t], h = hi[t];
            vec x0 = p[t], x1 = p[t + 2], x2 = p[t + 4], x3 = p[t + 6];
            a0 += x0 * l, a1 += x1 * l, a2 += x2 * l, a3 += x3 * l;
            d0 += x0 * h, d1 += x1 * h, d2 += x2 * h, d3 += x3 * h;
        }
        a[k] = a0, a[k + 1] = a1, a[k + 2] = a2, a[k + 3] = a3;
        d[k] = d0, d[k + 1] = d1, d[k + 2] = d2, d[k + 3] = d3;
    }
    for (; k < to; k++) {
        const vec *p = x + 2 * k + o;
        vec sa = p[0] * lo[0], sd = p[0] * hi[0];
        for (int t = 1; t < taps; t++) sa += p[t] * lo[t], sd += p[t] * hi[t];
        a[k] = sa, d[k] = sd;
    }
}

LW_INLINE void NAME(analysis_edge)(const vec *x, int64_t n, vec *a, vec *d, int64_t from, int64_t to, const T *lo,
                                   const T *hi, int taps, int64_t o, int periodic, vec *edge) {
    if (from >= to) return;
    NAME(extend_lines)(x, n, 2 * from + o, 2 * (to - from - 1) + taps, periodic, edge);
    NAME(analysis_inner)(edge, a + from, d + from, 0, to - from, lo, hi, 0, taps);
}

LW_LOCAL void NAME(analysis_tile)(const vec *x, int64_t n, vec *a, vec *d, int64_t M, const T *lo, const T *hi, int taps,
                                  int64_t o, int periodic, T *scratch) {
    vec *edge = (vec *)scratch;
    int64_t from = lw_min(M, lw_max(0, NAME(half_up)(-o)));
    int64_t to = lw_max(from, lw_min(M, NAME(half_down)(n - taps - o) + 1));
    NAME(analysis_edge)(x, n, a, d, 0, from, lo, hi, taps, o, periodic, edge);
    switch (taps) {
    case 2: NAME(analysis_inner)(x, a, d, from, to, lo, hi, o, 2); break;
    case 4: NAME(analysis_inner)(x, a, d, from, to, lo, hi, o, 4); break;
    default: NAME(analysis_inner)(x, a, d, from, to, lo, hi, o, taps);
    }
    NAME(analysis_edge)(x, n, a, d, to, M, lo, hi, taps, o, periodic, edge);
}

/* For q in from..to-1: y[2q + o] takes the even taps, y[2q + 1 + o] the odd ones. */
LW_INLINE void NAME(synthesis_inner)(const vec *a, const vec *d, vec *y, int64_t from, int64_t to, const T *lo,
                                     const T *hi, int64_t o, const int taps) {
    int64_t q = from;
    for (; q + 4 <= to; q += 4) {
        vec e0 = NAME(zero)(), e1 = e0, e2 = e0, e3 = e0, f0 = e0, f1 = e0, f2 = e0, f3 = e0;
        for (int u = 0; u < taps / 2; u++) {
            const vec *p = a + q - u, *r = d + q - u;
            T le = lo[2 * u], lf = lo[2 * u + 1], he = hi[2 * u], hf = hi[2 * u + 1];
            vec a0 = p[0], a1 = p[1], a2 = p[2], a3 = p[3];
            e0 += a0 * le, e1 += a1 * le, e2 += a2 * le, e3 += a3 * le;
            f0 += a0 * lf, f1 += a1 * lf, f2 += a2 * lf, f3 += a3 * lf;
            vec d0 = r[0], d1 = r[1], d2 = r[2], d3 = r[3];
            e0 += d0 * he, e1 += d1 * he, e2 += d2 * he, e3 += d3 * he;
            f0 += d0 * hf, f1 += d1 * hf, f2 += d2 * hf, f3 += d3 * hf;
        }
        vec *s = y + 2 * q + o;
        s[0] = e0, s[1] = f0, s[2] = e1, s[3] = f1, s[4] = e2, s[5] = f2, s[6] = e3, s[7] = f3;
    }
    for (; q < to; q++) {
        vec e = NAME(zero)(), f = e;
        for (int u = 0; u < taps / 2; u++) {
            e += a[q - u] * lo[2 * u] + d[q - u] * hi[2 * u];
            f += a[q - u] * lo[2 * u + 1] + d[q - u] * hi[2 * u + 1];
        }
        y[2 * q + o] = e, y[2 * q + 1 + o] = f;
    }
}

LW_LOCAL void NAME(synthesis_edge)(const vec *a, const vec *d, int64_t M, vec *y, int64_t n, int64_t from, int64_t to,
                                   const T *lo, const T *hi, int taps, int64_t o, int periodic, vec *edge) {
    if (from >= to) return;
    int64_t before = taps / 2 - 1, count = to - from + before;
    vec *d_edge = edge + count, *out = d_edge + count;
    NAME(extend_lines)(a, M, from - before, count, periodic, edge);
    NAME(extend_lines)(d, M, from - before, count, periodic, d_edge);
    NAME(synthesis_inner)(edge + before, d_edge + before, out, 0, to - from, lo, hi, 0, taps);
    for (int64_t i = 0; i < 2 * (to - from); i++) {
        int64_t at = 2 * from + o + i;
        if (at >= 0 && at < n) y[at] = out[i];
    }
}

LW_LOCAL void NAME(synthesis_tile)(const vec *a, const vec *d, int64_t M, vec *y, int64_t n, const T *lo, const T *hi,
                                   int taps, int64_t o, int periodic, T *scratch) {
    vec *edge = (vec *)scratch;
    int64_t first = NAME(half_down)(-o), last = NAME(half_down)(n - 1 - o) + 1;
    int64_t from = lw_max(taps / 2 - 1, NAME(half_up)(-o)), to = lw_min(M, NAME(half_down)(n - o));
    if (from >= to) from = to = last; /* so short that it is all edge */
    NAME(synthesis_edge)(a, d, M, y, n, first, from, lo, hi, taps, o, periodic, edge);
    switch (taps) {
    case 2: NAME(synthesis_inner)(a, d, y, from, to, lo, hi, o, 2); break;
    case 4: NAME(synthesis_inner)(a, d, y, from, to, lo, hi, o, 4); break;
    default: NAME(synthesis_inner)(a, d, y, from, to, lo, hi, o, taps);
    }
    NAME(synthesis_edge)(a, d, M, y, n, to, last, lo, hi, taps, o, periodic, edge);
}

/* `width` taps at once, a constant, so that the sums stay in registers. */
LW_INLINE void NAME(correlate_inner)(const vec *a, const vec *d, const vec *x, int64_t from, int64_t to, vec *glo,
                                     vec *ghi, const int width) {
    vec sa[8], sd[8];
    LW_UNROLL
    for (int t = 0; t < width; t++) sa[t] = glo[t], sd[t] = ghi[t];
    for (int64_t k = from; k < to; k++) {
        vec va = a[k], vd = d[k];
        LW_UNROLL
        for (int t = 0; t < width; t++) {
            vec v = x[2 * k + t];
            sa[t] += va * v;
            sd[t] += vd * v;
        }
    }
    LW_UNROLL
    for (int t = 0; t < width; t++) glo[t] = sa[t], ghi[t] = sd[t];
}

/* x is given from the first line that coefficient `from` sees */
LW_LOCAL void NAME(correlate_range)(const vec *a, const vec *d, const vec *x, int64_t count, vec *glo, vec *ghi, int taps) {
    int t = 0;
#if LW_RADIX >= 16 /* 32 registers */
    for (; t + 8 <= taps; t += 8) NAME(correlate_inner)(a, d, x + t, 0, count, glo + t, ghi + t, 8);
#endif
    for (; t + 4 <= taps; t += 4) NAME(correlate_inner)(a, d, x + t, 0, count, glo + t, ghi + t, 4);
    for (; t + 2 <= taps; t += 2) NAME(correlate_inner)(a, d, x + t, 0, count, glo + t, ghi + t, 2);
}

LW_LOCAL void NAME(correlate_tile)(const vec *a, const vec *d, int64_t M, const vec *x, int64_t n, vec *glo, vec *ghi,
                                   int taps, int64_t o, int periodic, T *scratch) {
    vec *edge = (vec *)scratch;
    int64_t from = lw_min(M, lw_max(0, NAME(half_up)(-o)));
    int64_t to = lw_max(from, lw_min(M, NAME(half_down)(n - taps - o) + 1));
    if (from > 0) {
        NAME(extend_lines)(x, n, o, 2 * (from - 1) + taps, periodic, edge);
        NAME(correlate_range)(a, d, edge, from, glo, ghi, taps);
    }
    if (to > from) NAME(correlate_range)(a + from, d + from, x + 2 * from + o, to - from, glo, ghi, taps);
    if (M > to) {
        NAME(extend_lines)(x, n, 2 * to + o, 2 * (M - to - 1) + taps, periodic, edge);
        NAME(correlate_range)(a + to, d + to, edge, M - to, glo, ghi, taps);
    }
}
