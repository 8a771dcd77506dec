/* Runs an operator over its rows: whole tiles, then what is left over, in threads.
 * The work is cut into chunks by the sizes alone. Each chunk sums the gradients of the parameters over its rows, in order,
 * and the chunks' sums are added in order: the result depends neither on the number of threads nor on their timing. */

typedef void (*NAME(unit))(const NAME(call) *, int64_t row, int nrows, void *room, T *scratch, T *part);

#define LW_CHUNKS 32

/* Values of the input below which a second thread costs more than it brings. */
#define LW_THREAD_WORK 16384

/* Fewer left-over rows than this are done one by one. */
#define LW_FULL_ENOUGH ((LANES + 1) / 2)
#define LW_RECURRENT_ENOUGH ((5 * LANES + 15) / 16)

/* Chunk by chunk over a few places, for whole cache lines. */
LW_LOCAL void NAME(sum_parts)(const NAME(call) *call, const T *parts, int64_t chunks, T *total) {
    for (int64_t i = 0; i < call->part_size; i += 64) {
        int64_t count = lw_min(64, call->part_size - i);
        double s[64] = {0};
        for (int64_t c = 0; c < chunks; c++)
            for (int64_t l = 0; l < count; l++) s[l] += parts[c * call->part_size + i + l];
        for (int64_t l = 0; l < count; l++) total[i + l] = (T)s[l];
    }
}

LW_LOCAL int NAME(run)(const NAME(call) *call, NAME(unit) tile, NAME(unit) single, int64_t room, T *total) {
    const lw_job *job = call->job;
    int64_t tiles = 0, singles = job->rows;
#if LANES > 1
    tiles = job->rows / LANES, singles = job->rows % LANES;
    if (singles >= (job->steps ? LW_RECURRENT_ENOUGH : call->lines ? 3 : LW_FULL_ENOUGH)) tiles++, singles = 0;
#endif
    int64_t units = tiles + singles, chunks = lw_min(units, LW_CHUNKS);
    int64_t parts_size = call->part_size * chunks;
    T *parts = chunks == 1 ? total : call->part_size ? lw_alloc((size_t)parts_size * sizeof(T)) : NULL;
    if (call->part_size && !parts) return LW_NO_MEMORY;
    int status = LW_OK;
    size_t room_bytes = ((size_t)room * (tiles ? sizeof(vec) : sizeof(T)) + 63) / 64 * 64;
    size_t scratch_bytes = (size_t)call->scratch_size * sizeof(T) + 4 * (size_t)job->w.taps * sizeof(vec);
    int64_t work = job->rows * (job->k ? job->k : 1) * job->w.n * lw_max(1, job->steps) / LW_THREAD_WORK;
    int threads = (int)lw_max(1, lw_min(job->threads, lw_min(chunks, work)));
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) if (threads > 1)
#endif
    {
        char *room_here = lw_alloc(room_bytes + scratch_bytes + 64);
        T *scratch = (T *)(room_here + room_bytes);
        if (!room_here) {
#ifdef _OPENMP
#pragma omp atomic write
#endif
            status = LW_NO_MEMORY;
        }
#ifdef _OPENMP
#pragma omp for schedule(dynamic, 1)
#endif
        for (int64_t chunk = 0; chunk < chunks; chunk++) {
            T *part = parts ? parts + chunk * call->part_size : NULL;
            if (!room_here) continue;
            if (part) memset(part, 0, (size_t)call->part_size * sizeof(T));
            for (int64_t i = chunk * units / chunks; i < (chunk + 1) * units / chunks; i++) {
                if (i < tiles)
                    tile(call, i * LANES, (int)lw_min(LANES, job->rows - i * LANES), room_here, scratch, part);
                else
                    single(call, tiles * LANES + (i - tiles), 1, room_here, scratch, part);
            }
        }
        lw_free(room_here);
    }
    (void)threads;
    if (parts == total) return status;
    if (status == LW_OK) NAME(sum_parts)(call, parts, chunks, total);
    lw_free(parts);
    return status;
}

/* Copies the filters, turned as the kernels want them, and reserves what a backward pass needs. */
LW_LOCAL int NAME(begin)(NAME(call) *call, const lw_job *job, T **total) {
    int64_t taps = job->w.taps, longest = lw_max(lw_max(job->w.n, job->w.m), taps), banks = lw_max(1, job->banks);
    memset(call, 0, sizeof *call);
    call->job = job;
    /* two halves of a row; a tile needs less */
    call->scratch_size = lw_aligned_size(2 * (longest + taps + 4 * LANES));
    call->f = lw_alloc((size_t)(4 * taps * banks + 1) * sizeof(T));
    if (!call->f) return LW_NO_MEMORY;
    for (int64_t i = 0; i < 4 * banks; i++)
        for (int64_t t = 0; job->filter[i % 4] && t < taps; t++)
            call->f[i * taps + t] = ((const T *)job->filter[i % 4])[i / 4 * taps + (i % 4 < LW_REC_LO ? taps - 1 - t : t)];
    int64_t at = 0;
    call->at_W = at, at += job->gW ? (job->inputs + 1) * job->k * lw_aligned_size(job->in) : 0;
    call->at_H = at, at += job->gH ? (job->in + 1) * job->k * lw_aligned_size(job->in) : 0;
    call->at_G = at, at += job->gG ? job->k * job->m : 0;
    call->at_B = at, at += job->gB ? (job->chunked ? 1 : job->k) * job->in : 0;
    call->at_S = at, at += job->gS ? job->out : 0;
    call->at_bias = at, at += job->gbias ? job->out : 0;
    for (int i = 0; i < 4; i++) call->filter_grads |= job->gfilter[i] != NULL;
    call->at_filter = at, at += call->filter_grads ? 4 * taps * banks : 0;
    call->input_grads = job->gx || job->gB || job->gfilter[LW_DEC_LO] || job->gfilter[LW_DEC_HI];
#if LANES > 1
    for (int j = 1; job->perm && !job->banks && NAME(is_long)(job) && j <= job->w.level; j++) call->lines += job->w.len[j - 1];
#endif
    for (int i = 0; i < 2; i++) call->at_spectra[i] = at, at += call->filter_grads ? 2 * call->lines : 0;
    call->part_size = at;
    *total = at ? lw_alloc((size_t)at * sizeof(T)) : NULL;
    return at && !*total ? LW_NO_MEMORY : LW_OK;
}

LW_LOCAL void NAME(hand_out)(void *to, const T *from, int64_t count) {
    if (to) memcpy(to, from, (size_t)count * sizeof(T));
}

LW_LOCAL int NAME(finish)(NAME(call) *call, T *total, int status) {
    const lw_job *job = call->job;
    int64_t taps = job->w.taps;
#if LANES > 1
    if (status == LW_OK && call->lines && call->filter_grads) status = NAME(finish_long)(call, total);
#endif
    if (status == LW_OK && total) {
        NAME(hand_out)(job->gW, total + call->at_W, (job->inputs + 1) * job->k * lw_aligned_size(job->in));
        NAME(hand_out)(job->gH, total + call->at_H, (job->in + 1) * job->k * lw_aligned_size(job->in));
        NAME(hand_out)(job->gG, total + call->at_G, job->k * job->m);
        NAME(hand_out)(job->gB, total + call->at_B, (job->chunked ? 1 : job->k) * job->in);
        NAME(hand_out)(job->gS, total + call->at_S, job->out);
        NAME(hand_out)(job->gbias, total + call->at_bias, job->out);
        for (int64_t i = 0; i < 4 * lw_max(1, job->banks); i++)
            for (int64_t t = 0; job->gfilter[i % 4] && t < taps; t++)
                ((T *)job->gfilter[i % 4])[i / 4 * taps + (i % 4 < LW_REC_LO ? taps - 1 - t : t)] =
                    total[call->at_filter + i * taps + t];
    }
    lw_free(total);
    lw_free(call->f);
    lw_free(call->perm);
    lw_free(call->G);
    lw_free(call->inverse);
    lw_free(call->G_inverse);
    lw_free(call->fft);
    lw_free(call->line);
    lw_free(call->spectra);
    return status;
}

/* Spreads an index over 64 bits: no few of them sum up to what others do. */
LW_INLINE uint64_t NAME(spread_index)(uint64_t i) {
    i *= 0x9E3779B97F4A7C15u;
    return (i ^ (i >> 32)) * 0xBF58476D1CE4E5B9u;
}

/* Copies G, times `scale`, and the permutation, and checks that copy: in range, and with the sum over 0..m-1 of
 * `spread_index`, modulo 2^64, so that an index that comes twice in the place of another is all but certain to be seen,
 * without more memory. `invert` makes sure. */
LW_LOCAL int NAME(copy_perm)(NAME(call) *call, const lw_job *job) {
    uint64_t bad = 0, m = (uint64_t)job->m, sum = 0;
    call->perm = lw_alloc((size_t)(job->k * job->m) * sizeof(int64_t));
    call->G = lw_alloc((size_t)(job->k * job->m) * sizeof(T));
    if (!call->perm || !call->G) return LW_NO_MEMORY;
    for (int64_t i = 0; i < job->k * job->m; i++) call->G[i] = ((const T *)job->G)[i] * (T)job->scale;
    for (uint64_t i = 0; i < m; i++) sum += NAME(spread_index)(i);
    for (int64_t b = 0; b < job->k; b++) {
        const int64_t *from = job->perm + b * job->m;
        int64_t *to = call->perm + b * job->m;
        uint64_t s = 0;
        memcpy(to, from, (size_t)m * sizeof(int64_t));
        for (uint64_t i = 0; i < m; i++) {
            uint64_t p = (uint64_t)to[i];
            bad |= p >= m;
            s += NAME(spread_index)(p);
        }
        bad |= s != sum;
    }
    return bad ? LW_BAD_PERM : LW_OK;
}

/* The inverse of block b's entries from `at` on, `count` of a band that lies apart from `apart` on; G in its order. */
LW_LOCAL void NAME(invert_band)(NAME(call) *call, int64_t b, int64_t at, int64_t apart, int64_t count) {
    int64_t base = b * call->job->m;
    const int64_t *perm = call->perm + base;
    for (int64_t i = 0; i < count; i++) {
        call->inverse[base + perm[at + i]] = apart + i;
        call->G_inverse[base + perm[at + i]] = call->G[base + at + i];
    }
}

/* Fills `inverse` and `G_inverse`; LW_BAD_PERM if an index does not come. */
LW_LOCAL int NAME(invert)(NAME(call) *call) {
    const lw_plan *w = &call->job->w;
    int64_t size = call->job->k * call->job->m;
    call->inverse = lw_alloc((size_t)size * sizeof(int64_t));
    call->G_inverse = lw_alloc((size_t)size * sizeof(T));
    if (!call->inverse || !call->G_inverse) return LW_NO_MEMORY;
    memset(call->inverse, 0xff, (size_t)size * sizeof(int64_t));
    for (int64_t b = 0; b < call->job->k; b++) {
        NAME(invert_band)(call, b, 0, w->apart[0], w->len[w->level]);
        for (int j = w->level; j >= 1; j--) NAME(invert_band)(call, b, w->detail[j], w->apart[j], w->len[j]);
    }
    int64_t missing = 0;
    for (int64_t i = 0; i < size; i++) missing |= call->inverse[i] < 0;
    return missing ? LW_BAD_PERM : LW_OK;
}

LW_LOCAL int NAME(operate)(const lw_job *job, NAME(unit) tile, NAME(unit) single, int64_t room, int permuted) {
    NAME(call) call;
    T *total = NULL;
    int status = NAME(begin)(&call, job, &total);
    if (status == LW_OK && permuted) status = NAME(copy_perm)(&call, job);
    if (status == LW_OK && permuted && job->gy) status = NAME(invert)(&call);
#if LANES > 1
    if (status == LW_OK && call.lines) {
        status = NAME(begin_long)(&call);
        tile = job->gy ? NAME(long_back_unit) : NAME(long_unit);
        room = lw_max(room, NAME(long_room)(&call));
    }
#endif
    if (status == LW_OK) status = NAME(run)(&call, tile, single, room, total);
    return NAME(finish)(&call, total, status);
}

#if LANES > 1
#define LW_TILE(x) LW_CAT(x##_tile, SUFFIX)
#else
#define LW_TILE(x) LW_CAT(x##_row, SUFFIX)
#endif

LW_LOCAL int64_t NAME(transform_room)(const lw_plan *w) {
    return lw_aligned_size(w->n) + 2 * w->margin + w->approx_size + lw_aligned_size(w->apart_size);
}

LW_LOCAL int NAME(wavedec)(const lw_job *job) {
    return NAME(operate)(job, LW_TILE(wavedec_unit), NAME(wavedec_unit_row), NAME(transform_room)(&job->w), 0);
}
LW_LOCAL int NAME(waverec)(const lw_job *job) {
    return NAME(operate)(job, LW_TILE(waverec_unit), NAME(waverec_unit_row), NAME(transform_room)(&job->w), 0);
}
LW_LOCAL int NAME(wavedec_backward)(const lw_job *job) {
    return NAME(operate)(job, LW_TILE(wavedec_back_unit), NAME(wavedec_back_unit_row), NAME(transform_room)(&job->w), 0);
}
LW_LOCAL int NAME(waverec_backward)(const lw_job *job) {
    return NAME(operate)(job, LW_TILE(waverec_back_unit), NAME(waverec_back_unit_row), NAME(transform_room)(&job->w), 0);
}
LW_LOCAL int NAME(sandwich)(const lw_job *job) {
    return NAME(operate)(job, LW_TILE(sandwich_unit), NAME(sandwich_unit_row), NAME(sandwich_room_row)(job), 1);
}
LW_LOCAL int NAME(sandwich_backward)(const lw_job *job) {
    return NAME(operate)(job, LW_TILE(sandwich_back_unit), NAME(sandwich_back_unit_row), NAME(sandwich_room_row)(job), 1);
}
LW_LOCAL int64_t NAME(recurrent_room)(const lw_job *job) {
    return lw_max(LW_TILE(recurrent_room)(job), NAME(recurrent_room_row)(job));
}
LW_LOCAL int NAME(recurrent)(const lw_job *job) {
    return NAME(operate)(job, LW_TILE(recurrent_unit), NAME(recurrent_unit_row), NAME(recurrent_room)(job), 1);
}
LW_LOCAL int NAME(recurrent_backward)(const lw_job *job) {
    return NAME(operate)(job, LW_TILE(recurrent_back_unit), NAME(recurrent_back_unit_row), NAME(recurrent_room)(job), 1);
}
