/* The same three steps on one row in memory, vectorised along the row. The signal is first split into its even and odd
 * entries, extended beyond both ends (periodically or by zeros), so that every tap is a contiguous load:
 *   p[s] = x[s + o],  even[k] = p[2k],  odd[k] = p[2k + 1],  a[k] = sum_u lo[2u] even[k + u] + lo[2u + 1] odd[k + u].
 * `scratch` holds two such halves; their ends are padded with zeros up to whole vectors. */

LW_INLINE int64_t NAME(half_size)(int64_t count, int taps) { return count + taps / 2 + 2 * LANES; }

LW_INLINE T NAME(value_at)(const T *x, int64_t i, int64_t n, int periodic) {
    i = NAME(wrap_index)(i, n, periodic);
    return i < 0 ? 0 : x[i];
}

LW_LOCAL void NAME(split)(const T *x, int64_t n, int64_t o, int64_t count, int periodic, T *even, T *odd, int64_t size) {
    int64_t from = lw_min(count, lw_max(0, NAME(half_up)(-o)));
    int64_t to = lw_max(from, lw_min(count, NAME(half_down)(n - o)));
    for (int64_t k = 0; k < from; k++) {
        even[k] = NAME(value_at)(x, 2 * k + o, n, periodic);
        odd[k] = NAME(value_at)(x, 2 * k + 1 + o, n, periodic);
    }
    int64_t k = from;
    for (; k + LANES <= to; k += LANES) {
        vec v = NAME(loadu)(x + 2 * k + o), w = NAME(loadu)(x + 2 * k + o + LANES);
        NAME(storeu)(even + k, EVEN(v, w));
        NAME(storeu)(odd + k, ODD(v, w));
    }
    for (; k < count; k++) {
        even[k] = NAME(value_at)(x, 2 * k + o, n, periodic);
        odd[k] = NAME(value_at)(x, 2 * k + 1 + o, n, periodic);
    }
    for (; k < size; k++) even[k] = odd[k] = 0;
}

/* `width` vectors of outputs, of which `left` values are wanted. Their sums go on side by side; each of them adds its
 * products in the order of a tile, so that a row has the same bits whatever lies beside it in the batch. */
LW_INLINE void NAME(analysis_at)(const T *even, const T *odd, T *a, T *d, int64_t left, const T *lo, const T *hi, int taps,
                                 const int width) {
    vec sa[4], sd[4];
    LW_UNROLL
    for (int w = 0; w < width; w++) sa[w] = sd[w] = NAME(zero)();
    for (int u = 0; u < taps / 2; u++) {
        T l0 = lo[2 * u], l1 = lo[2 * u + 1], h0 = hi[2 * u], h1 = hi[2 * u + 1];
        LW_UNROLL
        for (int w = 0; w < width; w++) {
            vec e = NAME(loadu)(even + u + w * LANES), f = NAME(loadu)(odd + u + w * LANES);
            sa[w] += e * l0, sd[w] += e * h0;
            sa[w] += f * l1, sd[w] += f * h1;
        }
    }
    LW_UNROLL
    for (int w = 0; w < width; w++, left -= LANES) {
        if (left >= LANES) {
            NAME(storeu)(a + w * LANES, sa[w]);
            NAME(storeu)(d + w * LANES, sd[w]);
        } else {
            NAME(store_part)(a, w * LANES, sa[w], left, 0);
            NAME(store_part)(d, w * LANES, sd[w], left, 0);
        }
    }
}

LW_LOCAL void NAME(analysis_row)(const T *x, int64_t n, T *a, T *d, int64_t M, const T *lo, const T *hi, int taps,
                                 int64_t o, int periodic, T *scratch) {
    int64_t size = NAME(half_size)(M, taps), k = 0;
    T *even = scratch, *odd = scratch + size;
    NAME(split)(x, n, o, M + taps / 2 - 1, periodic, even, odd, size);
    for (; k + 4 * LANES <= M; k += 4 * LANES) NAME(analysis_at)(even + k, odd + k, a + k, d + k, M - k, lo, hi, taps, 4);
    for (; k + LANES < M; k += 2 * LANES) NAME(analysis_at)(even + k, odd + k, a + k, d + k, M - k, lo, hi, taps, 2);
    if (k < M) NAME(analysis_at)(even + k, odd + k, a + k, d + k, M - k, lo, hi, taps, 1);
}

/* s[j] = a[first + j], extended; the pad is zero */
LW_LOCAL void NAME(extend)(const T *a, int64_t M, int64_t first, int64_t count, int periodic, T *s, int64_t size) {
    int64_t from = lw_min(count, lw_max(0, -first)), to = lw_max(from, lw_min(count, M - first));
    for (int64_t j = 0; j < from; j++) s[j] = NAME(value_at)(a, first + j, M, periodic);
    if (to > from) memcpy(s + from, a + first + from, (size_t)(to - from) * sizeof(T));
    for (int64_t j = to; j < count; j++) s[j] = NAME(value_at)(a, first + j, M, periodic);
    for (int64_t j = count; j < size; j++) s[j] = 0;
}

/* `width` pairs of vectors; the first value belongs to y[i], those outside 0..n-1 are dropped. */
LW_INLINE void NAME(synthesis_at)(const T *a, const T *d, T *y, int64_t i, int64_t n, const T *lo, const T *hi, int half,
                                  const int width) {
    vec e[4], f[4];
    LW_UNROLL
    for (int w = 0; w < width; w++) e[w] = f[w] = NAME(zero)();
    for (int u = 0; u < half; u++) {
        T l0 = lo[2 * u], l1 = lo[2 * u + 1], h0 = hi[2 * u], h1 = hi[2 * u + 1];
        LW_UNROLL
        for (int w = 0; w < width; w++) {
            vec va = NAME(loadu)(a - u + w * LANES), vd = NAME(loadu)(d - u + w * LANES);
            e[w] += va * l0, f[w] += va * l1;
            e[w] += vd * h0, f[w] += vd * h1;
        }
    }
    LW_UNROLL
    for (int w = 0; w < width; w++, i += 2 * LANES) {
        if (i >= 0 && i + 2 * LANES <= n) {
            NAME(storeu)(y + i, ZIPLO(e[w], f[w]));
            NAME(storeu)(y + i + LANES, ZIPHI(e[w], f[w]));
            continue;
        }
        T te[LANES], tf[LANES];
        NAME(storeu)(te, e[w]);
        NAME(storeu)(tf, f[w]);
        for (int64_t l = 0; l < LANES; l++) {
            if (i + 2 * l >= 0 && i + 2 * l < n) y[i + 2 * l] = te[l];
            if (i + 2 * l + 1 >= 0 && i + 2 * l + 1 < n) y[i + 2 * l + 1] = tf[l];
        }
    }
}

LW_LOCAL void NAME(synthesis_row)(const T *a, const T *d, int64_t M, T *y, int64_t n, const T *lo, const T *hi, int taps,
                                  int64_t o, int periodic, T *scratch) {
    int half = taps / 2;
    int64_t first = NAME(half_down)(-o), count = NAME(half_down)(n - 1 - o) - first + 1;
    int64_t size = NAME(half_size)(count, taps), q = 0, at = 2 * first + o;
    T *sa = scratch, *sd = scratch + size, *pa = sa + half - 1, *pd = sd + half - 1;
    NAME(extend)(a, M, first - (half - 1), count + half - 1, periodic, sa, size);
    NAME(extend)(d, M, first - (half - 1), count + half - 1, periodic, sd, size);
    for (; q + 4 * LANES <= count; q += 4 * LANES) NAME(synthesis_at)(pa + q, pd + q, y, at + 2 * q, n, lo, hi, half, 4);
    for (; q + LANES < count; q += 2 * LANES) NAME(synthesis_at)(pa + q, pd + q, y, at + 2 * q, n, lo, hi, half, 2);
    if (q < count) NAME(synthesis_at)(pa + q, pd + q, y, at + 2 * q, n, lo, hi, half, 1);
}

/* glo and ghi: one vector a tap, to be summed over its lanes at the end */
LW_LOCAL void NAME(correlate_row)(const T *a, const T *d, int64_t M, const T *x, int64_t n, vec *glo, vec *ghi, int taps,
                                  int64_t o, int periodic, T *scratch) {
    int64_t size = NAME(half_size)(M, taps);
    T *even = scratch, *odd = scratch + size;
    NAME(split)(x, n, o, M + taps / 2 - 1, periodic, even, odd, size);
    for (int u = 0; u < taps / 2; u++) {
        vec l0 = glo[2 * u], l1 = glo[2 * u + 1], h0 = ghi[2 * u], h1 = ghi[2 * u + 1];
        for (int64_t k = 0; k < M; k += LANES) {
            int whole = k + LANES <= M;
            vec va = whole ? NAME(loadu)(a + k) : NAME(load_part)(a, k, M - k, 0);
            vec vd = whole ? NAME(loadu)(d + k) : NAME(load_part)(d, k, M - k, 0);
            vec e = NAME(loadu)(even + k + u), f = NAME(loadu)(odd + k + u);
            l0 += va * e, l1 += va * f;
            h0 += vd * e, h1 += vd * f;
        }
        glo[2 * u] = l0, glo[2 * u + 1] = l1, ghi[2 * u] = h0, ghi[2 * u + 1] = h1;
    }
}

/* correlate, then the step itself to where its operand lay */
LW_LOCAL void NAME(analysis_back_row)(T *a, T *d, int64_t M, const T *x, int64_t n, const T *lo, const T *hi, vec *glo,
                                      vec *ghi, int taps, int64_t o, int periodic, T *scratch) {
    NAME(correlate_row)(a, d, M, x, n, glo, ghi, taps, o, periodic, scratch);
    NAME(analysis_row)(x, n, a, d, M, lo, hi, taps, o, periodic, scratch);
}

LW_LOCAL void NAME(synthesis_back_row)(const T *a, const T *d, int64_t M, T *y, int64_t n, const T *lo, const T *hi,
                                       vec *glo, vec *ghi, int taps, int64_t o, int periodic, T *scratch) {
    NAME(correlate_row)(a, d, M, y, n, glo, ghi, taps, o, periodic, scratch);
    NAME(synthesis_row)(a, d, M, y, n, lo, hi, taps, o, periodic, scratch);
}
