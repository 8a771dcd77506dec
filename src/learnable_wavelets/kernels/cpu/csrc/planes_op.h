/* Runs the 2-D transform over planes and blocks of their rows, in threads. Blocks come from the sizes alone, and their
 * sums are added in order: results do not depend on the number of threads. */

typedef void (*NAME(planes_unit))(const NAME(planes_call) *, NAME(planes_room) *, int64_t, int64_t, int64_t, double *);

#define LW_PLANE_UNITS 32
#define LW_LEAST_ROWS 16

LW_LOCAL int NAME(run_planes)(const NAME(planes_call) *call, NAME(planes_unit) unit, int64_t rows, int fold) {
    const lw_planes *job = call->job;
    int64_t blocks = lw_max(1, lw_min(LW_PLANE_UNITS / job->planes, rows / LW_LEAST_ROWS));
    int64_t units = lw_min(job->planes * blocks, LW_PLANE_UNITS);
    int64_t part_size = call->total ? 2 * (job->axis[0].taps + job->axis[1].taps) : 0;
    double *parts = part_size ? lw_alloc((size_t)(part_size * units) * sizeof(double)) : NULL;
    if (part_size && !parts) return LW_NO_MEMORY;
    if (parts) memset(parts, 0, (size_t)(part_size * units) * sizeof(double));
    int64_t work = job->planes * job->axis[0].n * job->axis[1].n / LW_THREAD_WORK;
    int threads = (int)lw_max(1, lw_min(job->threads, lw_min(units, work))), status = LW_OK;
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) if (threads > 1)
#endif
    {
        NAME(planes_room) room;
        char *memory = lw_alloc(NAME(lay_planes)(call, NULL, &room));
        if (memory) NAME(lay_planes)(call, memory, &room);
        if (!memory) {
#ifdef _OPENMP
#pragma omp atomic write
#endif
            status = LW_NO_MEMORY;
        }
#ifdef _OPENMP
#pragma omp for schedule(dynamic, 1)
#endif
        for (int64_t u = 0; u < units; u++) {
            double *part = parts ? parts + u * part_size : NULL;
            int64_t block = u % blocks, per = units / blocks; /* groups of planes */
            if (!memory) continue;
            for (int64_t p = u / blocks * job->planes / per; p < (u / blocks + 1) * job->planes / per; p++)
                unit(call, &room, p, block * rows / blocks, (block + 1) * rows / blocks, part);
        }
        if (fold) {
#ifdef _OPENMP
#pragma omp for schedule(dynamic, 1)
#endif
            for (int64_t p = 0; p < job->planes; p++)
                if (memory) NAME(fold_rows)(call, &room, p);
        }
        lw_free(memory);
    }
    (void)threads;
    for (int64_t u = 0; status == LW_OK && parts && u < units; u++)
        for (int64_t i = 0; i < part_size; i++) call->total[i] += parts[u * part_size + i];
    lw_free(parts);
    return status;
}

LW_LOCAL int NAME(planes)(const lw_planes *job) {
    const lw_axis *col = job->axis, *row = col + 1;
    int64_t size = 2 * (col->taps + row->taps), at = 0;
    NAME(planes_call) call = {.job = job};
    int grads = col->grads || row->grads, adjoint = job->bands[0] != NULL;
    if (job->planes == 0 && !grads) return LW_OK;
    call.line_room = 2 * NAME(half_room)(row);
    call.row_room = lw_aligned_size(row->n + 2 * LANES);
    call.coef_room = 2 * lw_aligned_size(row->taps) + lw_aligned_size(row->m + 3 * LANES);
    call.slots = adjoint ? col->taps / 2 + 1 : 0;
    call.f = lw_alloc((size_t)size * sizeof(T));
    call.total = grads ? lw_alloc((size_t)size * sizeof(double)) : NULL;
    int status = call.f && (call.total || !grads) ? LW_OK : LW_NO_MEMORY;
    for (int a = 0; status == LW_OK && a < 2; a++)
        for (int i = 0; i < 2; i++)
            for (int t = 0; t < job->axis[a].taps; t++, at++)
                call.f[at] = ((const T *)job->axis[a].filter[i])[job->reversed ? job->axis[a].taps - 1 - t : t];
    if (status == LW_OK && grads) memset(call.total, 0, (size_t)size * sizeof(double));
    if (status == LW_OK && job->planes)
        status = adjoint ? NAME(run_planes)(&call, NAME(adjoint_unit), col->m + col->taps / 2 - 1,
                                            job->out[0] && col->mode != LW_ZERO)
                         : NAME(run_planes)(&call, NAME(analyse_unit), col->m, 0);
    at = 0;
    for (int a = 0; status == LW_OK && grads && a < 2; a++)
        for (int i = 0; i < 2; i++)
            for (int t = 0; t < job->axis[a].taps; t++, at++)
                if (job->axis[a].gfilter[i])
                    ((T *)job->axis[a].gfilter[i])[job->reversed ? job->axis[a].taps - 1 - t : t] = (T)call.total[at];
    lw_free(call.f);
    lw_free(call.total);
    return status;
}
