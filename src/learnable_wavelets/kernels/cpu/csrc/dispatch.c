/* The choice of the instruction set, at run time, and the sizes of a multilevel transform. */
#include "common.h"
#ifdef _MSC_VER
#include <malloc.h>
#endif
#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

static const lw_isa *lw_usable[5];
static const lw_isa *lw_chosen;

static void lw_find(void) {
    int count = 0;
#ifdef LW_HAVE_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        lw_usable[count++] = &lw_isa_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) lw_usable[count++] = &lw_isa_avx2;
#endif
#ifdef LW_HAVE_VECTORS
    lw_usable[count++] = &lw_isa_base;
#endif
    lw_usable[count++] = &lw_isa_plain;
    lw_usable[count] = NULL;
    lw_chosen = lw_usable[0];
}

const lw_isa *lw_isa_at(int index) {
    if (!lw_chosen) lw_find();
    return lw_usable[index];
}

const lw_isa *lw_isa_current(void) {
    if (!lw_chosen) lw_find();
    return lw_chosen;
}

int lw_isa_force(const char *name) {
    for (int i = 0; lw_isa_at(i); i++)
        if (!name || strcmp(name, lw_isa_at(i)->name) == 0) {
            lw_chosen = lw_isa_at(i);
            return 1;
        }
    return 0;
}

int lw_plan_init(lw_plan *p, int mode, int64_t n, int level, int taps) {
    memset(p, 0, sizeof *p);
    p->mode = mode, p->n = p->m = p->apart_size = n, p->len[0] = n;
    if (n < 1 || n > ((int64_t)1 << 40)) return 0;
    if (mode == LW_HADAMARD) return (n & (n - 1)) == 0;
    if (mode < LW_PERIODIZATION || mode > LW_ANTIREFLECT) return 0;
    if (level < 0 || level > LW_MAX_LEVEL || taps < 0 || taps > 1 << 20) return 0;
    p->level = level, p->taps = taps;
    if (level == 0) return 1;
    if (taps < 2 || taps % 2) return 0;
    p->shift = mode == LW_PERIODIZATION ? 1 - taps / 2 : 2 - taps;
    p->margin = lw_aligned_size(taps);
    p->m = 0;
    for (int j = 1; j <= level; j++) {
        if (mode == LW_PERIODIZATION && p->len[j - 1] % 2) return 0;
        p->len[j] = mode == LW_PERIODIZATION ? p->len[j - 1] / 2 : (p->len[j - 1] + taps - 1) / 2;
        p->m += p->len[j];
        if (j < level) {
            p->approx[j] = p->approx_size + p->margin;
            p->approx_size += lw_aligned_size(p->len[j]) + 2 * p->margin;
        }
    }
    int64_t at = p->len[level], apart = p->margin;
    p->m += at;
    p->apart[0] = apart, apart += lw_aligned_size(at) + p->margin;
    for (int j = level; j >= 1; j--) {
        p->detail[j] = at, at += p->len[j];
        p->apart[j] = apart, apart += lw_aligned_size(p->len[j]) + p->margin;
    }
    p->apart_size = apart;
    return 1;
}

static int64_t lw_modulo(int64_t i, int64_t period) { return i % period < 0 ? i % period + period : i % period; }

/* At each point reflection around an end the signal climbs by the difference of the ends; the near end is the reference,
 * so that a large or missing value at the far end stays there. */
static lw_outside lw_antireflect(int64_t n, int64_t edge, int64_t distance) {
    int64_t turns = distance / (n - 1), inside = distance % (n - 1), odd = turns % 2;
    int64_t sample = edge - (odd ? n - 1 - inside : inside);
    lw_outside r = {2, {edge, sample < 0 ? -sample : sample, n - 1 - edge}, {(double)turns + (odd ? 1 : 2), odd ? 1 : -1, 0}};
    if (turns) r.count = 3, r.weight[2] = -(double)(turns + odd);
    return r;
}

lw_outside lw_continue(int mode, int64_t n, int64_t i) {
    int64_t edge = i < 0 ? 0 : n - 1, distance = i < 0 ? -i : i - edge, r;
    lw_outside one = {1, {edge, 0, 0}, {1, 0, 0}};
    switch (n == 1 && mode != LW_ANTISYMMETRIC ? LW_CONSTANT : mode) {
    case LW_PERIODIC: one.at[0] = lw_modulo(i, n); break;
    case LW_SYMMETRIC:
    case LW_ANTISYMMETRIC:
        r = lw_modulo(i, 2 * n);
        one.at[0] = lw_min(r, 2 * n - 1 - r);
        if (mode == LW_ANTISYMMETRIC && r >= n) one.weight[0] = -1;
        break;
    case LW_REFLECT:
        r = lw_modulo(i, 2 * (n - 1));
        one.at[0] = lw_min(r, 2 * (n - 1) - r);
        break;
    case LW_SMOOTH: {
        lw_outside line = {2, {edge, i < 0 ? 1 : n - 2, 0}, {1 + (double)distance, -(double)distance, 0}};
        return line;
    }
    case LW_ANTIREFLECT: return lw_antireflect(n, edge, distance);
    default: break; /* constant */
    }
    return one;
}

int lw_axis_init(lw_axis *a, int mode, int64_t n, int taps) {
    if (n < 1 || n > (int64_t)1 << 40 || mode < LW_PERIODIZATION || mode > LW_ANTIREFLECT) return 0;
    if (taps < 2 || taps > 1 << 20 || taps % 2) return 0;
    a->mode = mode, a->n = n, a->taps = taps;
    a->m = mode == LW_PERIODIZATION ? (n + 1) / 2 : (n + taps - 1) / 2;
    a->half = a->m + taps / 2 - 1;
    a->lead = mode == LW_PERIODIZATION ? taps / 2 - 1 : taps - 2;
    a->tail = 2 * a->half - a->lead - n;
    return 1;
}

int lw_edges(lw_axis *a) {
    int64_t even = a->n + a->n % 2; /* periodization repeats the last sample of an odd length */
    a->edge = lw_alloc((size_t)(a->lead + a->tail) * sizeof *a->edge);
    for (int64_t e = 0; a->edge && e < a->lead + a->tail; e++) {
        int64_t i = e < a->lead ? e - a->lead : a->n + e - a->lead;
        lw_outside none = {0}, one = {1, {lw_min(lw_modulo(i, even), a->n - 1), 0, 0}, {1, 0, 0}};
        a->edge[e] = a->mode == LW_ZERO ? none : a->mode == LW_PERIODIZATION ? one : lw_continue(a->mode, a->n, i);
    }
    return a->edge != NULL;
}

void lw_expect(void *p, int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)p + page - 1) / page * page;
    if (p && bytes >= LW_HUGE) madvise((void *)from, (size_t)((uintptr_t)p + (uintptr_t)bytes - from) / page * page, MADV_HUGEPAGE);
#else
    (void)p, (void)bytes;
#endif
}

void *lw_alloc(size_t bytes) {
    bytes = (bytes + LW_ALIGN) / LW_ALIGN * LW_ALIGN; /* never nothing */
#ifdef _MSC_VER
    return _aligned_malloc(bytes, LW_ALIGN);
#else
    void *p = NULL;
    return posix_memalign(&p, LW_ALIGN, bytes) ? NULL : p;
#endif
}

void lw_free(void *p) {
#ifdef _MSC_VER
    _aligned_free(p);
#else
    free(p);
#endif
}
