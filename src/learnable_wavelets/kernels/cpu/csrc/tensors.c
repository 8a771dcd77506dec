/* Calls with torch's tensors themselves: one call from Python reads them, checks them, allocates the result and computes.
 * Tensors are read through the table of functions that `torch.Tensor.__dlpack_c_exchange_api__` points to, DLPack's C
 * protocol for this, so there are no headers of torch here. What does not fit is answered with None: the caller then takes
 * the long way, which computes everything and has the messages. */
#include "tensors.h"

/* The parts of DLPack 1 that are read: https://dmlc.github.io/dlpack */
typedef struct {
    void *data;
    int32_t device_type, device_id, ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} lw_tensor;
enum { LW_DL_CPU = 1, LW_DL_FLOAT = 2, LW_DL_INT = 0 };

typedef struct {
    uint32_t major, minor;
    void *previous, *allocate, *export_managed, *import_managed;
    int (*read)(void *object, lw_tensor *tensor);
} lw_exchange;

#define LW_WATCHED 16
#define LW_OPERANDS 8 /* B, G, S, bias, four filters */
#define LW_MOST_AXES 64

/* What `bind` was given, by place. */
enum {
    LW_TENSOR, LW_PARAMETER, LW_EXCHANGE, LW_EMPTY_LIKE, LW_IS_NEG, LW_THREADS, LW_GRAD_ENABLED, LW_LINEAR, LW_ATTACH, LW_GLOBAL_HOOKS,
    LW_QUIET, LW_BOUND
};

static struct {
    const lw_exchange *exchange;
    PyObject *bound[LW_BOUND];
    PyObject *function[LW_WATCHED], *expected[LW_WATCHED];
    int watched;
} lw_torch;

/* Keys of the dictionaries of modules. */
static const char *const lw_key_names[] = {"_parameters", "_modules", "training", "dropout", "mode", "level",
                                           "diag_in", "diag_mid", "diag_out", "bias",
                                           "dec_lo", "dec_hi", "rec_lo", "rec_hi", "filter", "forward",
                                           "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"};
enum {
    LW_PARAMETERS, LW_MODULES, LW_TRAINING, LW_DROPOUT, LW_MODE, LW_LEVEL, LW_DIAG_IN, LW_FIRST_FILTER = LW_DIAG_IN + 4,
    LW_FILTER = LW_FIRST_FILTER + 4, LW_FORWARD, LW_HOOKS, LW_KEYS = LW_HOOKS + 4
};
static PyObject *lw_key[LW_KEYS];

/* bind(Tensor, Parameter, exchange, empty_like, is_neg, get_num_threads, is_grad_enabled, linear, attach, global_hooks,
 * quiet) -> whether it works. `quiet` holds pairs of a function and the object that it returns as long as nothing would see an operator
 * called; `attach(call, x, *operands)` gives an output its derivative. */
PyObject *lw_bind(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    if (!lw_count("bind", count, LW_BOUND)) return NULL;
    PyObject *quiet = args[LW_QUIET];
    const lw_exchange *exchange = PyCapsule_GetPointer(args[LW_EXCHANGE], "dlpack_exchange_api");
    if (!exchange) return NULL;
    if (exchange->major != 1 || !exchange->read || PyTuple_Size(quiet) > LW_WATCHED) Py_RETURN_FALSE;
    for (Py_ssize_t i = 0; i < PyTuple_Size(quiet); i++)
        if (!PyArg_ParseTuple(PyTuple_GetItem(quiet, i), "OO", &lw_torch.function[i], &lw_torch.expected[i])) return NULL;
    for (int i = 0; i < LW_KEYS; i++)
        if (!lw_key[i] && !(lw_key[i] = PyUnicode_InternFromString(lw_key_names[i]))) return NULL;
    for (int i = 0; i < LW_BOUND; i++) Py_INCREF(args[i]), lw_torch.bound[i] = args[i]; /* for good */
    lw_torch.watched = (int)PyTuple_Size(quiet);
    lw_torch.exchange = exchange;
    Py_RETURN_TRUE;
}

/* 1: nothing would see an operator called, 0: something would, -1: with an error set. */
static int lw_quiet(void) {
    if (!lw_torch.exchange) return 0;
    for (int i = 0; i < lw_torch.watched; i++) {
        PyObject *found = PyObject_CallNoArgs(lw_torch.function[i]);
        if (!found) return -1;
        Py_DECREF(found); /* the objects expected are immortal or held */
        if (found != lw_torch.expected[i]) return 0;
    }
    return 1;
}

/* A parameter that was seen, and where its values lay: it is not negated. */
typedef struct {
    PyObject *object;
    void *data;
} lw_seen;
static lw_seen lw_fresh; /* in its place: a tensor that was just made */

/* A dense tensor of torch's own type in this memory, with values as they are stored. */
static int lw_read(PyObject *object, lw_tensor *t, lw_seen *seen) {
    PyObject *type = (PyObject *)Py_TYPE(object);
    if (type != lw_torch.bound[LW_TENSOR] && type != lw_torch.bound[LW_PARAMETER]) return 0;
    if (lw_torch.exchange->read(object, t)) {
        PyErr_Clear(); /* sparse, nested, a leaked wrapper, on no device, ... */
        return 0;
    }
    if (t->device_type != LW_DL_CPU || !t->data || t->lanes != 1 || t->ndim > LW_MOST_AXES) return 0;
    t->data = (char *)t->data + t->byte_offset;
    if (seen == &lw_fresh || (seen && seen->object == object && seen->data == t->data)) return 1;
    PyObject *negative = PyObject_CallFunctionObjArgs(lw_torch.bound[LW_IS_NEG], object, NULL); /* negated as it is read */
    if (!negative) PyErr_Clear();
    Py_XDECREF(negative);
    if (seen) seen->object = negative == Py_False ? object : NULL, seen->data = t->data;
    return negative == Py_False;
}

static int lw_contiguous(const lw_tensor *t) {
    int64_t step = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (t->shape[i] < 1 || (t->shape[i] != 1 && t->strides && t->strides[i] != step)) return 0;
        step *= t->shape[i];
    }
    return 1;
}

static int lw_is_float(const lw_tensor *t, int width) { return t->code == LW_DL_FLOAT && t->bits == 8 * width; }

/* The address of a contiguous tensor of shape (columns) or, with rows, (rows, columns); NULL if it is another one. */
static void *lw_operand(PyObject *object, lw_seen *seen, int code, int width, int64_t rows, int64_t columns) {
    lw_tensor t;
    int axes = rows ? 2 : 1;
    if (!lw_read(object, &t, seen) || t.code != code || t.bits != 8 * width || t.ndim != axes || !lw_contiguous(&t)) return NULL;
    if (t.shape[axes - 1] != columns || (rows && t.shape[0] != rows) || (uintptr_t)t.data % (uintptr_t)width) return NULL;
    return t.data;
}

/* Data with rows of `columns` values: contiguous as it is or as a copy, of which `*owner` gets a reference. */
static int lw_data(PyObject *object, PyObject **owner, lw_tensor *t, int64_t columns) {
    *owner = object;
    Py_INCREF(object);
    if (!lw_read(object, t, NULL) || t->ndim < 1 || t->shape[t->ndim - 1] != columns) return 0;
    if (lw_contiguous(t)) return (uintptr_t)t->data % (t->bits / 8u) == 0;
    Py_DECREF(object);
    *owner = PyObject_CallMethod(object, "contiguous", NULL);
    if (!*owner) PyErr_Clear();
    return *owner && lw_read(*owner, t, NULL) && lw_contiguous(t) && (uintptr_t)t->data % (t->bits / 8u) == 0;
}

/* Fills in the operands: index, B, G, S, bias, four filters; None where one is absent. */
static int lw_operands(lw_job *job, lw_seen *seen, PyObject *const *args, int width) {
    int64_t k = job->k;
    job->perm = lw_operand(args[0], seen, LW_DL_INT, 8, k, job->m);
    job->B = lw_operand(args[1], seen + 1, LW_DL_FLOAT, width, job->chunked ? 0 : k, job->in);
    job->G = lw_operand(args[2], seen + 2, LW_DL_FLOAT, width, k, job->m);
    job->S = lw_operand(args[3], seen + 3, LW_DL_FLOAT, width, 0, job->out);
    if (!job->perm || !job->B || !job->G || !job->S) return 0;
    if (args[4] != Py_None && !(job->bias = lw_operand(args[4], seen + 4, LW_DL_FLOAT, width, 0, job->out))) return 0;
    for (int i = 0; i < 4; i++) {
        PyObject *filter = args[5 + i];
        if (job->w.taps && !(job->filter[i] = lw_operand(filter, seen + 5 + i, LW_DL_FLOAT, width, 0, job->w.taps))) return 0;
        if (!job->w.taps && filter != Py_None) return 0;
    }
    return 1;
}

static PyObject *lw_new_like(PyObject *like) { return PyObject_CallFunctionObjArgs(lw_torch.bound[LW_EMPTY_LIKE], like, NULL); }

/* A new tensor with the leading axes of x and `columns` columns. */
static PyObject *lw_new_rows(PyObject *x, const lw_tensor *t, int64_t columns) {
    if (t->shape[t->ndim - 1] == columns) return lw_new_like(x);
    PyObject *shape = PyTuple_New(t->ndim), *made = NULL;
    for (int i = 0; shape && i < t->ndim; i++) {
        PyObject *size = PyLong_FromLongLong(i == t->ndim - 1 ? columns : t->shape[i]);
        if (!size || PyTuple_SetItem(shape, i, size)) Py_CLEAR(shape);
    }
    if (shape) made = PyObject_CallMethod(x, "new_empty", "(O)", shape);
    Py_XDECREF(shape);
    return made;
}

static int64_t lw_rows(const lw_tensor *t) {
    int64_t rows = 1;
    for (int i = 0; i < t->ndim - 1; i++) rows *= t->shape[i];
    return rows;
}

static int lw_threads(lw_job *job) {
    PyObject *count = PyObject_CallNoArgs(lw_torch.bound[LW_THREADS]);
    if (!count) return 0;
    job->threads = (int)PyLong_AsLong(count);
    Py_DECREF(count);
    return !PyErr_Occurred();
}

static const lw_kernels *lw_kernels_of(const lw_tensor *t) {
    const lw_isa *isa = lw_isa_current();
    return lw_is_float(t, 4) ? isa->f32 : lw_is_float(t, 8) ? isa->f64 : NULL;
}

#define LW_PLAN "learnable_wavelets.plan"

/* The matrix of a layer, and the bytes of the parameters that it was computed from. */
typedef struct {
    PyObject *matrix;
    size_t size;
    char *bytes;
} lw_dense;

/* What stays equal from call to call of a layer. */
typedef struct {
    lw_job job;
    lw_seen seen[1 + LW_OPERANDS];
    PyObject *index, *layer_type, *filter_type, *mode, *level;
    lw_dense *dense;
} lw_prepared;

static void lw_free_dense(lw_dense *dense) {
    if (!dense) return;
    Py_XDECREF(dense->matrix);
    lw_free(dense->bytes);
    free(dense);
}

/* Frees the matrix, or puts another one in its place. */
static void lw_keep(lw_prepared *plan, lw_dense *dense) {
    lw_dense *old = plan->dense;
    plan->dense = dense;
    lw_free_dense(old);
}

static void lw_forget(PyObject *capsule) {
    lw_prepared *plan = PyCapsule_GetPointer(capsule, LW_PLAN);
    Py_XDECREF(plan->index), Py_XDECREF(plan->layer_type), Py_XDECREF(plan->filter_type);
    Py_XDECREF(plan->mode), Py_XDECREF(plan->level);
    lw_free_dense(plan->dense);
    free(plan);
}

/* plan(in, out, k, n, chunked, wrap, mode, level, taps, scale, index, layer type, filter type, layer.mode, layer.level):
 * filters of this type are read without being called */
PyObject *lw_plan_py(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    lw_args a = {args, 0};
    lw_prepared *plan;
    PyObject *capsule;
    (void)self;
    if (!lw_count("plan", count, 15)) return NULL;
    if (!(plan = calloc(1, sizeof *plan))) return PyErr_NoMemory();
    if (!lw_sandwich_sizes(&plan->job, &a) || !(capsule = PyCapsule_New(plan, LW_PLAN, lw_forget))) {
        free(plan);
        return NULL;
    }
    plan->index = args[10], plan->layer_type = args[11], plan->filter_type = args[12];
    plan->mode = args[13], plan->level = args[14];
    for (int i = 10; i < 15; i++) Py_INCREF(args[i]);
    return capsule;
}

static PyObject *lw_none(void) {
    Py_INCREF(Py_None);
    return Py_None;
}

/* Largest matrix that is kept: 64 KB in float32. */
#define LW_DENSE_MOST 16384

/* Whether a product with the matrix of the layer is faster. Nanoseconds beyond what both take, measured on one thread of an
 * AMD EPYC with AVX-512 (docs/speed.md); `taps`: of all levels together, for one value. */
static int lw_below_crossover(const lw_job *job) {
    double matrix = (double)job->in * (double)job->out, values = (double)(job->k * job->m), rows = (double)job->rows;
    if (matrix > LW_DENSE_MOST || rows < 1) return 0;
    int hadamard = job->w.mode == LW_HADAMARD;
    int64_t singles = job->rows % 16 < 8 ? job->rows % 16 : 0;
    double taps = hadamard ? 0 : job->w.taps * (2 - ldexp(2, -job->w.level)), value = 0.55;
    if (!hadamard) value = 0.3 + 0.033 * taps + 12 / (double)job->n;
    double kernel = hadamard ? 0 : 500, dense = (job->rows > 1 ? 1750 : 1350) + matrix * (rows / 45 + 0.05);
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
static PyObject *lw_multiply(lw_prepared *plan, const lw_job *job, const lw_kernels *kernels, PyObject *x, PyObject *bias,
                             size_t width) {
    lw_dense *dense = plan->dense;
    if (!dense || dense->size != lw_walk(job, width, NULL, NULL) || !lw_walk(job, width, NULL, dense->bytes)) {
        if (!(dense = lw_new_dense(*job, kernels, x, width))) return NULL;
        lw_keep(plan, dense);
    }
    PyObject *matrix = dense->matrix, *y;
    Py_INCREF(matrix);
    y = PyObject_CallFunctionObjArgs(lw_torch.bound[LW_LINEAR], x, matrix, bias, NULL);
    Py_DECREF(matrix);
    return y;
}

/* The output, or None; `operand`: index, B, G, S, bias, four filters. */
static PyObject *lw_compute(lw_prepared *plan, PyObject *input, PyObject *const *operand, int graded) {
    lw_job job = plan->job;
    lw_tensor x, y;
    const lw_kernels *kernels = NULL;
    PyObject *owner, *made = NULL, *status = NULL;
    int fits = lw_data(input, &owner, &x, job.in) && lw_rows_fit(lw_rows(&x), job.k * lw_max(job.n, job.m)) &&
               (kernels = lw_kernels_of(&x)) && lw_operands(&job, plan->seen, operand, x.bits / 8) && lw_threads(&job);
    job.rows = fits ? lw_rows(&x) : 0;
    if (fits && !graded && lw_below_crossover(&job)) {
        made = lw_multiply(plan, &job, kernels, owner, operand[4], x.bits / 8u);
        Py_DECREF(owner);
        return made;
    }
    if (fits) made = lw_new_rows(owner, &x, job.out);
    if (made && lw_read(made, &y, &lw_fresh) && lw_contiguous(&y)) {
        job.x = x.data, job.y = y.data;
        status = lw_call(kernels->sandwich, &job);
        if (!status) Py_CLEAR(made);
    } else {
        Py_CLEAR(made);
        if (!PyErr_Occurred()) made = lw_none();
    }
    Py_XDECREF(status);
    Py_XDECREF(owner);
    return made;
}

/* 1: in grad mode, 0: not, -1: with an error set. */
static int lw_graded(void) {
    PyObject *enabled = PyObject_CallNoArgs(lw_torch.bound[LW_GRAD_ENABLED]);
    Py_XDECREF(enabled);
    return enabled ? enabled == Py_True : -1;
}

/* A borrowed entry of a dictionary of a module, or NULL. */
static PyObject *lw_get(PyObject *dictionary, int key) {
    return dictionary && PyDict_Check(dictionary) ? PyDict_GetItemWithError(dictionary, lw_key[key]) : NULL;
}

static int lw_equal(PyObject *a, PyObject *b) { return a && PyObject_RichCompareBool(a, b, Py_EQ) == 1; }

static int lw_has_hooks(PyObject *module) {
    PyObject *global = lw_torch.bound[LW_GLOBAL_HOOKS];
    for (int i = 0; i < 4; i++) {
        PyObject *own = lw_get(module, LW_HOOKS + i);
        if (!own || PyObject_IsTrue(own)) return 1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_Size(global); i++)
        if (PyObject_IsTrue(PyTuple_GetItem(global, i))) return 1;
    return 0;
}

/* Four parameters of a filter of the plain type as it was made, borrowed; otherwise its output, of which `*bank` gets the
 * reference. 0: not a bank, -1: with an error set. */
static int lw_filters(const lw_prepared *plan, PyObject *filter, PyObject **operand, PyObject **bank) {
    PyObject *own = PyObject_GenericGetDict(filter, NULL);
    if (!own) return -1;
    int hooks = lw_has_hooks(own), found = 0;
    PyObject *parameters = lw_get(own, LW_PARAMETERS);
    if (!hooks && (PyObject *)Py_TYPE(filter) == plan->filter_type && !lw_get(own, LW_FORWARD))
        for (; found < 4 && (operand[found] = lw_get(parameters, LW_FIRST_FILTER + found)); found++) {}
    Py_DECREF(own);
    if (found == 4) return 1;
    if (PyErr_Occurred()) return -1;
    *bank = hooks ? PyObject_CallNoArgs(filter) : PyObject_CallMethod(filter, "forward", NULL);
    if (!*bank) return -1;
    if (!PyTuple_Check(*bank) || PyTuple_Size(*bank) != 4) return 0;
    for (int i = 0; i < 4; i++) operand[i] = PyTuple_GetItem(*bank, i);
    return 1;
}

/* Gathers the operands of a layer without dropout, whose transform is still the planned one; as `lw_filters`. */
static int lw_gather(const lw_prepared *plan, PyObject *own, PyObject **operand, PyObject **bank) {
    PyObject *parameters = lw_get(own, LW_PARAMETERS), *dropout = lw_get(own, LW_DROPOUT), *filter;
    if (!dropout || (lw_get(own, LW_TRAINING) != Py_False && PyObject_IsTrue(dropout))) return 0;
    operand[0] = plan->index;
    for (int i = 0; i < 4; i++)
        if (!(operand[1 + i] = lw_get(parameters, LW_DIAG_IN + i))) return 0;
    for (int i = 0; i < 4; i++) operand[5 + i] = Py_None;
    if (!plan->job.w.taps) return 1;
    if (!lw_equal(lw_get(own, LW_MODE), plan->mode) || !lw_equal(lw_get(own, LW_LEVEL), plan->level)) return 0;
    filter = lw_get(lw_get(own, LW_MODULES), LW_FILTER);
    return filter ? lw_filters(plan, filter, operand + 5, bank) : 0;
}

static PyObject *lw_attach(PyObject *state, PyObject *made, PyObject *input, PyObject **o) {
    PyObject *pair = PyTuple_Pack(2, made, state), *attached = NULL;
    if (pair)
        attached = PyObject_CallFunctionObjArgs(lw_torch.bound[LW_ATTACH], pair, input, o[1], o[2], o[3], o[4], o[5], o[6],
                                                o[7], o[8], NULL);
    Py_XDECREF(pair);
    Py_DECREF(made);
    return attached;
}

/* run(state, layer, x) -> y or None, in grad mode with its derivative; `state` begins with the plan */
PyObject *lw_run(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    PyObject *operand[1 + LW_OPERANDS], *bank = NULL, *made = NULL;
    (void)self;
    if (!lw_count("run", count, 3)) return NULL;
    PyObject *state = args[0], *layer = args[1], *input = args[2], *capsule = PyTuple_GetItem(state, 0);
    lw_prepared *plan = capsule ? PyCapsule_GetPointer(capsule, LW_PLAN) : NULL;
    if (!plan) return NULL;
    if ((PyObject *)Py_TYPE(layer) != plan->layer_type) Py_RETURN_NONE;
    int fits = lw_quiet();
    PyObject *own = fits > 0 ? PyObject_GenericGetDict(layer, NULL) : NULL;
    if (own) fits = lw_gather(plan, own, operand, &bank);
    int graded = fits > 0 && own ? lw_graded() : -1;
    if (graded > 0) lw_keep(plan, NULL); /* training goes on */
    if (graded >= 0) made = lw_compute(plan, input, operand, graded);
    if (graded > 0 && made && made != Py_None) made = lw_attach(state, made, input, operand);
    Py_XDECREF(bank);
    Py_XDECREF(own);
    if (!made && !PyErr_Occurred()) made = lw_none();
    return made;
}

/* kept(plan) -> bytes that the matrix and the copy of the parameters take */
PyObject *lw_kept(PyObject *self, PyObject *capsule) {
    lw_prepared *plan = PyCapsule_GetPointer(capsule, LW_PLAN);
    (void)self;
    if (!plan) return NULL;
    if (!plan->dense) return PyLong_FromLong(0);
    lw_tensor t;
    int known = lw_read(plan->dense->matrix, &t, &lw_fresh);
    return PyLong_FromLongLong((long long)plan->dense->size + (known ? plan->job.in * plan->job.out * (t.bits / 8) : 0));
}

/* One gradient for each that is needed, in the order of the inputs: x, B, G, S, bias, four filters. */
static PyObject *lw_gradients(lw_job *job, PyObject *needs, PyObject *x, PyObject *const *args) {
    void **place[] = {&job->gx, &job->gB, &job->gG, &job->gS, &job->gbias,
                      job->gfilter, job->gfilter + 1, job->gfilter + 2, job->gfilter + 3};
    PyObject *found = PyTuple_New(2 + LW_OPERANDS);
    if (found) PyTuple_SetItem(found, 0, lw_none());
    for (int i = 0; found && i < 1 + LW_OPERANDS; i++) {
        PyObject *made = Py_None, *like = i ? args[i] : x;
        lw_tensor t;
        if (like != Py_None && PyTuple_GetItem(needs, 1 + i) == Py_True) {
            made = lw_new_like(like);
            if (made && !lw_read(made, &t, &lw_fresh)) Py_CLEAR(made);
            if (made) *place[i] = t.data;
        } else {
            Py_INCREF(made);
        }
        if (!made || PyTuple_SetItem(found, 1 + i, made)) Py_CLEAR(found);
    }
    return found;
}

/* Spreads what was saved, x and the operands that are there, over the places of all operands. */
static int lw_spread(const lw_job *job, PyObject *saved, PyObject **x, PyObject **operand) {
    Py_ssize_t filters = job->w.taps ? 4 : 0, given = PyTuple_Size(saved), next = 0;
    if (given < 4 + filters || given > 5 + filters) return 0;
    *x = PyTuple_GetItem(saved, next++);
    for (int i = 0; i < LW_OPERANDS; i++) {
        int there = i < 3 || (i == 3 ? given == 5 + filters : filters != 0);
        operand[i] = there ? PyTuple_GetItem(saved, next++) : Py_None;
    }
    return 1;
}

/* run_backward(plan, needs, grad, saved) -> None or the gradients, the first of which, of the call, is None; `needs` has a
 * bool for each of them, `saved` has x and the operands that are there */
PyObject *lw_run_backward(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    lw_tensor x, grad;
    const lw_kernels *kernels = NULL;
    PyObject *input, *operand[1 + LW_OPERANDS];
    (void)self;
    if (!lw_count("run_backward", count, 4)) return NULL;
    if (!PyTuple_Check(args[1]) || PyTuple_Size(args[1]) != 2 + LW_OPERANDS || !PyTuple_Check(args[3])) Py_RETURN_NONE;
    lw_prepared *plan = PyCapsule_GetPointer(args[0], LW_PLAN);
    int fits = plan ? lw_quiet() : -1;
    if (fits < 0) return NULL;
    lw_job job = plan->job;
    operand[0] = plan->index;
    if (!fits || !lw_spread(&job, args[3], &input, operand + 1)) Py_RETURN_NONE;
    PyObject *owner = NULL, *grad_owner = NULL, *found = NULL, *status = NULL;
    fits = lw_data(input, &owner, &x, job.in) && lw_rows_fit(lw_rows(&x), job.k * lw_max(job.n, job.m)) &&
           (kernels = lw_kernels_of(&x)) && lw_operands(&job, plan->seen, operand, x.bits / 8) &&
           lw_data(args[2], &grad_owner, &grad, job.out) && grad.ndim == x.ndim && lw_is_float(&grad, x.bits / 8);
    for (int i = 0; fits && i < x.ndim - 1; i++) fits = grad.shape[i] == x.shape[i];
    if (fits && lw_threads(&job) && (found = lw_gradients(&job, args[1], owner, operand))) {
        job.x = x.data, job.gy = grad.data, job.rows = lw_rows(&x);
        status = lw_call(kernels->sandwich_backward, &job);
        if (!status) Py_CLEAR(found);
    } else if (!PyErr_Occurred()) {
        found = lw_none();
    }
    Py_XDECREF(status);
    Py_XDECREF(owner);
    Py_XDECREF(grad_owner);
    return found;
}
