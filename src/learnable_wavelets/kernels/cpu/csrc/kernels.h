/* All kernels of one instruction set for one type. The including file defines
 *   T, LW_SIZEOF_T   float or double and its size,
 *   LANES            values in a vector (1: plain C without vector extensions),
 *   SUFFIX           ends every name, so that the copies can live side by side,
 *   LW_HALF_IO       1 where x and y may be bfloat16,
 *   LW_RADIX         the largest butterfly that fits the registers: 16 with 32 of them, else 8. */
#define LW_CAT2(a, b) a##_##b
#define LW_CAT(a, b) LW_CAT2(a, b)
#define NAME(x) LW_CAT(x, SUFFIX)

typedef struct {
    const lw_job *job;
    T *f;             /* the four filters, decomposition ones reversed */
    int64_t *perm;    /* a copy of the permutation, checked: the caller's may be rewritten by another thread */
    int64_t *inverse; /* of the permutation, to where the coefficients lie apart, */
    T *G_inverse;     /* and G in its order; backward only */
    int64_t scratch_size, at_G, at_B, at_S, at_bias, at_filter, part_size;
    int filter_grads, input_grads;
} NAME(call);

#include "vec.h"
#include "fwht.h"
#include "wavelet_tile.h"
#include "wavelet_row.h"
#include "form_row.h"

#define FORM(x) LW_CAT(x##_row, SUFFIX)
#define E T
#include "multilevel.h"
#include "transforms.h"
#include "sandwich.h"
#undef FORM
#undef E

#if LANES > 1
#include "form_tile.h"
#define FORM(x) LW_CAT(x##_tile, SUFFIX)
#define E vec
#include "multilevel.h"
#include "transforms.h"
#include "sandwich.h"
#undef FORM
#undef E
#endif

#include "run.h"
#include "fwht_op.h"

static const lw_kernels NAME(lw_kernels) = {
    LANES,
    NAME(fwht),
    NAME(wavedec),
    NAME(waverec),
    NAME(wavedec_backward),
    NAME(waverec_backward),
    NAME(sandwich),
    NAME(sandwich_backward),
};

#include "undef.h"
