/* Runs the stationary transform: in a thread for each group of rows, or, for few rows, in blocks of one row, step by step.
 * Groups and blocks come from the sizes alone, and their sums are added in order. */

#define LW_GROUPS 32
#define LW_FEW_ROWS 4
#define LW_LEAST_BLOCK 4096

LW_LOCAL int NAME(run_undecimated)(const NAME(undecimated_call) *call, int steps) {
    const lw_undecimated *job = call->job;
    int few = job->rows < LW_FEW_ROWS, status = LW_OK, part_size = 2 * job->taps;
    int64_t room_size = NAME(rooms)(job) * job->n + 1, work = job->rows * job->n / LW_THREAD_WORK;
    int threads = (int)lw_max(1, lw_min(job->threads, lw_min(call->parts, work)));
    T *shared = few ? lw_alloc((size_t)room_size * sizeof(T)) : NULL;
    if (few && !shared) return LW_NO_MEMORY;
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) if (threads > 1)
#endif
    {
        int64_t tables = lw_aligned_size((int64_t)part_size * (int64_t)sizeof(T *));
        char *memory = lw_alloc((size_t)tables + (few ? 0 : (size_t)room_size * sizeof(T)));
        const T **p = (const T **)memory;
        T *room = few ? shared : (T *)(memory + tables);
        if (!memory) {
#ifdef _OPENMP
#pragma omp atomic write
#endif
            status = LW_NO_MEMORY;
        }
        for (int64_t turn = 0; few && turn < job->rows * steps; turn++) {
#ifdef _OPENMP
#pragma omp for schedule(dynamic, 1)
#endif
            for (int64_t b = 0; b < call->parts; b++)
                if (memory)
                    NAME(undecimated_step)(call, turn / steps, (int)(turn % steps), room, b * job->n / call->parts,
                                           (b + 1) * job->n / call->parts, call->part + b * part_size, p);
        }
        if (!few) {
#ifdef _OPENMP
#pragma omp for schedule(dynamic, 1)
#endif
            for (int64_t b = 0; b < call->parts; b++)
                for (int64_t row = b * job->rows / call->parts; memory && row < (b + 1) * job->rows / call->parts; row++)
                    for (int step = 0; step < steps; step++)
                        NAME(undecimated_step)(call, row, step, room, 0, job->n, call->part + b * part_size, p);
        }
        lw_free(memory);
    }
    (void)threads;
    lw_free(shared);
    return status;
}

LW_LOCAL int NAME(undecimated)(const lw_undecimated *job) {
    NAME(undecimated_call) call = {.job = job};
    int taps = job->taps, steps = job->level + (job->adjoint && job->grads ? job->level - 1 : 0);
    call.parts = job->rows < LW_FEW_ROWS ? lw_max(1, lw_min(LW_GROUPS, job->n / LW_LEAST_BLOCK)) : lw_min(LW_GROUPS, job->rows);
    call.lo = lw_alloc(2 * (size_t)taps * sizeof(T));
    call.hi = call.lo ? call.lo + taps : NULL;
    call.off = lw_alloc(2 * (size_t)(job->level * taps) * sizeof(int64_t));
    call.part = lw_alloc((size_t)(2 * taps * call.parts) * sizeof(double));
    int status = call.lo && call.off && call.part ? LW_OK : LW_NO_MEMORY;
    for (int t = 0; status == LW_OK && t < taps; t++) {
        call.lo[t] = ((const T *)job->filter[0])[t] * (T)(job->inverse ? 0.5 : 1);
        call.hi[t] = ((const T *)job->filter[1])[t] * (T)(job->inverse ? 0.5 : 1);
    }
    if (status == LW_OK) NAME(fill_offsets)(job, call.off);
    if (status == LW_OK) memset(call.part, 0, (size_t)(2 * taps * call.parts) * sizeof(double));
    if (status == LW_OK && job->rows) status = NAME(run_undecimated)(&call, steps);
    for (int i = 0; status == LW_OK && job->grads && i < 2 * taps; i++) {
        double s = 0;
        for (int64_t b = 0; b < call.parts; b++) s += call.part[b * 2 * taps + i];
        if (job->gfilter[i / taps]) ((T *)job->gfilter[i / taps])[i % taps] = (T)(job->inverse ? s / 2 : s);
    }
    lw_free(call.lo);
    lw_free(call.off);
    lw_free(call.part);
    return status;
}
