/* All kernels of one instruction set for one type. The including file defines
 *   T, LW_SIZEOF_T   float or double and its size,
 *   LANES            values in a vector (1: plain C without vector extensions),
 *   SUFFIX           ends every name, so that the copies can live side by side,
 *   LW_HALF_IO       1 where x and y may be bfloat16,
 *   LW_RADIX         the largest butterfly that fits the registers: 16 with 32 of them, else 8. */
#define LW_CAT2(a, b) a##_##b
#define LW_CAT(a, b) LW_CAT2(a, b)
#define NAME(x) LW_CAT(x, SUFFIX)

#define LW_MOST_STAGES 40
#define LW_LARGE_RADICES 7 /* 11 to 31 */

/* The FFT of one level of a long filter, for h complex values (fft_tile.h); spectra by place, 4 values each: P and Q, real
 * and imaginary (long_filter.h). */
typedef struct {
    int64_t h, base; /* `base`: the first line of this level among the lines of all */
    int stages, radix[LW_MOST_STAGES];
    T *twiddle;       /* of all stages, one after the other */
    int64_t *place;   /* of each frequency */
    int64_t *partner; /* by place: the place of the negative frequency */
    T *dec, *rec;
    T roots[LW_LARGE_RADICES][2][32]; /* cos and sin of 2 pi m / r */
} NAME(fft);

typedef struct {
    const lw_job *job;
    T *f;             /* the four filters, decomposition ones reversed */
    int64_t *perm;    /* a copy of the permutation, checked: the caller's may be rewritten by another thread */
    T *G;             /* times `scale` */
    int64_t *inverse; /* of the permutation, to where the coefficients lie apart, */
    T *G_inverse;     /* and `G` in its order; backward only */
    int64_t scratch_size, at_W, at_H, at_G, at_B, at_S, at_bias, at_filter, part_size;
    int filter_grads, input_grads;
    /* long filters only: `lines` is not 0 */
    NAME(fft) *fft;
    T *spectra;
    int64_t lines, *line, *line_perm, at_spectra[2];
} NAME(call);

#include "vec.h"
#include "nonlinear.h"
#include "fwht.h"
#include "wavelet_tile.h"
#include "wavelet_row.h"
#include "form_row.h"

#define FORM(x) LW_CAT(x##_row, SUFFIX)
#define E T
#include "multilevel.h"
#include "transforms.h"
#include "sandwich.h"
#include "gate.h"
#include "recurrent.h"
#include "recurrent_back.h"
#undef FORM
#undef E

#if LANES > 1
#include "form_tile.h"
#define FORM(x) LW_CAT(x##_tile, SUFFIX)
#define E vec
#include "multilevel.h"
#include "transforms.h"
#include "sandwich.h"
#include "gate.h"
#include "recurrent.h"
#include "recurrent_back.h"
#undef FORM
#undef E
#include "fft_tile.h"
#include "long_filter.h"
#endif

#include "run.h"
#include "fwht_op.h"
#include "plane_lines.h"
#include "plane_grads.h"
#include "planes.h"
#include "planes_op.h"
#include "undecimated.h"
#include "undecimated_op.h"

static const lw_kernels NAME(lw_kernels) = {
    LANES,
    NAME(fwht),
    NAME(wavedec),
    NAME(waverec),
    NAME(wavedec_backward),
    NAME(waverec_backward),
    NAME(sandwich),
    NAME(sandwich_backward),
    NAME(planes),
    NAME(undecimated),
    NAME(recurrent),
    NAME(recurrent_backward),
};

#include "undef.h"
