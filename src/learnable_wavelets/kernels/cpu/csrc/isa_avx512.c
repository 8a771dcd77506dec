/* 512-bit vectors and 32 registers. */
#include "common.h"
#ifdef LW_HAVE_X86
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#endif
#define LW_BYTES 64
#define LW_RADIX 16
#define LW_FMA
#define LW_NAME avx512
#include "both_types.h"

const lw_isa lw_isa_avx512 = {"avx512", &lw_kernels_f32_avx512, &lw_kernels_f64_avx512};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
