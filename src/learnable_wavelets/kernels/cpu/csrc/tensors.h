/* Shared by the files that face Python. */
#ifndef LW_TENSORS_H
#define LW_TENSORS_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030A0000
#endif
#include <Python.h>

#include "common.h"

typedef struct {
    PyObject *const *args;
    Py_ssize_t next;
} lw_args;

/* No count of bytes or of work overflows. */
static inline int lw_rows_fit(int64_t rows, int64_t width) {
    return rows >= 0 && width >= 1 && rows <= ((int64_t)1 << 56) / width;
}

/* module.c */
int lw_count(const char *name, Py_ssize_t got, Py_ssize_t expected);
int lw_sandwich_sizes(lw_job *job, lw_args *a); /* in, out, k, n, chunked, wrap, mode, level, taps, scale */
PyObject *lw_call(int (*kernel)(const lw_job *), const lw_job *job);

/* tensors.c */

/* The parts of DLPack 1 that are read: https://dmlc.github.io/dlpack */
typedef struct {
    void *data;
    int32_t device_type, device_id, ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} lw_tensor;
enum { LW_DL_CPU = 1, LW_DL_FLOAT = 2, LW_DL_INT = 0 };

#define LW_OPERANDS 8 /* B, G, S, bias, four filters */

/* What `bind` was given, by place. */
enum {
    LW_TENSOR, LW_PARAMETER, LW_EXCHANGE, LW_EMPTY_LIKE, LW_IS_NEG, LW_THREADS, LW_GRAD_ENABLED, LW_LINEAR, LW_ATTACH, LW_GLOBAL_HOOKS,
    LW_QUIET, LW_BOUND
};

extern PyObject *lw_bound[LW_BOUND];

/* A parameter that was seen, and where its values lay: it is not negated. */
typedef struct {
    PyObject *object;
    void *data;
} lw_seen;
extern lw_seen lw_fresh; /* in its place: a tensor that was just made */

PyObject *lw_bind(PyObject *self, PyObject *const *args, Py_ssize_t count);
int lw_quiet(void);
int lw_read(PyObject *object, lw_tensor *t, lw_seen *seen);
int lw_contiguous(const lw_tensor *t);
int lw_is_float(const lw_tensor *t, int width);
int lw_data(PyObject *object, PyObject **owner, lw_tensor *t, int64_t columns);
int lw_operands(lw_job *job, lw_seen *seen, PyObject *const *args, int width);
int64_t lw_rows(const lw_tensor *t);
int lw_threads(lw_job *job);
const lw_kernels *lw_kernels_of(const lw_tensor *t);
PyObject *lw_new_like(PyObject *like);
PyObject *lw_new_rows(PyObject *x, const lw_tensor *t, int64_t columns); /* the leading axes of x, and so many columns */

/* dense.c */

/* The matrix of a layer, and the bytes of the parameters that it was computed from. */
typedef struct {
    PyObject *matrix;
    size_t size;
    char *bytes;
} lw_dense;

int lw_below_crossover(const lw_job *job);
PyObject *lw_multiply(lw_dense **kept, const lw_job *job, const lw_kernels *kernels, PyObject *x, PyObject *bias, size_t width);
void lw_keep(lw_dense **kept, lw_dense *dense); /* frees the matrix, or puts another one in its place */
int64_t lw_dense_bytes(const lw_dense *dense);

/* prepared.c */
PyObject *lw_plan_py(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *lw_run(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *lw_kept(PyObject *self, PyObject *capsule);
PyObject *lw_run_backward(PyObject *self, PyObject *const *args, Py_ssize_t count);

#endif
