/* The three steps of a wavelet transform on tiles, where one signal value is one vector (LANES rows side by side):
 *   analysis    a[k] = sum_t lo[t] x[2k + t + o],  d[k] likewise with hi        (k < M)
 *   synthesis   y[2k + t + o] += lo[t] a[k] + hi[t] d[k]                        (its adjoint)
 *   correlate   glo[t] += sum_k a[k] x[2k + t + o], ghi[t] with d               (the gradient of either for the filters)
 * Outside 0..n-1 x is periodic, or zero. A signal has margins in memory for that (lw_plan): each step first extends what
 * it reads as far as it reads, and then is one loop. */

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

/* Fills `left` lines before x[0] and `right` lines after x[n - 1]. */
LW_LOCAL void NAME(extend_lines)(vec *x, int64_t n, int64_t left, int64_t right, int periodic) {
    for (int64_t i = 1; i <= left; i++) x[-i] = periodic ? x[NAME(wrap_index)(-i, n, 1)] : NAME(zero)();
    for (int64_t i = n; i < n + right; i++) x[i] = periodic ? x[NAME(wrap_index)(i, n, 1)] : NAME(zero)();
}

/* All that M coefficients see: x[o] to x[2 (M - 1) + taps - 1 + o] */
LW_INLINE void NAME(extend_signal)(vec *x, int64_t n, int64_t M, int taps, int64_t o, int periodic) {
    NAME(extend_lines)(x, n, -o, 2 * M - 1 + taps - 1 + o - n, periodic);
}

/* Every loop of a step, here, in synthesis and in their `back` forms, starts at zero and adds one product at a time, in one
 * order: a gradient has the same bits whatever others are wanted. */
LW_INLINE void NAME(analysis_inner)(const vec *x, vec *a, vec *d, int64_t M, const T *lo, const T *hi, int64_t o,
                                    const int taps) {
    int64_t k = 0;
    for (; k + 4 <= M; k += 4) {
        const vec *p = x + 2 * k + o;
        vec a0 = NAME(zero)(), a1 = a0, a2 = a0, a3 = a0, d0 = a0, d1 = a0, d2 = a0, d3 = a0;
        for (int t = 0; t < taps; t++) {
            T l = lo[t], h = hi[t];
            vec x0 = p[t], x1 = p[t + 2], x2 = p[t + 4], x3 = p[t + 6];
            a0 += x0 * l, a1 += x1 * l, a2 += x2 * l, a3 += x3 * l;
            d0 += x0 * h, d1 += x1 * h, d2 += x2 * h, d3 += x3 * h;
        }
        a[k] = a0, a[k + 1] = a1, a[k + 2] = a2, a[k + 3] = a3;
        d[k] = d0, d[k + 1] = d1, d[k + 2] = d2, d[k + 3] = d3;
    }
    for (; k < M; k++) {
        const vec *p = x + 2 * k + o;
        vec sa = NAME(zero)(), sd = sa;
        for (int t = 0; t < taps; t++) sa += p[t] * lo[t], sd += p[t] * hi[t];
        a[k] = sa, d[k] = sd;
    }
}

LW_LOCAL void NAME(analysis_tile)(vec *x, int64_t n, vec *a, vec *d, int64_t M, const T *lo, const T *hi, int taps,
                                  int64_t o, int periodic, T *scratch) {
    (void)scratch;
    NAME(extend_signal)(x, n, M, taps, o, periodic);
    switch (taps) {
    case 2: NAME(analysis_inner)(x, a, d, M, lo, hi, o, 2); break;
    case 4: NAME(analysis_inner)(x, a, d, M, lo, hi, o, 4); break;
    default: NAME(analysis_inner)(x, a, d, M, lo, hi, o, taps);
    }
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
            e += a[q - u] * lo[2 * u], f += a[q - u] * lo[2 * u + 1];
            e += d[q - u] * hi[2 * u], f += d[q - u] * hi[2 * u + 1];
        }
        y[2 * q + o] = e, y[2 * q + 1 + o] = f;
    }
}

/* One value of y at either end may be of a pair whose other value lies outside. */
LW_LOCAL void NAME(synthesis_tile)(vec *a, vec *d, int64_t M, vec *y, int64_t n, const T *lo, const T *hi, int taps,
                                   int64_t o, int periodic, T *scratch) {
    vec *pair = (vec *)scratch;
    int64_t first = NAME(half_down)(-o), last = NAME(half_down)(n - 1 - o);
    int64_t from = NAME(half_up)(-o), to = NAME(half_down)(n - o);
    int64_t left = taps / 2 - 1 - first, right = last + 1 - M;
    NAME(extend_lines)(a, M, left, right, periodic);
    NAME(extend_lines)(d, M, left, right, periodic);
    if (first < from) {
        NAME(synthesis_inner)(a + first, d + first, pair, 0, 1, lo, hi, 0, taps);
        y[0] = pair[1];
    }
    switch (taps) {
    case 2: NAME(synthesis_inner)(a, d, y, from, to, lo, hi, o, 2); break;
    case 4: NAME(synthesis_inner)(a, d, y, from, to, lo, hi, o, 4); break;
    default: NAME(synthesis_inner)(a, d, y, from, to, lo, hi, o, taps);
    }
    if (to <= last) {
        NAME(synthesis_inner)(a + last, d + last, pair, 0, 1, lo, hi, 0, taps);
        y[n - 1] = pair[0];
    }
}

/* `width` taps at once, a constant, so that the sums stay in registers. */
LW_INLINE void NAME(correlate_inner)(const vec *a, const vec *d, const vec *x, int64_t M, vec *glo, vec *ghi,
                                     const int width) {
    vec sa[8], sd[8];
    LW_UNROLL
    for (int t = 0; t < width; t++) sa[t] = glo[t], sd[t] = ghi[t];
    for (int64_t k = 0; k < M; k++) {
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

LW_LOCAL void NAME(correlate_tile)(const vec *a, const vec *d, int64_t M, vec *x, int64_t n, vec *glo, vec *ghi, int taps,
                                   int64_t o, int periodic, T *scratch) {
    const vec *seen = x + o;
    int t = 0;
    (void)scratch;
    NAME(extend_signal)(x, n, M, taps, o, periodic);
#if LW_RADIX >= 16 /* 32 registers */
    for (; t + 8 <= taps; t += 8) NAME(correlate_inner)(a, d, seen + t, M, glo + t, ghi + t, 8);
#endif
    for (; t + 4 <= taps; t += 4) NAME(correlate_inner)(a, d, seen + t, M, glo + t, ghi + t, 4);
    for (; t + 2 <= taps; t += 2) NAME(correlate_inner)(a, d, seen + t, M, glo + t, ghi + t, 2);
}

/* correlate, then analysis to where a and d lay: as one loop, 32 registers hold the sums and the filters of four taps. */
LW_INLINE void NAME(analysis_back_inner)(const vec *x, vec *a, vec *d, int64_t M, const T *lo, const T *hi, vec *glo,
                                         vec *ghi, const int taps) {
    vec sa[4], sd[4];
    LW_UNROLL
    for (int t = 0; t < taps; t++) sa[t] = glo[t], sd[t] = ghi[t];
    for (int64_t k = 0; k < M; k++) {
        vec va = a[k], vd = d[k], na = NAME(zero)(), nd = na;
        LW_UNROLL
        for (int t = 0; t < taps; t++) {
            vec v = x[2 * k + t];
            sa[t] += va * v, sd[t] += vd * v;
            na += v * lo[t], nd += v * hi[t];
        }
        a[k] = na, d[k] = nd;
    }
    LW_UNROLL
    for (int t = 0; t < taps; t++) glo[t] = sa[t], ghi[t] = sd[t];
}

LW_LOCAL void NAME(analysis_back_tile)(vec *a, vec *d, int64_t M, vec *x, int64_t n, const T *lo, const T *hi, vec *glo,
                                       vec *ghi, int taps, int64_t o, int periodic, T *scratch) {
#if LW_RADIX >= 16
    if (taps <= 4) {
        NAME(extend_signal)(x, n, M, taps, o, periodic);
        if (taps == 2)
            NAME(analysis_back_inner)(x + o, a, d, M, lo, hi, glo, ghi, 2);
        else
            NAME(analysis_back_inner)(x + o, a, d, M, lo, hi, glo, ghi, 4);
        return;
    }
#endif
    NAME(correlate_tile)(a, d, M, x, n, glo, ghi, taps, o, periodic, scratch);
    NAME(analysis_tile)(x, n, a, d, M, lo, hi, taps, o, periodic, scratch);
}

/* correlate with the signal in y, then synthesis to y, likewise: the two values of pair q meet a[q - u] in both. */
LW_INLINE void NAME(synthesis_back_inner)(const vec *a, const vec *d, vec *y, int64_t count, const T *lo,
                                          const T *hi, vec *glo, vec *ghi, const int taps) {
    vec sa[4], sd[4];
    LW_UNROLL
    for (int t = 0; t < taps; t++) sa[t] = glo[t], sd[t] = ghi[t];
    for (int64_t q = 0; q < count; q++) {
        vec x = y[2 * q], z = y[2 * q + 1], e = NAME(zero)(), f = e;
        LW_UNROLL
        for (int u = 0; u < taps / 2; u++) {
            vec va = a[q - u], vd = d[q - u];
            sa[2 * u] += va * x, sa[2 * u + 1] += va * z;
            sd[2 * u] += vd * x, sd[2 * u + 1] += vd * z;
            e += va * lo[2 * u], f += va * lo[2 * u + 1];
            e += vd * hi[2 * u], f += vd * hi[2 * u + 1];
        }
        y[2 * q] = e, y[2 * q + 1] = f;
    }
    LW_UNROLL
    for (int t = 0; t < taps; t++) glo[t] = sa[t], ghi[t] = sd[t];
}

LW_LOCAL void NAME(synthesis_back_tile)(vec *a, vec *d, int64_t M, vec *y, int64_t n, const T *lo, const T *hi, vec *glo,
                                        vec *ghi, int taps, int64_t o, int periodic, T *scratch) {
#if LW_RADIX >= 16
    if (taps <= 4) {
        vec *pair = (vec *)scratch;
        int64_t first = NAME(half_down)(-o), last = NAME(half_down)(n - 1 - o);
        int64_t from = NAME(half_up)(-o), to = NAME(half_down)(n - o);
        NAME(extend_lines)(a, M, taps / 2 - 1 - first, last + 1 - M, periodic);
        NAME(extend_lines)(d, M, taps / 2 - 1 - first, last + 1 - M, periodic);
        for (int64_t q = first; q <= last; q++) { /* the ends, where half of a pair is outside, and the middle */
            int left = q < from, inside = !left && q < to;
            vec *at = inside ? y + 2 * q + o : pair;
            if (!inside) pair[0] = left ? NAME(zero)() : y[n - 1], pair[1] = left ? y[0] : NAME(zero)();
            int64_t count = inside ? to - q : 1;
            if (taps == 2)
                NAME(synthesis_back_inner)(a + q, d + q, at, count, lo, hi, glo, ghi, 2);
            else
                NAME(synthesis_back_inner)(a + q, d + q, at, count, lo, hi, glo, ghi, 4);
            if (!inside) y[left ? 0 : n - 1] = pair[left];
            q += count - 1;
        }
        return;
    }
#endif
    NAME(correlate_tile)(a, d, M, y, n, glo, ghi, taps, o, periodic, scratch);
    NAME(synthesis_tile)(a, d, M, y, n, lo, hi, taps, o, periodic, scratch);
}
