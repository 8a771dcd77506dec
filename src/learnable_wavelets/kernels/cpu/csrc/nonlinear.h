/* Sigmoid and tanh of a vector, to a few units in the last place; NaN stays NaN. Both come from
 * exp(y) = s (1 + p), s a power of two and p = expm1 of what is left, at most ln(2) / 2 in size: tanh loses nothing near 0. */

#if LW_SIZEOF_T == 4
typedef uint32_t NAME(word);
#define LW_MANTISSA 23
#define LW_ONE 0x3f800000u
#define LW_SIGN 0x80000000u
#define LW_ROUNDER ((T)12582912.0) /* 1.5 * 2^23: adding it rounds to an integer, in the low bits */
#define LW_LN2_HI ((T)6.9314575195e-01)
#define LW_LN2_LO ((T)1.4286067653e-06)
#define LW_EXP_LEAST ((T)-87)
#define LW_EXP_MOST ((T)88.8) /* s is infinite */
#define LW_EXP_TERMS 7
#else
typedef uint64_t NAME(word);
#define LW_MANTISSA 52
#define LW_ONE 0x3ff0000000000000u
#define LW_SIGN 0x8000000000000000u
#define LW_ROUNDER ((T)6755399441055744.0)
#define LW_LN2_HI ((T)6.93147180369123816490e-01)
#define LW_LN2_LO ((T)1.90821492927058770002e-10)
#define LW_EXP_LEAST ((T)-708)
#define LW_EXP_MOST ((T)709.9)
#define LW_EXP_TERMS 13
#endif

#if LANES == 1
typedef NAME(word) NAME(words);
#else
typedef NAME(word) NAME(words) __attribute__((vector_size(LANES * sizeof(T))));
#endif
#define words NAME(words)

LW_INLINE words NAME(as_words)(vec v) {
    words w;
    memcpy(&w, &v, sizeof w);
    return w;
}

LW_INLINE vec NAME(as_vec)(words w) {
    vec v;
    memcpy(&v, &w, sizeof v);
    return v;
}

/* a where the mask has ones, b where it has zeros */
LW_INLINE vec NAME(choose)(words mask, vec a, vec b) {
    return NAME(as_vec)((mask & NAME(as_words)(a)) | (~mask & NAME(as_words)(b)));
}

LW_INLINE words NAME(below)(vec a, vec b) {
#if LANES == 1
    return a < b ? ~(words)0 : 0;
#else
    return (words)(a < b);
#endif
}

LW_INLINE vec NAME(clamp)(vec y, T least, T most) {
    vec lower = NAME(zero)() + least, upper = NAME(zero)() + most;
    y = NAME(choose)(NAME(below)(y, lower), lower, y);
    return NAME(choose)(NAME(below)(upper, y), upper, y);
}

/* p, and s through the pointer; y within the two limits */
LW_INLINE vec NAME(exp_parts)(vec y, vec *s) {
    static const T inverse_factorial[] = {
        1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,        1.0 / 5040,
        1.0 / 40320,  1.0 / 362880,  1.0 / 3628800,  1.0 / 39916800,  1.0 / 479001600,  1.0 / 6227020800.0,
    };
    vec z = y * (T)1.44269504088896340736 + LW_ROUNDER, n = z - LW_ROUNDER;
    vec r = y - n * LW_LN2_HI;
    r -= n * LW_LN2_LO;
    vec q = NAME(zero)() + inverse_factorial[LW_EXP_TERMS - 2];
    LW_UNROLL
    for (int i = LW_EXP_TERMS - 3; i >= 0; i--) q = q * r + inverse_factorial[i];
    *s = NAME(as_vec)((NAME(as_words)(z) << LW_MANTISSA) + LW_ONE);
    return r + r * r * q;
}

LW_INLINE vec NAME(sigmoid)(vec x) {
    vec s, p = NAME(exp_parts)(NAME(clamp)(-x, LW_EXP_LEAST, LW_EXP_MOST), &s);
    return 1 / (1 + s * (1 + p));
}

LW_INLINE vec NAME(tanh)(vec x) {
    words sign = NAME(as_words)(x) & LW_SIGN;
    vec size = NAME(as_vec)(NAME(as_words)(x) ^ sign), least = NAME(zero)() + LW_EXP_LEAST, s;
    vec y = -2 * size;
    vec p = NAME(exp_parts)(NAME(choose)(NAME(below)(y, least), least, y), &s);
    vec minus = s * p + (s - 1); /* expm1(-2 |x|) */
    return NAME(as_vec)(NAME(as_words)(-minus / (2 + minus)) | sign);
}
