/* Plain C: any compiler, any processor. Also what the tests compare the others with. */
#include "common.h"
#define LW_BYTES 0
#define LW_RADIX 8
#define LW_NAME plain
#include "both_types.h"

const lw_isa lw_isa_plain = {"plain", &lw_kernels_f32_plain, &lw_kernels_f64_plain};
