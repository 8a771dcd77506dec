/* Long filters in the sandwich: one level of a periodic two-channel bank is one FFT of even + i odd samples, a product
 * with the spectra of the bank, Y(k) = P(k) Z(k) + Q(k) conj(Z(-k)), and one inverse FFT, whose real part is the
 * approximation and whose imaginary part the detail; the synthesis likewise, from approximation + i detail. With C1, C2
 * the spectra that multiply the first and the second of the two real signals, P = (C1 - i C2) / 2, Q = (C1 + i C2) / 2.
 * The cost does not depend on the taps. Tiles only. An FFT spreads rounding over a row, so a plain transform, which
 * promises to be local, does not come here.
 *
 * The levels of one row lie in `lines`, finest first: level j begins at `base`, its approximation in the even lines and
 * its details in the odd ones. */

/* From this many taps on an FFT is faster than the taps one by one, given enough rows to pay for its tables: 50 at 40
 * taps, 20 at 64, 8 at 128, 4 at 256, measured at widths of 256 and 1024. */
#define LW_LONG 40
/* A butterfly of r values, r from 11 on, pays with more taps: 15 more for 11, 28 more for 31, measured at widths of 500. */
#define LW_LONG_MORE(r) ((r) < 11 ? 0 : 8 + 2 * (r) / 3)
#define LW_LONG_ROWS(taps) lw_max(3, 800 / ((taps) - 24))

LW_INLINE int64_t NAME(line_of)(const NAME(call) *call, int64_t i) {
    const lw_plan *w = &call->job->w;
    if (i < w->len[w->level]) return call->fft[w->level].base + 2 * i;
    for (int j = w->level;; j--)
        if (i < w->detail[j] + w->len[j]) return call->fft[j].base + 2 * (i - w->detail[j]) + 1;
}

LW_INLINE void NAME(mix_one)(vec *z, const vec *mine, const vec *other, const T *p, const T *q, const int adjoint) {
    vec r = mine[0], i = mine[1], s = other[0], u = other[1];
    T pi = adjoint ? -p[1] : p[1];
    z[0] = r * p[0] - i * pi + (s * q[2] + u * q[3]);
    z[1] = i * p[0] + r * pi + (s * q[3] - u * q[2]);
}

/* Y(k) = P(k) Z(k) + Q(k) conj(Z(-k)), or its adjoint conj(P(k)) Z(k) + Q(-k) conj(Z(-k)). */
LW_LOCAL void NAME(mix)(const NAME(fft) *t, const T *spectra, vec *z, const int adjoint) {
    for (int64_t a = 0; a < t->h; a++) {
        int64_t b = t->partner[a];
        if (b < a) continue;
        const T *pa = spectra + 4 * a, *pb = spectra + 4 * b;
        vec first[2] = {z[2 * a], z[2 * a + 1]}, second[2] = {z[2 * b], z[2 * b + 1]};
        NAME(mix_one)(z + 2 * a, first, second, pa, adjoint ? pb : pa, adjoint);
        if (b > a) NAME(mix_one)(z + 2 * b, second, first, pb, adjoint ? pa : pb, adjoint);
    }
}

/* Gradients of P(k) and Q(k), summed over the rows: G(k) conj(Z(k)) and G(k) Z(-k). */
LW_LOCAL void NAME(spectra_back)(const NAME(fft) *t, const vec *g, const vec *z, T *sums) {
    const int together = LANES >= 4 ? LANES / 4 : 1;
    for (int64_t a = 0; a < t->h; a += together) {
        vec p[LANES >= 4 ? LANES : 4];
        for (int l = 0; l < together; l++) {
            int there = a + l < t->h;
            int64_t at = there ? a + l : a, b = t->partner[at];
            vec gr = g[2 * at], gi = g[2 * at + 1], zr = z[2 * at], zi = z[2 * at + 1], yr = z[2 * b], yi = z[2 * b + 1];
            p[4 * l] = gr * zr + gi * zi, p[4 * l + 1] = gi * zr - gr * zi;
            p[4 * l + 2] = gr * yr - gi * yi, p[4 * l + 3] = gr * yi + gi * yr;
        }
        for (int i = 0; i < 4 * together; i += LANES) NAME(add_sums)(p + i, sums + 4 * a + i, 4 * (t->h - a) - i);
    }
}

/* One level. `keep` takes the spectrum of what comes in; in the way back it has it, and `sums` takes gradients. */
LW_INLINE void NAME(fft_step)(const NAME(fft) *t, const T *spectra, vec *z, vec *keep, T *sums, const int adjoint) {
    NAME(fft_forward)(t, z);
    if (keep && !adjoint) memcpy(keep, z, (size_t)(2 * t->h) * sizeof(vec));
    if (keep && adjoint) NAME(spectra_back)(t, z, keep, sums);
    NAME(mix)(t, spectra, z, adjoint);
    NAME(fft_inverse)(t, z);
}

/* From the signal in the lines of level 1 to the coefficients; as an adjoint, of `up`. `which`: 0 dec, 1 rec. */
LW_LOCAL void NAME(down)(const NAME(call) *call, int which, vec *lines, vec *keep, T *part, const int adjoint) {
    for (int j = 1; j <= call->job->w.level; j++) {
        const NAME(fft) *t = call->fft + j;
        vec *z = lines + t->base;
        T *sums = part ? part + call->at_spectra[which] + 2 * t->base : NULL;
        NAME(fft_step)(t, which ? t->rec : t->dec, z, keep ? keep + t->base : NULL, sums, adjoint);
        for (int64_t k = 0; j < call->job->w.level && k < t->h; k++) z[2 * t->h + k] = z[2 * k];
    }
}

/* From the coefficients to the signal; as an adjoint, of `down`. */
LW_LOCAL void NAME(up)(const NAME(call) *call, int which, vec *lines, vec *keep, T *part, const int adjoint) {
    for (int j = call->job->w.level; j >= 1; j--) {
        const NAME(fft) *t = call->fft + j;
        vec *z = lines + t->base;
        T *sums = part ? part + call->at_spectra[which] + 2 * t->base : NULL;
        NAME(fft_step)(t, which ? t->rec : t->dec, z, keep ? keep + t->base : NULL, sums, adjoint);
        vec *finer = lines + (j > 1 ? call->fft[j - 1].base : 0);
        for (int64_t k = 0; j > 1 && k < 2 * t->h; k++) finer[2 * k] = z[k];
    }
}

/* z[i] = c[perm[i]] G[i] scale in lines; for the way back, `to` takes the gradient of c from that of z, and gG its sum. */
LW_LOCAL void NAME(gather_lines)(const NAME(call) *call, int64_t b, const vec *c, const T *G, vec *z) {
    const int64_t *from = call->line_perm + b * call->job->m;
    T scale = (T)call->job->scale;
    for (int64_t i = 0; i < call->job->m; i++) z[call->line[i]] = c[from[i]] * (G[i] * scale);
}

LW_LOCAL void NAME(gather_lines_back)(const NAME(call) *call, int64_t b, const vec *gz, vec *c, const T *G, T *gG) {
    const int64_t *from = call->line_perm + b * call->job->m, *line = call->line, m = call->job->m;
    T scale = (T)call->job->scale;
    for (int64_t i = 0; i < m; i += LANES) {
        vec p[LANES];
        for (int l = 0; l < LANES; l++) {
            p[l] = NAME(zero)();
            if (i + l >= m) continue;
            vec g = gz[line[i + l]] * scale;
            p[l] = g * c[from[i + l]];
            c[from[i + l]] = g * G[i + l];
        }
        if (gG) NAME(add_sums)(p, gG + i, m - i);
    }
}

LW_INLINE void NAME(load_lines)(const NAME(call) *call, int64_t b, int64_t row, int nrows, vec *to) {
    const lw_job *job = call->job;
    const T *B = (const T *)job->B + (job->chunked ? b * job->n : b * job->in);
    int64_t col = job->chunked ? b * job->n : 0, cols = lw_max(0, lw_min(job->n, job->in - col));
    NAME(load_tile)(job->x, job->bf16, job->in, row, nrows, col, cols, B, to, job->n, NULL);
}

LW_LOCAL void NAME(long_unit)(const NAME(call) *call, int64_t row, int nrows, void *room, T *scratch, T *part) {
    const lw_job *job = call->job;
    int64_t n = job->n, width = job->chunked ? n : job->k * n;
    vec *c = room, *z = c + call->lines, *v = z + call->lines;
    (void)scratch, (void)part;
    for (int64_t b = 0; b < job->k; b++) {
        NAME(load_lines)(call, b, row, nrows, c);
        NAME(down)(call, 0, c, NULL, NULL, 0);
        NAME(gather_lines)(call, b, c, (const T *)job->G + b * job->m, z);
        NAME(up)(call, 1, z, NULL, NULL, 0);
        if (job->chunked && b)
            NAME(add_tile)(v, z, n);
        else
            memcpy(v + (job->chunked ? 0 : b * n), z, (size_t)n * sizeof(vec));
    }
    for (int64_t j = job->out; job->wrap && j < width; j += job->out)
        NAME(add_tile)(v, v + j, lw_min(job->out, width - j));
    NAME(store_tile)(v, job->out, job->S, job->bias, job->y, job->bf16, job->out, row, nrows, 0);
}

LW_LOCAL void NAME(long_back_unit)(const NAME(call) *call, int64_t row, int nrows, void *room, T *scratch, T *part) {
    const lw_job *job = call->job;
    int64_t n = job->n, m = job->m;
    vec *c = room, *z = c + call->lines, *keep_c = z + call->lines, *keep_z = keep_c + call->lines;
    vec *gy = keep_z + call->lines, *acc = gy + job->out;
    T *gS = job->gS ? part + call->at_S : NULL, *spectra = call->filter_grads ? part : NULL;
    (void)scratch;
    NAME(load_tile)(job->gy, job->bf16, job->out, row, nrows, 0, job->out, NULL, gy, job->out,
                    job->gbias ? part + call->at_bias : NULL);
    for (int64_t b = 0; b < job->k; b++) {
        const T *B = (const T *)job->B + (job->chunked ? b * n : b * job->in), *G = (const T *)job->G + b * m;
        /* forward again */
        NAME(load_lines)(call, b, row, nrows, c);
        NAME(down)(call, 0, c, spectra ? keep_c : NULL, NULL, 0);
        NAME(gather_lines)(call, b, c, G, z);
        NAME(up)(call, 1, z, spectra ? keep_z : NULL, NULL, 0);
        /* and back */
        NAME(output_back_tile)(call, gy, z, job->chunked ? 0 : b * n, gS);
        NAME(down)(call, 1, z, spectra ? keep_z : NULL, spectra, 1);
        NAME(gather_lines_back)(call, b, z, c, G, job->gG ? part + call->at_G + b * m : NULL);
        if (!call->input_grads) continue;
        NAME(up)(call, 0, c, spectra ? keep_c : NULL, spectra, 1);
        int64_t col = job->chunked ? b * n : 0, cols = lw_max(0, lw_min(n, job->in - col));
        NAME(input_back_tile)(c, cols, B, job->x, job->gx, job->bf16, job->in, row, nrows, col,
                              job->gB ? part + call->at_B + (job->chunked ? b * n : b * job->in) : NULL, (T *)acc,
                              job->chunked || b == 0, job->chunked || b == job->k - 1);
    }
}

LW_LOCAL int64_t NAME(long_room)(const NAME(call) *call) {
    const lw_job *job = call->job;
    int64_t outputs = job->chunked ? job->n : job->k * job->n;
    return (job->gy ? 4 * call->lines + job->out + job->in : 2 * call->lines + outputs) + LANES;
}

/* Where tap t of a filter stands in the two sequences of a level: which one, and at which place modulo h. */
LW_INLINE int64_t NAME(tap_place)(const NAME(call) *call, int64_t h, int which, int t, int *odd) {
    int64_t at = t + call->job->w.shift, u = NAME(half_down)(at);
    *odd = (int)(at - 2 * u);
    if (!which) u = -u; /* an analysis correlates, a synthesis convolves */
    u %= h;
    return u < 0 ? u + h : u;
}

/* Lane 0 has the sequence of the first real signal, lane 1 that of the second. */
LW_INLINE T *NAME(sequence)(vec *z, int64_t at, int imaginary, int lane) { return (T *)(z + 2 * at + imaginary) + lane; }

/* P and Q of one level from the filters; 1 / h for the inverse FFT is in them. */
LW_LOCAL void NAME(spectra_of)(const NAME(call) *call, const NAME(fft) *t, int which, vec *z, T *spectra) {
    int taps = call->job->w.taps, odd;
    const T *lo = call->f + 2 * which * taps, *hi = lo + taps;
    for (int64_t i = 0; i < 2 * t->h; i++) z[i] = NAME(zero)();
    for (int i = 0; i < taps; i++) {
        int64_t at = NAME(tap_place)(call, t->h, which, i, &odd);
        /* analysis: lo + i hi for even samples, and for odd ones; synthesis: even + i odd for lo, and for hi */
        *NAME(sequence)(z, at, which ? odd : 0, which ? 0 : odd) += lo[i];
        *NAME(sequence)(z, at, which ? odd : 1, which ? 1 : odd) += hi[i];
    }
    NAME(fft_forward)(t, z);
    T factor = (T)(0.5 / (double)t->h);
    for (int64_t k = 0; k < t->h; k++) {
        const T *re = (const T *)(z + 2 * k), *im = (const T *)(z + 2 * k + 1);
        spectra[4 * k] = (re[0] + im[1]) * factor, spectra[4 * k + 1] = (im[0] - re[1]) * factor;
        spectra[4 * k + 2] = (re[0] - im[1]) * factor, spectra[4 * k + 3] = (im[0] + re[1]) * factor;
    }
}

/* The gradients of the filters from those of P and Q, added to those of rows that were done one by one. */
LW_LOCAL void NAME(filters_back)(const NAME(call) *call, const NAME(fft) *t, int which, vec *z, const T *sums, T *total) {
    int taps = call->job->w.taps, odd;
    T *lo = total + call->at_filter + 2 * which * taps, *hi = lo + taps, factor = (T)(0.5 / (double)t->h);
    for (int64_t k = 0; k < t->h; k++) {
        const T *g = sums + 4 * k;
        z[2 * k] = z[2 * k + 1] = NAME(zero)();
        *NAME(sequence)(z, k, 0, 0) = (g[0] + g[2]) * factor, *NAME(sequence)(z, k, 1, 0) = (g[1] + g[3]) * factor;
        *NAME(sequence)(z, k, 0, 1) = (g[3] - g[1]) * factor, *NAME(sequence)(z, k, 1, 1) = (g[0] - g[2]) * factor;
    }
    NAME(fft_inverse)(t, z);
    for (int i = 0; i < taps; i++) {
        int64_t at = NAME(tap_place)(call, t->h, which, i, &odd);
        lo[i] += *NAME(sequence)(z, at, which ? odd : 0, which ? 0 : odd);
        hi[i] += *NAME(sequence)(z, at, which ? odd : 1, which ? 1 : odd);
    }
}

/* Whether a sandwich goes this way: enough taps and rows, and widths whose primes are small enough. */
LW_LOCAL int NAME(is_long)(const lw_job *job) {
    int radix[LW_MOST_STAGES];
    if (job->w.mode != LW_PERIODIZATION || job->w.taps < LW_LONG || job->w.level < 1) return 0;
    if (job->rows < LW_LONG_ROWS(job->w.taps)) return 0;
    for (int j = 1; j <= job->w.level; j++) {
        int stages = NAME(fft_radices)(job->w.len[j], radix), least = LW_LONG;
        for (int i = 0; i < stages; i++) least += LW_LONG_MORE(radix[i]);
        if (stages < 0 || job->w.taps < least) return 0;
    }
    return 1;
}

/* Plans, spectra and the places of coefficients; LW_NO_MEMORY or LW_OK. */
LW_LOCAL int NAME(begin_long)(NAME(call) *call) {
    const lw_plan *w = &call->job->w;
    int64_t size = call->job->k * call->job->m;
    call->fft = lw_alloc((size_t)(w->level + 1) * sizeof *call->fft);
    call->line = lw_alloc((size_t)(call->job->m + size + 2 * call->lines) * sizeof(int64_t));
    call->spectra = lw_alloc((size_t)(5 * call->lines) * sizeof(T));
    vec *z = lw_alloc((size_t)(w->n + LANES) * sizeof(vec));
    int status = call->fft && call->line && call->spectra && z ? LW_OK : LW_NO_MEMORY;
    if (status == LW_OK) {
        int64_t base = 0, *places = call->line + call->job->m + size;
        call->line_perm = call->line + call->job->m;
        for (int j = 1; j <= w->level; j++) {
            NAME(fft) *t = call->fft + j;
            t->h = w->len[j], t->base = base, t->stages = NAME(fft_radices)(t->h, t->radix);
            t->place = places + base, t->partner = t->place + t->h;
            t->twiddle = call->spectra + base, t->dec = call->spectra + call->lines + 2 * base;
            t->rec = t->dec + 2 * call->lines;
            NAME(fft_plan)(t);
            NAME(spectra_of)(call, t, 0, z, t->dec);
            NAME(spectra_of)(call, t, 1, z, t->rec);
            base += w->len[j - 1];
        }
        for (int64_t i = 0; i < call->job->m; i++) call->line[i] = NAME(line_of)(call, i);
        for (int64_t i = 0; i < size; i++) call->line_perm[i] = call->line[call->perm[i]];
    }
    lw_free(z);
    return status;
}

LW_LOCAL int NAME(finish_long)(const NAME(call) *call, T *total) {
    vec *z = lw_alloc((size_t)(call->job->w.n + LANES) * sizeof(vec));
    if (!z) return LW_NO_MEMORY;
    for (int j = 1; j <= call->job->w.level; j++)
        for (int which = 0; which < 2; which++)
            NAME(filters_back)(call, call->fft + j, which, z, total + call->at_spectra[which] + 2 * call->fft[j].base, total);
    lw_free(z);
    return LW_OK;
}
