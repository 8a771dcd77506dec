/* The Python module `_cpu`: raw addresses and sizes in, status out. Limited API: one build serves every Python from 3.10.
 * The caller has checked shapes, types and devices; here only what could read or write out of bounds is refused. */
#include "tensors.h"

/* An integer argument. Errors are collected in PyErr_Occurred(). */
static int64_t lw_int(lw_args *a) { return PyLong_AsLongLong(a->args[a->next++]); }
static void *lw_pointer(lw_args *a) { return PyLong_AsVoidPtr(a->args[a->next++]); }

int lw_count(const char *name, Py_ssize_t got, Py_ssize_t expected) {
    if (got == expected) return 1;
    PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, got %zd", name, expected, got);
    return 0;
}

static PyObject *lw_refuse(const char *message) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, message);
    return NULL;
}

static int lw_dtype(lw_job *job, const lw_kernels **kernels, int64_t dtype) {
    const lw_isa *isa = lw_isa_current();
    job->bf16 = dtype == LW_BF16;
    *kernels = dtype == LW_F64 ? isa->f64 : isa->f32;
    return dtype == LW_F32 || dtype == LW_F64 || dtype == LW_BF16;
}

/* Present and aligned to its type. Data of `width` bytes. */
static int lw_there(const void *p, int64_t count, int width) {
    return count == 0 || (p && (uintptr_t)p % (uintptr_t)width == 0);
}

static int lw_aligned(const void *p, int width) { return (uintptr_t)p % (uintptr_t)width == 0; }

PyObject *lw_call(int (*kernel)(const lw_job *), const lw_job *job) {
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = kernel(job);
    Py_END_ALLOW_THREADS
    if (status == LW_NO_MEMORY) {
        PyErr_SetString(PyExc_MemoryError, "no memory for the tiles of a kernel; fewer threads need less");
        return NULL;
    }
    if (status == LW_BAD_PERM) return lw_refuse("`permutation` must hold each of 0..m-1 once in every block");
    Py_RETURN_NONE;
}

#define LW_LIMIT ((int64_t)1 << 40)

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

/* planes, n0, mode0, taps0, n1, mode1, taps1, x, 4 bands, 4 out, lo0, hi0, lo1, hi1, glo0, ghi0, glo1, ghi1, reversed,
 * dtype, threads: see lw_planes */
static PyObject *lw_planes_call(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    lw_args a = {args, 0};
    lw_planes job = {0};
    lw_job kind = {0};
    const lw_kernels *kernels;
    int64_t size[2][3];
    (void)self;
    if (!lw_count("planes", count, 27)) return NULL;
    job.planes = lw_int(&a);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++) size[i][k] = lw_int(&a);
    job.x = lw_pointer(&a);
    for (int i = 0; i < 4; i++) job.bands[i] = lw_pointer(&a);
    for (int i = 0; i < 4; i++) job.out[i] = lw_pointer(&a);
    for (int i = 0; i < 4; i++) job.axis[i / 2].filter[i % 2] = lw_pointer(&a);
    for (int i = 0; i < 4; i++) job.axis[i / 2].gfilter[i % 2] = lw_pointer(&a);
    job.reversed = lw_int(&a) != 0;
    int ok = lw_dtype(&kind, &kernels, lw_int(&a)) && !kind.bf16;
    job.threads = (int)lw_int(&a);
    if (PyErr_Occurred()) return NULL;
    int real = kernels == lw_isa_current()->f64 ? 8 : 4, grads = 0;
    for (int i = 0; i < 2; i++) {
        lw_axis *axis = job.axis + i;
        ok = ok && size[i][1] <= LW_ANTIREFLECT && size[i][2] <= 1 << 20 &&
             lw_axis_init(axis, (int)size[i][1], size[i][0], (int)size[i][2]);
        grads += axis->grads = axis->gfilter[0] || axis->gfilter[1];
        for (int k = 0; k < 2; k++) ok = ok && lw_there(axis->filter[k], 1, real) && lw_aligned(axis->gfilter[k], real);
    }
    if (!ok || !lw_rows_fit(job.planes, job.axis[0].half + 1) ||
        !lw_rows_fit(job.planes * (job.axis[0].half + 1), 8 * (job.axis[1].half + 1)))
        return lw_refuse("2-D transform: sizes, taps, modes or type do not fit together");
    int adjoint = job.bands[0] != NULL;
    ok = lw_aligned(job.x, real) && (job.x || (adjoint && !grads)) && (adjoint || !grads);
    for (int i = 0; i < 4; i++)
        ok = ok && lw_aligned(job.bands[i], real) && lw_aligned(job.out[i], real) && (adjoint ? job.bands[i] : job.out[i]);
    if (job.planes && !ok) return lw_refuse("2-D transform: an address is missing or not aligned to its type");
    const lw_axis *col = job.axis, *row = job.axis + 1;
    for (int i = 0; i < (adjoint ? 1 : 4); i++)
        lw_expect(job.out[i], job.planes * (adjoint ? col->n * row->n : col->m * row->m) * real);
    int status = lw_edges(job.axis) && lw_edges(job.axis + 1) ? LW_OK : LW_NO_MEMORY;
    Py_BEGIN_ALLOW_THREADS
    if (status == LW_OK) status = kernels->planes(&job);
    Py_END_ALLOW_THREADS
    lw_free(job.axis[0].edge);
    lw_free(job.axis[1].edge);
    if (status == LW_NO_MEMORY) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* rows, n, dilation, level, taps, stride, trim, inverse, adjoint, x, a, d, out, lo, hi, glo, ghi, dtype, threads: see
 * lw_undecimated */
static PyObject *lw_undecimated_call(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    lw_args a = {args, 0};
    lw_undecimated job = {0};
    lw_job kind = {0};
    const lw_kernels *kernels;
    (void)self;
    if (!lw_count("undecimated", count, 19)) return NULL;
    job.rows = lw_int(&a), job.n = lw_int(&a), job.dilation = lw_int(&a);
    int64_t level = lw_int(&a), taps = lw_int(&a);
    job.stride = lw_int(&a);
    job.trim = lw_int(&a) != 0, job.inverse = lw_int(&a) != 0, job.adjoint = lw_int(&a) != 0;
    job.x = lw_pointer(&a), job.a = lw_pointer(&a), job.d = lw_pointer(&a), job.out = lw_pointer(&a);
    for (int i = 0; i < 2; i++) job.filter[i] = lw_pointer(&a);
    for (int i = 0; i < 2; i++) job.gfilter[i] = lw_pointer(&a);
    int ok = lw_dtype(&kind, &kernels, lw_int(&a)) && !kind.bf16;
    job.threads = (int)lw_int(&a);
    if (PyErr_Occurred()) return NULL;
    int real = kernels == lw_isa_current()->f64 ? 8 : 4;
    job.grads = job.gfilter[0] || job.gfilter[1];
    ok = ok && level >= 1 && level <= 48 && taps >= 2 && taps % 2 == 0 && taps <= 1 << 20 && job.n >= 1 &&
         job.n <= LW_LIMIT && (job.stride == 1 || job.stride == 2) && !(job.inverse && level > 1) &&
         lw_rows_fit(job.rows, 2 * level * job.n) && job.dilation >= 1 &&
         job.dilation <= ((int64_t)1 << 56 >> level) / taps;
    if (!ok) return lw_refuse("stationary transform: sizes, level, taps or type do not fit together");
    job.level = (int)level, job.taps = (int)taps;
    ok = job.adjoint ? job.x || !job.grads : job.x && !job.grads;
    if (!lw_there(job.filter[0], 1, real) || !lw_there(job.filter[1], 1, real) || !lw_aligned(job.gfilter[0], real) ||
        !lw_aligned(job.gfilter[1], real) || !lw_there(job.a, job.rows, real) || !lw_there(job.d, job.rows, real) ||
        !lw_aligned(job.x, real) || !lw_aligned(job.out, real) || (job.rows && !ok))
        return lw_refuse("stationary transform: an address is missing or not aligned to its type");
    int64_t array = job.rows * job.n * real;
    if (job.adjoint) lw_expect(job.out, array);
    if (!job.adjoint) lw_expect(job.a, job.inverse ? array : array * (job.trim ? level + 1 : 2 * level));
    if (job.inverse && !job.adjoint) lw_expect(job.d, array);
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = kernels->undecimated(&job);
    Py_END_ALLOW_THREADS
    if (status == LW_NO_MEMORY) return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* The places where the steps begin: from the sizes of the steps, or all of one size. NULL if they do not fit. */
static int64_t *lw_first(const int64_t *sizes, int64_t steps, int64_t batch, int64_t count) {
    int64_t *first = lw_alloc((size_t)(steps + 1) * sizeof(int64_t)), size = batch;
    int ok = first != NULL;
    for (int64_t t = 0; ok && t < steps; t++) {
        int64_t next = sizes ? sizes[t] : batch;
        ok = next >= 0 && next <= size && (t || next == batch);
        if (t == 0) first[0] = 0;
        first[t + 1] = first[t] + next, size = next;
    }
    if (ok && first[steps] == count) return first;
    lw_free(first);
    return NULL;
}

/* x, W, H, h0, c0, y, cells | hn, cn | gy, ghn, gcn; sizes, count, steps, batch, inputs,
 * state, cell, dense, reverse, wrap, n, mode, level, taps,
 * scale, B, perm, G, S, bias, dec_lo, dec_hi, rec_lo, rec_hi [, gx, gW, gH, gh0, gc0, gB, gG, gS, gbias, gdec_lo, gdec_hi, grec_lo,
 * grec_hi], dtype, threads */
static PyObject *lw_recurrent_call(const char *name, PyObject *const *args, Py_ssize_t count, int backward) {
    lw_args a = {args, 0};
    lw_recurrence r = {0};
    lw_job *job = &r.job;
    const lw_kernels *kernels;
    if (!lw_count(name, count, backward ? 49 : 35)) return NULL;
    job->x = lw_pointer(&a), job->W = lw_pointer(&a), job->H = lw_pointer(&a), r.h0 = lw_pointer(&a), r.c0 = lw_pointer(&a), job->y = lw_pointer(&a), r.cells = lw_pointer(&a);
    if (backward)
        job->gy = lw_pointer(&a), r.ghn = lw_pointer(&a), r.gcn = lw_pointer(&a);
    else
        r.hn = lw_pointer(&a), r.cn = lw_pointer(&a);
    const int64_t *sizes = lw_pointer(&a);
    int64_t rows = lw_int(&a);
    job->steps = lw_int(&a), job->rows = lw_int(&a), job->inputs = lw_int(&a), job->in = lw_int(&a);
    int64_t cell = lw_int(&a), dense = lw_int(&a);
    r.reverse = lw_int(&a) != 0, job->wrap = lw_int(&a) != 0, job->n = lw_int(&a);
    int64_t mode = lw_int(&a), level = lw_int(&a), taps = lw_int(&a);
    job->scale = PyFloat_AsDouble(args[a.next++]);
    job->B = lw_pointer(&a), job->perm = lw_pointer(&a), job->G = lw_pointer(&a), job->S = lw_pointer(&a);
    job->bias = lw_pointer(&a);
    for (int i = 0; i < 4; i++) job->filter[i] = lw_pointer(&a);
    if (backward) {
        job->gx = lw_pointer(&a), job->gW = lw_pointer(&a), job->gH = lw_pointer(&a), r.gh0 = lw_pointer(&a), r.gc0 = lw_pointer(&a);
        job->gB = lw_pointer(&a), job->gG = lw_pointer(&a), job->gS = lw_pointer(&a), job->gbias = lw_pointer(&a);
        for (int i = 0; i < 4; i++) job->gfilter[i] = lw_pointer(&a);
    }
    int ok = lw_dtype(job, &kernels, lw_int(&a)) && !job->bf16;
    job->threads = (int)lw_int(&a);
    if (PyErr_Occurred()) return NULL;

    int real = kernels == lw_isa_current()->f64 ? 8 : 4, lstm = cell == LW_LSTM;
    r.cell = (int)cell, job->k = job->banks = lstm ? 4 : 3;
    if (!ok || cell < LW_GRU_PUBLISHED || cell > LW_LSTM || mode < LW_HADAMARD || mode > LW_ANTIREFLECT || job->in < 1 ||
        level < 0 || level > LW_MAX_LEVEL || taps < 0 || taps > 1 << 20 || job->in > job->n ||
        !lw_plan_init(&job->w, (int)mode, job->n, (int)level, (int)taps) || lw_max(job->n, job->w.m) > LW_LIMIT / 64 ||
        !lw_rows_fit(rows, job->k * lw_max(job->n, job->w.m)) || job->steps < 1 || job->steps > LW_LIMIT || job->rows < 0 ||
        job->rows > LW_LIMIT / job->steps || job->inputs < 0 || job->inputs > 1 << 20 || (job->W != NULL) != (job->inputs > 0) ||
        dense < 0 || dense >= 1 << job->k || (job->H != NULL) != (dense > 0) || !lw_rows_fit(job->rows * job->steps, job->k * job->n))
        return lw_refuse("recurrent: sizes, cell, level, taps or mode do not fit together");
    job->m = job->w.m, job->out = job->k * job->in, job->dense = (int)dense;
    if (mode == LW_HADAMARD) job->scale /= (double)job->n;
    const void *data[] = {job->x, job->y, r.h0, backward ? job->gy : r.hn};
    const void *second[] = {r.c0, r.cells, backward ? r.c0 : r.cn};
    const void *parameters[] = {job->B, job->G, job->S};
    const void *others[] = {job->W, job->gW, job->H, job->gH, job->bias, r.ghn, r.gcn, job->gx, r.gh0, r.gc0, job->gB, job->gG, job->gS, job->gbias};
    int there = lw_there(job->perm, 1, 8) && lw_aligned(sizes, 8);
    for (int i = 0; i < 4; i++) there = there && lw_there(data[i], job->rows, real);
    for (int i = 0; i < 3; i++) there = there && lw_there(second[i], lstm ? job->rows : 0, real);
    for (int i = 0; i < 3; i++) there = there && lw_there(parameters[i], 1, real);
    for (int i = 0; i < 14; i++) there = there && lw_aligned(others[i], real);
    for (int i = 0; i < 4; i++) {
        there = there && lw_there(job->filter[i], job->w.taps, real) && lw_aligned(job->gfilter[i], real);
        if (job->w.taps == 0) job->gfilter[i] = NULL;
    }
    if (!there) return lw_refuse("recurrent: an address is missing or not aligned to its type");
    int64_t *first = lw_first(sizes, job->steps, job->rows, rows);
    if (!first) return lw_refuse("`sizes` must begin with the batch, never grow, and add up to the rows of `inputs`");
    r.first = first;
    PyObject *result = lw_call(backward ? kernels->recurrent_backward : kernels->recurrent, job);
    lw_free(first);
    return result;
}

static PyObject *lw_recurrent(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    return lw_recurrent_call("recurrent", args, count, 0);
}
static PyObject *lw_recurrent_backward(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    return lw_recurrent_call("recurrent_backward", args, count, 1);
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
