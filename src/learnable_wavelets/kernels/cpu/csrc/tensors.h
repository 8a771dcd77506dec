/* Shared by the two files that face Python. */
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
PyObject *lw_bind(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *lw_plan_py(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *lw_run(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *lw_kept(PyObject *self, PyObject *capsule);
PyObject *lw_run_backward(PyObject *self, PyObject *const *args, Py_ssize_t count);

#endif
