/* `planes` and `undecimated` of the Python module, see module.c. */
#include "arguments.h"

/* planes, n0, mode0, taps0, n1, mode1, taps1, x, 4 bands, 4 out, lo0, hi0, lo1, hi1, glo0, ghi0, glo1, ghi1, reversed,
 * dtype, threads: see lw_planes */
PyObject *lw_planes_call(PyObject *self, PyObject *const *args, Py_ssize_t count) {
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
    return lw_done(status);
}

/* rows, n, dilation, level, taps, stride, trim, inverse, adjoint, x, a, d, out, lo, hi, glo, ghi, dtype, threads: see
 * lw_undecimated */
PyObject *lw_undecimated_call(PyObject *self, PyObject *const *args, Py_ssize_t count) {
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
    return lw_done(status);
}
