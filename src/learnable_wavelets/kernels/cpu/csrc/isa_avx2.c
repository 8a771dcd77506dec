/* 256-bit vectors with fused multiply-add (x86-64 since 2013). */
#include "common.h"
#ifdef LW_HAVE_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define LW_BYTES 32
#define LW_RADIX 8
#define LW_FMA
#define LW_NAME avx2
#include "both_types.h"

const lw_isa lw_isa_avx2 = {"avx2", &lw_kernels_f32_avx2, &lw_kernels_f64_avx2};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
