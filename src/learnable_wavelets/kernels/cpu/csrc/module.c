/* The Python module `_cpu`: raw addresses and sizes in, status out. Limited API: one build serves every Python from 3.10.
 * The caller has checked shapes, types and devices; here only what could read or write out of bounds is refused. */
#include "arguments.h"

int lw_count(const char *name, Py_ssize_t got, Py_ssize_t expected) {
    if (got == expected) return 1;
    PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, got %zd", name, expected, got);
    return 0;
}

PyObject *lw_done(int status) {
    if (status == LW_NO_MEMORY) {
        PyErr_SetString(PyExc_MemoryError, "no memory for the tiles of a kernel; fewer threads need less");
        return NULL;
    }
    if (status == LW_BAD_PERM) return lw_refuse("`permutation` must hold each of 0..m-1 once in every block");
    Py_RETURN_NONE;
}

PyObject *lw_call(int (*kernel)(const lw_job *), const lw_job *job) {
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = kernel(job);
    Py_END_ALLOW_THREADS
    return lw_done(status);
}

/* fwht(x, y, rows, n, scale, dtype, threads) */
static PyObject *lw_fwht(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    lw_args a = {args, 0};
    lw_job job = {0};
    const lw_kernels *kernels;
    (void)self;
    if (!lw_count("fwht", count, 7)) return NULL;
    job.x = lw_pointer(&a), job.y = lw_pointer(&a);
    job.rows = lw_int(&a), job.n = lw_int(&a);
    job.scale = PyFloat_AsDouble(args[a.next++]);
    int ok = lw_dtype(&job, &kernels, lw_int(&a));
    job.threads = (int)lw_int(&a);
    int width = job.bf16 ? 2 : kernels == lw_isa_current()->f64 ? 8 : 4;
    if (PyErr_Occurred()) return NULL;
    if (!ok || !lw_plan_init(&job.w, LW_HADAMARD, job.n, 0, 0) || !lw_rows_fit(job.rows, job.n) ||
        !lw_there(job.x, job.rows, width) || !lw_there(job.y, job.rows, width))
        return lw_refuse("fwht: sizes, type or addresses do not fit together (n must be a power of two)");
    return lw_call(kernels->fwht, &job);
}

/* (gy, x | x, y), rows, n, mode, level, taps, lo, hi[, gx, glo, ghi], dtype, threads */
static PyObject *lw_transform(const char *name, PyObject *const *args, Py_ssize_t count, int inverse, int backward) {
    lw_args a = {args, 0};
    lw_job job = {0};
    const lw_kernels *kernels;
    if (!lw_count(name, count, backward ? 14 : 11)) return NULL;
    const void *p = lw_pointer(&a), *q = lw_pointer(&a);
    job.x = backward ? q : p;
    job.rows = lw_int(&a), job.n = lw_int(&a);
    int64_t mode = lw_int(&a), level = lw_int(&a), taps = lw_int(&a);
    int which = inverse ? LW_REC_LO : LW_DEC_LO;
    job.filter[which] = lw_pointer(&a), job.filter[which + 1] = lw_pointer(&a);
    if (backward) {
        job.gy = p;
        job.gx = lw_pointer(&a);
        job.gfilter[which] = lw_pointer(&a), job.gfilter[which + 1] = lw_pointer(&a);
    } else {
        job.y = (void *)q;
    }
    int ok = lw_dtype(&job, &kernels, lw_int(&a));
    job.threads = (int)lw_int(&a);
    if (PyErr_Occurred()) return NULL;
    int real = kernels == lw_isa_current()->f64 ? 8 : 4, width = job.bf16 ? 2 : real;
    if (!ok || level < 0 || level > LW_MAX_LEVEL || taps < 0 || taps > 1 << 20 || mode <= LW_HADAMARD || mode > LW_ANTIREFLECT ||
        !lw_plan_init(&job.w, (int)mode, job.n, (int)level, (int)taps) || !lw_rows_fit(job.rows, job.w.m))
        return lw_refuse("wavelet transform: sizes, level, taps or mode do not fit together");
    int grads = job.gfilter[which] || job.gfilter[which + 1];
    if (!lw_there(job.filter[which], job.w.taps, real) || !lw_there(job.filter[which + 1], job.w.taps, real) ||
        !lw_there(p, job.rows, width) || !lw_there(q, backward && !grads ? 0 : job.rows, width) ||
        !lw_aligned(q, width) || !lw_aligned(job.gx, width) || !lw_aligned(job.gfilter[which], real) ||
        !lw_aligned(job.gfilter[which + 1], real))
        return lw_refuse("wavelet transform: an address is missing or not aligned to its type");
    job.m = job.w.m;
    if (backward) return lw_call(inverse ? kernels->waverec_backward : kernels->wavedec_backward, &job);
    return lw_call(inverse ? kernels->waverec : kernels->wavedec, &job);
}

static PyObject *lw_wavedec(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    return lw_transform("wavedec", args, count, 0, 0);
}
static PyObject *lw_waverec(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    return lw_transform("waverec", args, count, 1, 0);
}
static PyObject *lw_wavedec_backward(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    return lw_transform("wavedec_backward", args, count, 0, 1);
}
static PyObject *lw_waverec_backward(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    return lw_transform("waverec_backward", args, count, 1, 1);
}

/* in, out, k, n, chunked, wrap, mode, level, taps, scale; returns 0 with an error set if they do not fit together. */
int lw_sandwich_sizes(lw_job *job, lw_args *a) {
    job->in = lw_int(a), job->out = lw_int(a), job->k = lw_int(a), job->n = lw_int(a);
    job->chunked = lw_int(a) != 0, job->wrap = lw_int(a) != 0;
    int64_t mode = lw_int(a), level = lw_int(a), taps = lw_int(a);
    job->scale = PyFloat_AsDouble(a->args[a->next++]);
    const char *wrong = NULL;
    if (PyErr_Occurred()) return 0;
    if (mode < LW_HADAMARD || mode > LW_ANTIREFLECT || job->k < 1 || job->in < 1 || job->out < 1 || level < 0 ||
        level > LW_MAX_LEVEL || taps < 0 || taps > 1 << 20 ||
        !lw_plan_init(&job->w, (int)mode, job->n, (int)level, (int)taps) || job->k > LW_LIMIT / lw_max(job->n, job->w.m))
        wrong = "sandwich: sizes, level, taps or mode do not fit together";
    else if (job->in > (job->chunked ? job->k * job->n : job->n) || job->out > (job->chunked ? job->n : job->k * job->n))
        wrong = "sandwich: more inputs or outputs than the blocks have";
    if (wrong) lw_refuse(wrong);
    job->m = job->w.m;
    if (mode == LW_HADAMARD) job->scale /= (double)job->n;
    return !wrong;
}

/* x, y | gy, x; rows, in, out, k, n, chunked, wrap, mode, level, taps, scale, B, perm, G, S, bias, dec_lo, dec_hi, rec_lo, rec_hi
 * [, gx, gB, gG, gS, gbias, gdec_lo, gdec_hi, grec_lo, grec_hi], dtype, threads */
static PyObject *lw_sandwich_call(const char *name, PyObject *const *args, Py_ssize_t count, int backward) {
    lw_args a = {args, 0};
    lw_job job = {0};
    const lw_kernels *kernels;
    if (!lw_count(name, count, backward ? 33 : 24)) return NULL;
    if (backward)
        job.gy = lw_pointer(&a), job.x = lw_pointer(&a);
    else
        job.x = lw_pointer(&a), job.y = lw_pointer(&a);
    job.rows = lw_int(&a);
    if (!lw_sandwich_sizes(&job, &a)) return NULL;
    job.B = lw_pointer(&a), job.perm = lw_pointer(&a), job.G = lw_pointer(&a), job.S = lw_pointer(&a);
    job.bias = lw_pointer(&a);
    for (int i = 0; i < 4; i++) job.filter[i] = lw_pointer(&a);
    if (backward) {
        job.gx = lw_pointer(&a), job.gB = lw_pointer(&a), job.gG = lw_pointer(&a), job.gS = lw_pointer(&a);
        job.gbias = lw_pointer(&a);
        for (int i = 0; i < 4; i++) job.gfilter[i] = lw_pointer(&a);
    }
    int ok = lw_dtype(&job, &kernels, lw_int(&a));
    job.threads = (int)lw_int(&a);
    if (PyErr_Occurred()) return NULL;

    int real = kernels == lw_isa_current()->f64 ? 8 : 4, width = job.bf16 ? 2 : real;
    if (!ok || !lw_rows_fit(job.rows, job.k * lw_max(job.n, job.m)))
        return lw_refuse("sandwich: sizes, level, taps or mode do not fit together");
    int there = lw_there(job.x, job.rows, width) && lw_there(backward ? job.gy : job.y, job.rows, width) &&
                lw_there(job.B, 1, real) && lw_there(job.G, 1, real) && lw_there(job.S, 1, real) &&
                lw_there(job.perm, 1, 8) && lw_aligned(job.bias, real) && lw_aligned(job.gx, width) &&
                lw_aligned(job.gB, real) && lw_aligned(job.gG, real) && lw_aligned(job.gS, real) &&
                lw_aligned(job.gbias, real);
    for (int i = 0; i < 4; i++) {
        there = there && lw_there(job.filter[i], job.w.taps, real) && lw_aligned(job.gfilter[i], real);
        if (job.w.taps == 0) job.gfilter[i] = NULL;
    }
    if (!there) return lw_refuse("sandwich: an address is missing or not aligned to its type");
    return lw_call(backward ? kernels->sandwich_backward : kernels->sandwich, &job);
}

static PyObject *lw_sandwich(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    return lw_sandwich_call("sandwich", args, count, 0);
}
static PyObject *lw_sandwich_backward(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    return lw_sandwich_call("sandwich_backward", args, count, 1);
}

/* isa() -> the one in use; isa(name) forces one; isa(None) takes the best again */
static PyObject *lw_isa_py(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    if (count > 1) return lw_refuse("isa takes at most one argument");
    if (count == 1) {
        const char *name = NULL;
        if (args[0] != Py_None && !(name = PyUnicode_AsUTF8AndSize(args[0], NULL))) return NULL;
        if (!lw_isa_force(name)) return lw_refuse("isa: not usable on this processor; see isas()");
    }
    return PyUnicode_FromString(lw_isa_current()->name);
}

static PyObject *lw_isas(PyObject *self, PyObject *ignored) {
    PyObject *list = PyList_New(0);
    (void)self, (void)ignored;
    for (int i = 0; list && lw_isa_at(i); i++) {
        PyObject *name = PyUnicode_FromString(lw_isa_at(i)->name);
        if (!name || PyList_Append(list, name) < 0) Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

static PyObject *lw_has_openmp(PyObject *self, PyObject *ignored) {
    (void)self, (void)ignored;
#ifdef _OPENMP
    Py_RETURN_TRUE;
#else
    Py_RETURN_FALSE;
#endif
}

#define LW_METHOD(name, function, flags) {name, (PyCFunction)(void (*)(void))function, flags, NULL}

static PyMethodDef lw_methods[] = {
    LW_METHOD("fwht", lw_fwht, METH_FASTCALL),
    LW_METHOD("wavedec", lw_wavedec, METH_FASTCALL),
    LW_METHOD("waverec", lw_waverec, METH_FASTCALL),
    LW_METHOD("wavedec_backward", lw_wavedec_backward, METH_FASTCALL),
    LW_METHOD("waverec_backward", lw_waverec_backward, METH_FASTCALL),
    LW_METHOD("sandwich", lw_sandwich, METH_FASTCALL),
    LW_METHOD("sandwich_backward", lw_sandwich_backward, METH_FASTCALL),
    LW_METHOD("planes", lw_planes_call, METH_FASTCALL),
    LW_METHOD("undecimated", lw_undecimated_call, METH_FASTCALL),
    LW_METHOD("recurrent", lw_recurrent, METH_FASTCALL),
    LW_METHOD("recurrent_backward", lw_recurrent_backward, METH_FASTCALL),
    LW_METHOD("bind", lw_bind, METH_FASTCALL),
    LW_METHOD("plan", lw_plan_py, METH_FASTCALL),
    LW_METHOD("run", lw_run, METH_FASTCALL),
    LW_METHOD("kept", lw_kept, METH_O),
    LW_METHOD("run_backward", lw_run_backward, METH_FASTCALL),
    LW_METHOD("isa", lw_isa_py, METH_FASTCALL),
    LW_METHOD("isas", lw_isas, METH_NOARGS),
    LW_METHOD("has_openmp", lw_has_openmp, METH_NOARGS),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef lw_module = {PyModuleDef_HEAD_INIT, "_cpu", NULL, 0, lw_methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__cpu(void) {
    lw_isa_current();
    return PyModuleDef_Init(&lw_module);
}
