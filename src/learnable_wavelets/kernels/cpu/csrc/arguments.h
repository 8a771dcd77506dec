/* Shared by the files whose functions take addresses and sizes: reading arguments, and refusing them. */
#ifndef LW_ARGUMENTS_H
#define LW_ARGUMENTS_H

#include "tensors.h"

#define LW_LIMIT ((int64_t)1 << 40)

/* An integer argument. Errors are collected in PyErr_Occurred(). */
static inline int64_t lw_int(lw_args *a) { return PyLong_AsLongLong(a->args[a->next++]); }
static inline void *lw_pointer(lw_args *a) { return PyLong_AsVoidPtr(a->args[a->next++]); }

static inline PyObject *lw_refuse(const char *message) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, message);
    return NULL;
}

static inline int lw_dtype(lw_job *job, const lw_kernels **kernels, int64_t dtype) {
    const lw_isa *isa = lw_isa_current();
    job->bf16 = dtype == LW_BF16;
    *kernels = dtype == LW_F64 ? isa->f64 : isa->f32;
    return dtype == LW_F32 || dtype == LW_F64 || dtype == LW_BF16;
}

/* Present and aligned to its type. Data of `width` bytes. */
static inline int lw_there(const void *p, int64_t count, int width) {
    return count == 0 || (p && (uintptr_t)p % (uintptr_t)width == 0);
}

static inline int lw_aligned(const void *p, int width) { return (uintptr_t)p % (uintptr_t)width == 0; }

PyObject *lw_done(int status); /* module.c: None, or NULL with the error of a kernel */

/* planes_call.c */
PyObject *lw_planes_call(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *lw_undecimated_call(PyObject *self, PyObject *const *args, Py_ssize_t count);

/* recurrent_call.c */
PyObject *lw_recurrent(PyObject *self, PyObject *const *args, Py_ssize_t count);
PyObject *lw_recurrent_backward(PyObject *self, PyObject *const *args, Py_ssize_t count);

#endif
