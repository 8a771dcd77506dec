/* 128-bit vectors, which every x86-64 (SSE2) and every 64-bit ARM (NEON) has. */
#include "common.h"
#ifdef LW_HAVE_VECTORS
#define LW_BYTES 16
#ifdef __aarch64__
#define LW_RADIX 16
#else
#define LW_RADIX 8
#endif
#define LW_NAME base
#include "both_types.h"

const lw_isa lw_isa_base = {"base", &lw_kernels_f32_base, &lw_kernels_f64_base};
#endif
