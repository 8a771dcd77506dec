/* Gradients of the filters of the 2-D transform, for one line of coefficients; sums in double over the lines. */

/* `width` pairs of taps from `u` on: rows of coefficients, with zeros after them, against the lines that they came from.
 * g[0][t] += sum_k aa[k] low[2k + t] + da[k] high[2k + t], g[1][t] with ad and dd. */
LW_INLINE void NAME(row_taps)(const T *const *bands, int64_t m, const NAME(line) *low, const NAME(line) *high, int u,
                              double *glo, double *ghi, const int width) {
    vec s[4][4];
    LW_UNROLL
    for (int w = 0; w < width; w++) s[w][0] = s[w][1] = s[w][2] = s[w][3] = NAME(zero)();
    for (int64_t k = 0; k < m; k += LANES) {
        vec aa = NAME(loadu)(bands[0] + k), ad = NAME(loadu)(bands[1] + k);
        vec da = NAME(loadu)(bands[2] + k), dd = NAME(loadu)(bands[3] + k);
        LW_UNROLL
        for (int w = 0; w < width; w++) {
            vec le = NAME(loadu)(low->even + k + u + w), lo = NAME(loadu)(low->odd + k + u + w);
            vec he = NAME(loadu)(high->even + k + u + w), ho = NAME(loadu)(high->odd + k + u + w);
            s[w][0] += aa * le, s[w][1] += aa * lo, s[w][2] += ad * le, s[w][3] += ad * lo;
            s[w][0] += da * he, s[w][1] += da * ho, s[w][2] += dd * he, s[w][3] += dd * ho;
        }
    }
    LW_UNROLL
    for (int w = 0; w < width; w++) {
        glo[2 * (u + w)] += NAME(sum)(s[w][0]), glo[2 * (u + w) + 1] += NAME(sum)(s[w][1]);
        ghi[2 * (u + w)] += NAME(sum)(s[w][2]), ghi[2 * (u + w) + 1] += NAME(sum)(s[w][3]);
    }
}

LW_LOCAL void NAME(row_filter_grads)(const T *const *bands, int64_t m, const NAME(line) *low, const NAME(line) *high,
                                     int taps, double *glo, double *ghi) {
    int u = 0;
#if LW_RADIX >= 16 /* 32 registers */
    for (; u + 4 <= taps / 2; u += 4) NAME(row_taps)(bands, m, low, high, u, glo, ghi, 4);
#endif
    for (; u + 2 <= taps / 2; u += 2) NAME(row_taps)(bands, m, low, high, u, glo, ghi, 2);
    for (; u < taps / 2; u++) NAME(row_taps)(bands, m, low, high, u, glo, ghi, 1);
}

/* glo[t] += sum_j low[j] rows[t][j], ghi[t] with high; `width` taps at once. */
LW_INLINE void NAME(column_taps)(const T *low, const T *high, int64_t n, const T *const *rows, int t, double *glo,
                                 double *ghi, const int width) {
    vec a[8], d[8];
    int64_t j = 0;
    LW_UNROLL
    for (int w = 0; w < width; w++) a[w] = d[w] = NAME(zero)();
    for (; j + LANES <= n; j += LANES) {
        vec l = NAME(loadu)(low + j), h = NAME(loadu)(high + j);
        LW_UNROLL
        for (int w = 0; w < width; w++) {
            vec x = NAME(loadu)(rows[t + w] + j);
            a[w] += l * x, d[w] += h * x;
        }
    }
    for (int w = 0; w < width; w++) {
        T sa = NAME(sum)(a[w]), sd = NAME(sum)(d[w]);
        for (int64_t i = j; i < n; i++) sa += low[i] * rows[t + w][i], sd += high[i] * rows[t + w][i];
        glo[t + w] += sa, ghi[t + w] += sd;
    }
}

LW_LOCAL void NAME(column_filter_grads)(const T *low, const T *high, int64_t n, const T *const *rows, int taps,
                                        double *glo, double *ghi) {
    int t = 0;
#if LW_RADIX >= 16
    for (; t + 8 <= taps; t += 8) NAME(column_taps)(low, high, n, rows, t, glo, ghi, 8);
#endif
    for (; t + 4 <= taps; t += 4) NAME(column_taps)(low, high, n, rows, t, glo, ghi, 4);
    for (; t < taps; t += 2) NAME(column_taps)(low, high, n, rows, t, glo, ghi, 2);
}
