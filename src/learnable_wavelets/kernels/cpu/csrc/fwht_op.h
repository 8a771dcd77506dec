/* fwht: y = scale * H x for every row. Always along the row, in long contiguous vectors: no transposition is needed,
 * because the butterflies inside a vector are shuffles. */

/* rows shorter than a vector lie several to a vector */
LW_LOCAL void NAME(fwht_short)(const lw_job *job) {
    int64_t count = job->rows * job->n, i = 0;
    int n = (int)job->n;
    vec scale = NAME(zero)() + (T)job->scale;
    for (; i + LANES <= count; i += LANES)
        NAME(store)(job->y, i, NAME(hadamard_inside)(NAME(load)(job->x, i, job->bf16), n) * scale, job->bf16);
    if (i < count) {
        vec v = NAME(hadamard_inside)(NAME(load_part)(job->x, i, count - i, job->bf16), n) * scale;
        NAME(store_part)(job->y, i, v, count - i, job->bf16);
    }
}

/* Rows are transformed where the result goes, unless that place cannot be read as aligned vectors of T. */
LW_INLINE int NAME(needs_buffer)(const lw_job *job) {
    return job->bf16 || (uintptr_t)job->y % sizeof(vec);
}

#define LOADED(i) NAME(hadamard_inside)(NAME(load)(x, from + (i) * LANES, bf16) * scale, LANES)

/* One block of a row: the stages that stay inside it, the first ones while the vectors are loaded. */
LW_INLINE void NAME(fwht_first)(const lw_job *job, int64_t from, vec *t, int64_t lines, const int bf16) {
    const void *x = job->x;
    T scale = (T)job->scale;
    if (lines == 1) {
        t[0] = LOADED(0);
    } else if (lines == 2) {
        vec a = LOADED(0), b = LOADED(1);
        t[0] = a + b, t[1] = a - b;
    } else if (lines == 4) {
        vec a = LOADED(0), b = LOADED(1), c = LOADED(2), d = LOADED(3);
        BUTTERFLY(a, b);
        BUTTERFLY(c, d);
        t[0] = a + c, t[1] = b + d, t[2] = a - c, t[3] = b - d;
    } else {
        for (vec *end = t + lines, *p = t; p < end; p += 8, from += 8 * LANES) {
            vec r[8];
            LW_UNROLL
            for (int i = 0; i < 8; i++) r[i] = LOADED(i);
            NAME(butterflies)(r, 8);
            LW_UNROLL
            for (int i = 0; i < 8; i++) p[i] = r[i];
        }
        NAME(fwht_near)(t, lines, 8);
    }
}

LW_LOCAL void NAME(fwht_rows)(const lw_job *job, int64_t from, int64_t to, T *row) {
    int64_t lines = job->n / LANES, block = lw_min(lines, LW_BLOCK);
    for (int64_t r = from; r < to; r++) {
        vec *t = (vec *)(row ? row : (T *)job->y + r * job->n);
        for (int64_t s = 0; s < lines; s += block) {
            if (job->bf16)
                NAME(fwht_first)(job, r * job->n + s * LANES, t + s, block, 1);
            else
                NAME(fwht_first)(job, r * job->n + s * LANES, t + s, block, 0);
        }
        NAME(fwht_far)(t, lines, block);
        for (int64_t i = 0; row && i < lines; i++) NAME(store)(job->y, r * job->n + i * LANES, t[i], job->bf16);
    }
}

LW_LOCAL int NAME(fwht)(const lw_job *job) {
    if (job->rows == 0) return LW_OK;
    if (job->n <= LANES) {
        NAME(fwht_short)(job);
        return LW_OK;
    }
    int status = LW_OK;
    int64_t chunks = lw_min(job->rows, 64);
    int threads = (int)lw_max(1, lw_min(job->threads, lw_min(chunks, job->rows * job->n / LW_THREAD_WORK)));
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) if (threads > 1)
#endif
    {
        T *row = NAME(needs_buffer)(job) ? lw_alloc((size_t)job->n * sizeof(T)) : NULL;
        if (NAME(needs_buffer)(job) && !row) {
#ifdef _OPENMP
#pragma omp atomic write
#endif
            status = LW_NO_MEMORY;
        }
#ifdef _OPENMP
#pragma omp for schedule(dynamic, 1)
#endif
        for (int64_t c = 0; c < chunks; c++) {
            if (NAME(needs_buffer)(job) && !row) continue;
            NAME(fwht_rows)(job, c * job->rows / chunks, (c + 1) * job->rows / chunks, row);
        }
        lw_free(row);
    }
    (void)threads;
    return status;
}
