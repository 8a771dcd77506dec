/* `recurrent` and `recurrent_backward` of the Python module, see module.c. */
#include "arguments.h"

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

PyObject *lw_recurrent(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    return lw_recurrent_call("recurrent", args, count, 0);
}
PyObject *lw_recurrent_backward(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    return lw_recurrent_call("recurrent_backward", args, count, 1);
}
