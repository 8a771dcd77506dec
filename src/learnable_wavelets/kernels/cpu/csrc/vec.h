/* Vectors of LANES values of type T: loads and stores, transposition, and what works inside one vector.
 * A template: included once per type by kernels.h. LANES == 1 is plain C, for compilers without vector extensions. */

#if LANES == 1
typedef T NAME(vec);
typedef T NAME(uvec);
#else
typedef T NAME(vec) __attribute__((vector_size(LANES * sizeof(T))));
typedef T NAME(uvec) __attribute__((vector_size(LANES * sizeof(T)), aligned(sizeof(T))));
#endif
#define vec NAME(vec)
#define uvec NAME(uvec)

LW_INLINE vec NAME(loadu)(const T *p) { return *(const uvec *)p; }
LW_INLINE void NAME(storeu)(T *p, vec v) { *(uvec *)p = v; }
LW_INLINE vec NAME(zero)(void) {
#if LANES == 1
    return 0;
#else
    return (vec){0};
#endif
}

/* ---- x and y: type T, or bfloat16 when `bf16` (a constant wherever these are inlined) ---- */

LW_INLINE T NAME(get)(const void *p, int64_t i, int bf16) {
#if LW_HALF_IO
    if (bf16) {
        uint32_t bits = (uint32_t)((const uint16_t *)p)[i] << 16;
        float f;
        memcpy(&f, &bits, 4);
        return f;
    }
#endif
    (void)bf16;
    return ((const T *)p)[i];
}

LW_INLINE void NAME(put)(void *p, int64_t i, T value, int bf16) {
#if LW_HALF_IO
    if (bf16) {
        uint32_t bits;
        memcpy(&bits, &value, 4);
        /* to nearest, ties to even; a NaN stays a NaN */
        ((uint16_t *)p)[i] = value != value ? 0x7fc0 : (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
        return;
    }
#endif
    (void)bf16;
    ((T *)p)[i] = value;
}

#if LW_HALF_IO && LANES > 1
typedef uint32_t NAME(bits) __attribute__((vector_size(LANES * 4)));
typedef uint16_t NAME(half) __attribute__((vector_size(LANES * 2), aligned(2)));
#endif

LW_INLINE vec NAME(load)(const void *p, int64_t i, int bf16) {
#if LW_HALF_IO && LANES > 1
    if (bf16) {
        NAME(half) h = *(const NAME(half) *)((const uint16_t *)p + i);
        return (vec)(__builtin_convertvector(h, NAME(bits)) << 16);
    }
#elif LW_HALF_IO
    if (bf16) return NAME(get)(p, i, 1);
#endif
    (void)bf16;
    return NAME(loadu)((const T *)p + i);
}

LW_INLINE void NAME(store)(void *p, int64_t i, vec v, int bf16) {
#if LW_HALF_IO && LANES > 1
    if (bf16) {
        NAME(bits) b = (NAME(bits))v, nan = (NAME(bits))(v != v);
        b = (b + 0x7fff + ((b >> 16) & 1)) >> 16;
        b = (nan & 0x7fc0) | (~nan & b);
        *(NAME(half) *)((uint16_t *)p + i) = __builtin_convertvector(b, NAME(half));
        return;
    }
#elif LW_HALF_IO
    if (bf16) {
        NAME(put)(p, i, v, 1);
        return;
    }
#endif
    (void)bf16;
    NAME(storeu)((T *)p + i, v);
}

/* The first `count` entries only; the others are read as zero. */
LW_INLINE vec NAME(load_part)(const void *p, int64_t i, int64_t count, int bf16) {
    T tmp[LANES] = {0};
    for (int64_t c = 0; c < count && c < LANES; c++) tmp[c] = NAME(get)(p, i + c, bf16);
    return NAME(loadu)(tmp);
}

LW_INLINE void NAME(store_part)(void *p, int64_t i, vec v, int64_t count, int bf16) {
    T tmp[LANES];
    NAME(storeu)(tmp, v);
    for (int64_t c = 0; c < count && c < LANES; c++) NAME(put)(p, i + c, tmp[c], bf16);
}

/* ---- inside vectors ---- */

/* shuffles by lane count: partner in a butterfly of distance 1, 2, 4, 8; even, odd; interleaved low, high half */
#if LANES == 16
#define SWAP1(v) __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
#define SWAP2(v) __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define SWAP4(v) __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
#define SWAP8(v) __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define ZIPLO(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIPHI(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif LANES == 8
#define SWAP1(v) __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6)
#define SWAP2(v) __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5)
#define SWAP4(v) __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3)
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define ZIPLO(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIPHI(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif LANES == 4
#define SWAP1(v) __builtin_shufflevector(v, v, 1, 0, 3, 2)
#define SWAP2(v) __builtin_shufflevector(v, v, 2, 3, 0, 1)
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#define ZIPLO(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIPHI(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#elif LANES == 2
#define SWAP1(v) __builtin_shufflevector(v, v, 1, 0)
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3)
#define ZIPLO(a, b) __builtin_shufflevector(a, b, 0, 2)
#define ZIPHI(a, b) __builtin_shufflevector(a, b, 1, 3)
#else
#define EVEN(a, b) (a)
#define ODD(a, b) (b)
#define ZIPLO(a, b) (a)
#define ZIPHI(a, b) (b)
#endif

#if LANES > 1
/* +1 where the lane is the upper partner of a butterfly of distance h, -1 where it is the lower one */
LW_INLINE vec NAME(signs)(int h) {
    T s[LANES];
    for (int l = 0; l < LANES; l++) s[l] = (l & h) ? -1 : 1;
    return NAME(loadu)(s);
}
#endif

/* Walsh-Hadamard of `size` neighbouring lanes (size a power of two, at most LANES). */
LW_INLINE vec NAME(hadamard_inside)(vec v, int size) {
#if LANES >= 2
    if (size > 1) v = SWAP1(v) + NAME(signs)(1) * v;
#endif
#if LANES >= 4
    if (size > 2) v = SWAP2(v) + NAME(signs)(2) * v;
#endif
#if LANES >= 8
    if (size > 4) v = SWAP4(v) + NAME(signs)(4) * v;
#endif
#if LANES >= 16
    if (size > 8) v = SWAP8(v) + NAME(signs)(8) * v;
#endif
    (void)size;
    return v;
}

LW_INLINE T NAME(sum)(vec v) {
    T s[LANES];
    NAME(storeu)(s, v);
    for (int h = LANES / 2; h > 0; h /= 2)
        for (int l = 0; l < h; l++) s[l] += s[l + h];
    return s[0];
}

/* ---- transposition of LANES vectors ----
 * First inside 128-bit lanes (groups of GROUP rows), then the lanes themselves, seen as pairs of doubles. */
#if LANES > 1
#define GROUP (16 / (int)sizeof(T))
#define WIDE (LANES * (int)sizeof(T) / 16)
typedef double NAME(pair) __attribute__((vector_size(LANES * sizeof(T))));
#define pair NAME(pair)
#if LANES * LW_SIZEOF_T == 64
#define PAIRLO(a, b) __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#define PAIRHI(a, b) __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#define WORDLO(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define WORDHI(a, b) __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define LANELO(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13)
#define LANEHI(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15)
#elif LANES * LW_SIZEOF_T == 32
#define PAIRLO(a, b) __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define PAIRHI(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#define WORDLO(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define WORDHI(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LANELO(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define LANEHI(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#else
#define PAIRLO(a, b) __builtin_shufflevector(a, b, 0, 2)
#define PAIRHI(a, b) __builtin_shufflevector(a, b, 1, 3)
#define WORDLO(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define WORDHI(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif
#endif

LW_INLINE void NAME(transpose)(vec *r) {
#if LANES > 1
    pair q[LANES];
    LW_UNROLL
    for (int g = 0; g < WIDE; g++) {
        vec *p = r + g * GROUP;
#if LW_SIZEOF_T == 4
        pair a = (pair)WORDLO(p[0], p[1]), b = (pair)WORDHI(p[0], p[1]);
        pair c = (pair)WORDLO(p[2], p[3]), d = (pair)WORDHI(p[2], p[3]);
        q[g * 4] = PAIRLO(a, c);
        q[g * 4 + 1] = PAIRHI(a, c);
        q[g * 4 + 2] = PAIRLO(b, d);
        q[g * 4 + 3] = PAIRHI(b, d);
#else
        q[g * 2] = PAIRLO((pair)p[0], (pair)p[1]);
        q[g * 2 + 1] = PAIRHI((pair)p[0], (pair)p[1]);
#endif
    }
    LW_UNROLL
    for (int j = 0; j < GROUP; j++) {
#if LANES * LW_SIZEOF_T == 64
        pair a = LANELO(q[j], q[GROUP + j]), b = LANEHI(q[j], q[GROUP + j]);
        pair c = LANELO(q[2 * GROUP + j], q[3 * GROUP + j]), d = LANEHI(q[2 * GROUP + j], q[3 * GROUP + j]);
        r[j] = (vec)LANELO(a, c);
        r[GROUP + j] = (vec)LANELO(b, d);
        r[2 * GROUP + j] = (vec)LANEHI(a, c);
        r[3 * GROUP + j] = (vec)LANEHI(b, d);
#elif LANES * LW_SIZEOF_T == 32
        r[j] = (vec)LANELO(q[j], q[GROUP + j]);
        r[GROUP + j] = (vec)LANEHI(q[j], q[GROUP + j]);
#else
        r[j] = (vec)q[j];
#endif
    }
#else
    (void)r;
#endif
}

/* sums[i] = the sum over the lanes of r[i]: half of the shuffles of a transposition */
LW_INLINE vec NAME(sums)(const vec *r) {
#if LANES > 1
    vec q[WIDE];
    LW_UNROLL
    for (int g = 0; g < WIDE; g++) {
        const vec *p = r + g * GROUP;
#if LW_SIZEOF_T == 4
        pair a = (pair)(vec)(WORDLO(p[0], p[1]) + WORDHI(p[0], p[1]));
        pair b = (pair)(vec)(WORDLO(p[2], p[3]) + WORDHI(p[2], p[3]));
#else
        pair a = (pair)p[0], b = (pair)p[1];
#endif
        q[g] = (vec)PAIRLO(a, b) + (vec)PAIRHI(a, b);
    }
#if LANES * LW_SIZEOF_T >= 32
    LW_UNROLL
    for (int g = 0; g < WIDE; g += 2)
        q[g / 2] = (vec)LANELO((pair)q[g], (pair)q[g + 1]) + (vec)LANEHI((pair)q[g], (pair)q[g + 1]);
#endif
#if LANES * LW_SIZEOF_T == 64
    q[0] = (vec)LANELO((pair)q[0], (pair)q[1]) + (vec)LANEHI((pair)q[0], (pair)q[1]);
#endif
    return q[0];
#else
    return r[0];
#endif
}
