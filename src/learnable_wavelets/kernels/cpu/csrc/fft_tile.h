/* Complex FFT of tiles: a signal of h complex values takes 2h lines, real and imaginary parts in turns, so that a real
 * signal of 2h lines is one of h complex values, even samples + i odd samples, as it stands. Forward by decimation in
 * frequency, from natural to digit-reversed order; inverse by decimation in time, back. Nothing is reordered between
 * them, and nothing is scaled. h = product of 4, 2, 3, 5, 7 and, slower the larger they are, the primes from 11 to 31. */

static const int NAME(large_radix)[LW_LARGE_RADICES] = {31, 29, 23, 19, 17, 13, 11};

/* cos and sin of 2 pi m / r, for odd r */
static const double NAME(roots)[8][2][8] = {
    [3] = {{1, -0.5, -0.5}, {0, 0.86602540378443864676, -0.86602540378443864676}},
    [5] = {{1, 0.30901699437494742410, -0.80901699437494742410, -0.80901699437494742410, 0.30901699437494742410},
           {0, 0.95105651629515357212, 0.58778525229247312917, -0.58778525229247312917, -0.95105651629515357212}},
    [7] = {{1, 0.62348980185873353053, -0.22252093395631440429, -0.90096886790241912624, -0.90096886790241912624,
            -0.22252093395631440429, 0.62348980185873353053},
           {0, 0.78183148246802980871, 0.97492791218182360702, 0.43388373911755812048, -0.43388373911755812048,
            -0.97492791218182360702, -0.78183148246802980871}},
};

/* The r-point transform of re + i im, in place; sign: -1 forward, 1 inverse. */
LW_INLINE void NAME(small_dft)(vec *re, vec *im, const int r, const int sign) {
    if (r == 2) {
        vec a = re[1], b = im[1];
        re[1] = re[0] - a, im[1] = im[0] - b;
        re[0] += a, im[0] += b;
        return;
    }
    if (r == 4) {
        vec sr = re[0] + re[2], si = im[0] + im[2], dr = re[0] - re[2], di = im[0] - im[2];
        vec tr = re[1] + re[3], ti = im[1] + im[3], er = re[1] - re[3], ei = im[1] - im[3];
        re[0] = sr + tr, im[0] = si + ti, re[2] = sr - tr, im[2] = si - ti;
        if (sign < 0) {
            re[1] = dr + ei, im[1] = di - er, re[3] = dr - ei, im[3] = di + er;
        } else {
            re[1] = dr - ei, im[1] = di + er, re[3] = dr + ei, im[3] = di - er;
        }
        return;
    }
    vec sr[4], si[4], dr[4], di[4], x = re[0], y = im[0];
    const int half = r / 2;
    LW_UNROLL
    for (int q = 1; q <= half; q++) {
        sr[q] = re[q] + re[r - q], si[q] = im[q] + im[r - q];
        dr[q] = re[q] - re[r - q], di[q] = im[q] - im[r - q];
        re[0] += sr[q], im[0] += si[q];
    }
    LW_UNROLL
    for (int p = 1; p <= half; p++) {
        vec ar = x, ai = y, br = NAME(zero)(), bi = br;
        LW_UNROLL
        for (int q = 1; q <= half; q++) {
            T c = (T)NAME(roots)[r][0][p * q % r], s = (T)(sign * NAME(roots)[r][1][p * q % r]);
            ar += sr[q] * c, ai += si[q] * c, br += dr[q] * s, bi += di[q] * s;
        }
        re[p] = ar - bi, im[p] = ai + br, re[r - p] = ar + bi, im[r - p] = ai - br;
    }
}

/* One stage: sub-transforms of length n = r m. The twiddle of (j, p) stands at 2 (j (r - 1) + p - 1). */
LW_INLINE void NAME(fft_stage)(vec *z, int64_t h, int64_t n, const T *twiddle, const int r, const int sign) {
    int64_t m = n / r;
    for (int64_t s = 0; s < h; s += n) {
        const T *w = twiddle;
        for (int64_t j = 0; j < m; j++, w += 2 * (r - 1)) {
            vec re[8], im[8], *p = z + 2 * (s + j);
            LW_UNROLL
            for (int q = 0; q < r; q++) {
                vec a = p[2 * q * m], b = p[2 * q * m + 1];
                if (sign > 0 && q) {
                    T c = w[2 * q - 2], d = w[2 * q - 1];
                    re[q] = a * c + b * d, im[q] = b * c - a * d;
                } else {
                    re[q] = a, im[q] = b;
                }
            }
            NAME(small_dft)(re, im, r, sign);
            LW_UNROLL
            for (int q = 0; q < r; q++) {
                if (sign < 0 && q) {
                    T c = w[2 * q - 2], d = w[2 * q - 1];
                    p[2 * q * m] = re[q] * c - im[q] * d, p[2 * q * m + 1] = im[q] * c + re[q] * d;
                } else {
                    p[2 * q * m] = re[q], p[2 * q * m + 1] = im[q];
                }
            }
        }
    }
}

/* The same for a prime from 11 on. */
LW_LOCAL void NAME(fft_stage_large)(vec *z, int64_t h, int64_t n, const T *twiddle, int r, int sign, T roots[2][32]) {
    int64_t m = n / r;
    int half = r / 2;
    for (int64_t s = 0; s < h; s += n) {
        const T *w = twiddle;
        for (int64_t j = 0; j < m; j++, w += 2 * (r - 1)) {
            vec sr[16], si[16], dr[16], di[16], *p = z + 2 * (s + j), x = p[0], y = p[1], sum_r = x, sum_i = y;
            for (int q = 1; q <= half; q++) {
                vec re[2], im[2];
                for (int i = 0; i < 2; i++) {
                    int at = i ? r - q : q;
                    vec a = p[2 * at * m], b = p[2 * at * m + 1];
                    T c = w[2 * at - 2], d = w[2 * at - 1];
                    re[i] = sign > 0 ? a * c + b * d : a, im[i] = sign > 0 ? b * c - a * d : b;
                }
                sr[q] = re[0] + re[1], si[q] = im[0] + im[1], dr[q] = re[0] - re[1], di[q] = im[0] - im[1];
                sum_r += sr[q], sum_i += si[q];
            }
            p[0] = sum_r, p[1] = sum_i;
            for (int k = 1; k <= half; k++) {
                vec ar = x, ai = y, br = NAME(zero)(), bi = br;
                for (int q = 1, at = k; q <= half; q++, at = at + k < r ? at + k : at + k - r) {
                    T c = roots[0][at], d = roots[1][at];
                    ar += sr[q] * c, ai += si[q] * c, br += dr[q] * d, bi += di[q] * d;
                }
                if (sign < 0) br = -br, bi = -bi;
                for (int i = 0; i < 2; i++) {
                    int at = i ? r - k : k;
                    vec re = i ? ar + bi : ar - bi, im = i ? ai - br : ai + br;
                    T c = w[2 * at - 2], d = w[2 * at - 1];
                    p[2 * at * m] = sign < 0 ? re * c - im * d : re, p[2 * at * m + 1] = sign < 0 ? im * c + re * d : im;
                }
            }
        }
    }
}

LW_LOCAL void NAME(fft_stages)(const NAME(fft) *t, vec *z, const int sign) {
    int64_t n = sign < 0 ? t->h : 1;
    const T *w = t->twiddle + (sign < 0 ? 0 : 2 * (t->h - 1));
    for (int i = 0; i < t->stages; i++) {
        int r = t->radix[sign < 0 ? i : t->stages - 1 - i];
        if (sign > 0) n *= r, w -= 2 * (r - 1) * (n / r);
        switch (r) {
        case 2: NAME(fft_stage)(z, t->h, n, w, 2, sign); break;
        case 3: NAME(fft_stage)(z, t->h, n, w, 3, sign); break;
        case 4: NAME(fft_stage)(z, t->h, n, w, 4, sign); break;
        case 5: NAME(fft_stage)(z, t->h, n, w, 5, sign); break;
        case 7: NAME(fft_stage)(z, t->h, n, w, 7, sign); break;
        default: {
            int which = 0;
            while (NAME(large_radix)[which] != r) which++;
            NAME(fft_stage_large)(z, t->h, n, w, r, sign, (T(*)[32])t->roots[which]);
        }
        }
        if (sign < 0) w += 2 * (r - 1) * (n / r), n /= r;
    }
}

LW_LOCAL void NAME(fft_forward)(const NAME(fft) *t, vec *z) { NAME(fft_stages)(t, z, -1); }
LW_LOCAL void NAME(fft_inverse)(const NAME(fft) *t, vec *z) { NAME(fft_stages)(t, z, 1); }

/* The radices of h; returns how many, or -1 if another prime divides it. */
LW_LOCAL int NAME(fft_radices)(int64_t h, int *radix) {
    static const int known[] = {7, 5, 3, 4, 2};
    int stages = 0;
    for (int i = 0; i < LW_LARGE_RADICES + 5; i++) {
        int r = i < LW_LARGE_RADICES ? NAME(large_radix)[i] : known[i - LW_LARGE_RADICES];
        while (h % r == 0) radix[stages++] = r, h /= r;
    }
    return h == 1 ? stages : -1;
}

/* Fills radices, twiddles and places; the arrays are there. */
LW_LOCAL void NAME(fft_plan)(NAME(fft) *t) {
    const double turn = 6.28318530717958647693;
    int64_t n = t->h;
    T *w = t->twiddle;
    for (int i = 0; i < LW_LARGE_RADICES; i++)
        for (int m = 0, r = NAME(large_radix)[i]; m < r && t->h % r == 0; m++) {
            double angle = turn * m / r;
            t->roots[i][0][m] = (T)cos(angle), t->roots[i][1][m] = (T)sin(angle);
        }
    for (int i = 0; i < t->stages; i++) {
        int r = t->radix[i];
        for (int64_t j = 0; j < n / r; j++)
            for (int p = 1; p < r; p++) {
                double angle = -turn * (double)(j * p % n) / (double)n;
                *w++ = (T)cos(angle), *w++ = (T)sin(angle);
            }
        n /= r;
    }
    for (int64_t k = 0; k < t->h; k++) {
        int64_t rest = k, place = 0, size = t->h;
        for (int i = 0; i < t->stages; i++) size /= t->radix[i], place += rest % t->radix[i] * size, rest /= t->radix[i];
        t->place[k] = place;
    }
    for (int64_t k = 0; k < t->h; k++) t->partner[t->place[k]] = t->place[(t->h - k) % t->h];
}
