/* Types shared by the kernels, the dispatcher and the Python module. */
#ifndef LW_COMMON_H
#define LW_COMMON_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LW_MAX_LEVEL 62
#define LW_ALIGN 64
#define LW_HUGE ((int64_t)1 << 22)

enum { LW_OK = 0, LW_NO_MEMORY = 1, LW_BAD_PERM = 2 };
enum { LW_F32 = 0, LW_F64 = 1, LW_BF16 = 2 };
/* What is not periodization has pywt's lengths; beyond zero, a signal is continued in its margins before each step. */
enum {
    LW_HADAMARD = 0,
    LW_PERIODIZATION = 1,
    LW_ZERO = 2,
    LW_CONSTANT = 3,
    LW_SYMMETRIC = 4,
    LW_PERIODIC = 5,
    LW_SMOOTH = 6,
    LW_REFLECT = 7,
    LW_ANTISYMMETRIC = 8,
    LW_ANTIREFLECT = 9,
};
enum { LW_SIGMOID = 0, LW_TANH = 1, LW_TANH_AFTER = 2 }; /* gates: the last after a reset gate has acted */
enum { LW_GRU_PUBLISHED = 0, LW_GRU = 1, LW_LSTM = 2 };
enum { LW_DEC_LO = 0, LW_DEC_HI = 1, LW_REC_LO = 2, LW_REC_HI = 3 };

/* A multilevel transform. `len[j]` is the number of approximation coefficients after j levels (len[0] = n). A packed
 * vector is [A_J, D_J, ..., D_1]: D_j begins at `detail[j]`. `approx[j]` is the place of A_j (0 < j < J) in the buffer
 * for intermediate approximations. One step of analysis is a[k] = sum_t f[t] x[2k + t + shift], f the reversed
 * decomposition filter; one step of synthesis is its adjoint, with f the reconstruction filter.
 *
 * Margins: every signal has `margin` values of room before and after it, where a step of a tile extends it (periodically
 * or by zeros), so that one loop serves edges and middle. The coefficients that a synthesis reads have such room too:
 * they lie apart, D_j at `apart[j]` and A_J at `apart[0]`, in a buffer of `apart_size`. */
typedef struct {
    int mode, level, taps;
    int64_t n, m, shift, margin, approx_size, apart_size;
    int64_t len[LW_MAX_LEVEL + 1], detail[LW_MAX_LEVEL + 1], approx[LW_MAX_LEVEL + 1], apart[LW_MAX_LEVEL + 1];
} lw_plan;

/* A signal of n values at a place i outside of 0..n-1: the sum of `count` of its values, weighted. */
typedef struct {
    int count;
    int64_t at[3];
    double weight[3];
} lw_outside;

/* One call of an operator. Parameters and their gradients are float32 or float64; x, y, gy and gx may be bfloat16. A
 * null pointer among the gradients means that it is not wanted. */
typedef struct {
    int64_t rows, in, out, k, n, m;
    int64_t banks, steps, inputs; /* of a recurrence: a bank for each block; see there */
    int chunked, wrap, bf16, threads, dense;
    lw_plan w;
    double scale;
    const void *x, *gy, *W, *H, *B, *G, *S, *bias, *filter[4];
    void *y, *gx, *gW, *gH, *gB, *gG, *gS, *gbias, *gfilter[4];
    const int64_t *perm;
} lw_job;

/* One axis of the 2-D transform: n samples, m coefficients of each band. An analysis sees `lead` samples before the first
 * and `tail` after the last, edge[0..lead + tail - 1] in that order, in all 2 `half` of them. The filters are those of the
 * operator; a gradient that is not wanted is NULL, and `grads` is 0 if neither is. */
typedef struct {
    int mode, taps, grads;
    int64_t n, m, half, lead, tail;
    lw_outside *edge;
    const void *filter[2];
    void *gfilter[2];
} lw_axis;

/* One call of the 2-D transform, float32 or float64. The analysis reads x and writes the four bands to `out`. With `bands`
 * it is the adjoint: from bands to `out[0]`, if that is not NULL, and from x and bands to the gradients of the filters.
 * `reversed`: an analysis reads the filters backwards, as it does those of a decomposition. */
typedef struct {
    int64_t planes;
    int reversed, threads;
    lw_axis axis[2];
    const void *x, *bands[4];
    void *out[4];
} lw_planes;

/* One call of the stationary transform, float32 or float64, see undecimated.h: rows of n values. Band a_j begins at
 * `a` + (level - j) `stride` arrays of all rows, d_j likewise; with `trim` there is a_level only. The analysis reads x and
 * writes a and d; `adjoint`: from a and d to `out`, if that is not NULL, and, with `grads`, from x, a and d to the gradients
 * of the filters. */
typedef struct {
    int64_t rows, n, dilation, stride;
    int level, taps, trim, inverse, adjoint, grads, threads;
    const void *x, *filter[2];
    void *a, *d, *out, *gfilter[2];
} lw_undecimated;

/* A sequence through a recurrent cell. In `job`: rows is the batch, in the size of the state, k the number of gates, y the
 * states after each step, x the input products of the gates, (first[steps], k in), or with W the inputs themselves,
 * (first[steps], inputs). W is (inputs + 1, k, in padded to lw_aligned_size), the last row the bias, and so is gW; H is such a
 * matrix of the state, for the gates whose bits are in `dense` and which have no sandwich. Step t has the rows first[t] to first[t + 1] - 1, never more than the step before: those of the first sequences. */
typedef struct {
    lw_job job;
    int cell, reverse;
    const int64_t *first;
    const void *h0, *c0, *ghn, *gcn; /* of the backward pass, or null */
    void *hn, *cn, *cells, *gh0, *gc0; /* `cells`: the second state after each step */
} lw_recurrence;

/* The kernels of one instruction set for one type. */
typedef struct {
    int lanes;
    int (*fwht)(const lw_job *);
    int (*wavedec)(const lw_job *);
    int (*waverec)(const lw_job *);
    int (*wavedec_backward)(const lw_job *);
    int (*waverec_backward)(const lw_job *);
    int (*sandwich)(const lw_job *);
    int (*sandwich_backward)(const lw_job *);
    int (*planes)(const lw_planes *);
    int (*undecimated)(const lw_undecimated *);
    int (*recurrent)(const lw_job *); /* the first member of an lw_recurrence */
    int (*recurrent_backward)(const lw_job *);
} lw_kernels;

typedef struct {
    const char *name;
    const lw_kernels *f32, *f64;
} lw_isa;

extern const lw_isa lw_isa_plain, lw_isa_base, lw_isa_avx2, lw_isa_avx512;

/* dispatch.c */
const lw_isa *lw_isa_current(void);
const lw_isa *lw_isa_at(int index); /* the usable ones, best first; NULL past the end */
int lw_isa_force(const char *name); /* NULL: the best one again; returns 0 if the name is not usable */
int lw_plan_init(lw_plan *p, int mode, int64_t n, int level, int taps); /* 0 if the sizes do not fit together */
lw_outside lw_continue(int mode, int64_t n, int64_t i);
int lw_axis_init(lw_axis *a, int mode, int64_t n, int taps); /* 0 if the sizes do not fit together; `edge` by lw_edges */
int lw_edges(lw_axis *a);                                    /* 0 if there is no memory; for lw_free */
void *lw_alloc(size_t bytes);
/* Asks for large pages under a result of LW_HUGE bytes or more, as numpy does for its arrays: new memory costs a fault a
 * page, and most of a transform's time is that. */
void lw_expect(void *p, int64_t bytes);
void lw_free(void *p);

static inline int64_t lw_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t lw_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t lw_aligned_size(int64_t n) { return (n + 15) / 16 * 16; } /* keeps what follows aligned */

/* Which instruction sets this compiler can be asked for. Shuffles need GCC 12 or clang; anything else gets plain C. */
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector) && __has_builtin(__builtin_convertvector)
#define LW_HAVE_VECTORS 1
#endif
#endif
#if defined(LW_HAVE_VECTORS) && defined(__x86_64__)
#define LW_HAVE_X86 1
#endif

#if defined(__clang__)
#define LW_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define LW_UNROLL _Pragma("GCC unroll 16")
#else
#define LW_UNROLL
#endif

#if defined(__GNUC__) || defined(__clang__)
#define LW_INLINE static inline __attribute__((always_inline, unused))
#define LW_LOCAL static __attribute__((unused))
#else
#define LW_INLINE static inline
#define LW_LOCAL static
#define __restrict__ __restrict
#endif

#endif
