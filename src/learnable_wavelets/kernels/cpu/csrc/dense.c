/* A layer as its dense matrix, where that is faster in inference: computed from a copy of the parameters, and valid as long as
 * no byte of them differs from the copy. */
#include "tensors.h"

static void lw_free_dense(lw_dense *dense) {
    if (!dense) return;
    Py_XDECREF(dense->matrix);
    lw_free(dense->bytes);
    free(dense);
}

void lw_keep(lw_dense **kept, lw_dense *dense) {
    lw_dense *old = *kept;
    *kept = dense;
    lw_free_dense(old);
}

/* Largest matrix that is kept: 64 KB in float32; and how long it may take to make, in nanoseconds, for that is needed again
 * after each change of a parameter. */
#define LW_DENSE_MOST 16384
#define LW_DENSE_MAKING 2e6

/* Whether a product with the matrix of the layer is faster. Nanoseconds beyond what both take, measured on one thread of an
 * AMD EPYC with AVX-512 (docs/speed.md); `taps`: of all levels together, for one value. */
int lw_below_crossover(const lw_job *job) {
    double matrix = (double)job->in * (double)job->out, values = (double)(job->k * job->m), rows = (double)job->rows;
    if (matrix > LW_DENSE_MOST || rows < 1) return 0;
    int hadamard = job->w.mode == LW_HADAMARD;
    int64_t singles = job->rows % 16 < 8 ? job->rows % 16 : 0;
    double taps = hadamard ? 0 : job->w.taps * (2 - ldexp(2, -job->w.level)), value = 0.55;
    if (!hadamard) value = 0.3 + 0.033 * taps + 12 / (double)job->n;
    double kernel = hadamard ? 0 : 500, dense = (job->rows > 1 ? 1750 : 1350) + matrix * (rows / 45 + 0.05);
    if ((double)job->in * values * value > LW_DENSE_MAKING) return 0;
    if (job->w.mode == LW_PERIODIZATION && job->w.taps >= 40 && job->rows >= lw_max(3, 800 / (job->w.taps - 24)))
        kernel += values * 48, value = 1.15, singles = 0;
    kernel += (double)singles * (250 + values * (1.7 + 0.085 * taps));
    kernel += (double)(singles ? job->rows - singles : (job->rows + 15) / 16 * 16) * values * value;
    return dense < kernel;
}

/* Copies the parameters of the matrix, or compares them with a copy; returns how many bytes they have, 0 if one differs. */
static size_t lw_walk(const lw_job *job, size_t width, char *to, const char *with) {
    const void *from[] = {job->B, job->G, job->S, job->filter[0], job->filter[1], job->filter[2], job->filter[3]};
    int64_t taps = job->w.taps, inputs = job->chunked ? job->in : job->k * job->in;
    int64_t count[] = {inputs, job->k * job->m, job->out, taps, taps, taps, taps};
    size_t at = 0;
    for (int i = 0; i < 7; i++) {
        size_t size = (size_t)count[i] * width;
        if (!size) continue;
        if (with && memcmp(from[i], with + at, size)) return 0;
        if (to) memcpy(to + at, from[i], size);
        at += size;
    }
    return at;
}

/* Computes the matrix from a copy of the parameters: another thread may write them meanwhile. NULL with an error set. */
static lw_dense *lw_new_dense(lw_job job, const lw_kernels *kernels, PyObject *like, size_t width) {
    lw_dense *dense = calloc(1, sizeof *dense);
    size_t at = 0, size = (size_t)(job.in * job.in) * width;
    char *eye = lw_alloc(size);
    PyObject *shape = Py_BuildValue("(LL)", (long long)job.in, (long long)job.out), *made = NULL, *status = NULL;
    lw_tensor t;
    if (dense) dense->size = lw_walk(&job, width, NULL, NULL), dense->bytes = lw_alloc(dense->size);
    if (!dense || !eye || !dense->bytes) PyErr_NoMemory();
    if (!PyErr_Occurred()) made = PyObject_CallMethod(like, "new_empty", "(O)", shape);
    if (made && lw_read(made, &t, &lw_fresh)) {
        const void **place[] = {&job.B, &job.G, &job.S, job.filter, job.filter + 1, job.filter + 2, job.filter + 3};
        int64_t taps = job.w.taps, inputs = job.chunked ? job.in : job.k * job.in;
        int64_t count[] = {inputs, job.k * job.m, job.out, taps, taps, taps, taps};
        lw_walk(&job, width, dense->bytes, NULL);
        for (int i = 0; i < 7; at += (size_t)count[i++] * width)
            if (count[i]) *place[i] = dense->bytes + at;
        memset(eye, 0, size);
        for (int64_t i = 0; i < job.in; i++) {
            if (width == 8)
                ((double *)(void *)eye)[i * (job.in + 1)] = 1;
            else
                ((float *)(void *)eye)[i * (job.in + 1)] = 1;
        }
        job.x = eye, job.y = t.data, job.rows = job.in, job.bias = NULL;
        status = lw_call(kernels->sandwich, &job);
    }
    if (status) dense->matrix = PyObject_CallMethod(made, "t", NULL);
    Py_XDECREF(status);
    Py_XDECREF(made);
    Py_XDECREF(shape);
    lw_free(eye);
    if (dense && dense->matrix) return dense;
    lw_free_dense(dense);
    return NULL;
}

/* The product with the kept matrix, which is made again where a byte of the parameters has changed. */
PyObject *lw_multiply(lw_dense **kept, const lw_job *job, const lw_kernels *kernels, PyObject *x, PyObject *bias,
                      size_t width) {
    lw_dense *dense = *kept, *fresh = NULL;
    if (!dense || dense->size != lw_walk(job, width, NULL, NULL) || !lw_walk(job, width, NULL, dense->bytes))
        if (!(dense = fresh = lw_new_dense(*job, kernels, x, width))) return NULL;
    PyObject *matrix = dense->matrix, *y;
    Py_INCREF(matrix); /* before anything runs that may let in another thread, which may free it */
    if (fresh) lw_keep(kept, fresh);
    y = PyObject_CallFunctionObjArgs(lw_bound[LW_LINEAR], x, matrix, bias, NULL);
    Py_DECREF(matrix);
    return y;
}

int64_t lw_dense_bytes(const lw_dense *dense) {
    lw_tensor t;
    if (!dense || !lw_read(dense->matrix, &t, &lw_fresh)) return 0;
    return (int64_t)dense->size + t.shape[0] * t.shape[1] * (t.bits / 8);
}
