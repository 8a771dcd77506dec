/* The kernels for float32 and float64, with vectors of LW_BYTES (0: plain C), names ending in LW_NAME.
 * A template: included once per instruction set. */
#define LW_JOIN2(a, b) a##_##b
#define LW_JOIN(a, b) LW_JOIN2(a, b)

#define T float
#define LW_SIZEOF_T 4
#if LW_BYTES
#define LANES (LW_BYTES / 4)
#else
#define LANES 1
#endif
#define SUFFIX LW_JOIN(f32, LW_NAME)
#define LW_HALF_IO 1
#include "kernels.h"

#define T double
#define LW_SIZEOF_T 8
#if LW_BYTES
#define LANES (LW_BYTES / 8)
#else
#define LANES 1
#endif
#define SUFFIX LW_JOIN(f64, LW_NAME)
#define LW_HALF_IO 0
#include "kernels.h"
