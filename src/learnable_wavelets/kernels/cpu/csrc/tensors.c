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

static struct {
    const lw_exchange *exchange;
    PyObject *tensor, *parameter, *empty_like, *is_neg, *threads;
    PyObject *function[LW_WATCHED], *expected[LW_WATCHED];
    int watched;
} lw_torch;

/* bind(Tensor, Parameter, exchange, empty_like, is_neg, get_num_threads, ((function, expected), ...)) -> whether it works:
 * `quiet()` is true while each function returns the object expected of it. */
PyObject *lw_bind(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    if (count != 7 || !PyTuple_Check(args[6]) || PyTuple_Size(args[6]) > LW_WATCHED) {
        PyErr_SetString(PyExc_TypeError, "bind takes 7 arguments, the last a short tuple");
        return NULL;
    }
    const lw_exchange *exchange = PyCapsule_GetPointer(args[2], "dlpack_exchange_api");
    if (!exchange) return NULL;
    if (exchange->major != 1 || !exchange->read) Py_RETURN_FALSE;
    for (Py_ssize_t i = 0; i < PyTuple_Size(args[6]); i++) {
        PyObject *pair = PyTuple_GetItem(args[6], i);
        if (!PyArg_ParseTuple(pair, "OO", &lw_torch.function[i], &lw_torch.expected[i])) return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) Py_INCREF(args[i]); /* for good; the pairs live in their tuple */
    lw_torch.tensor = args[0], lw_torch.parameter = args[1], lw_torch.empty_like = args[3], lw_torch.is_neg = args[4];
    lw_torch.threads = args[5], lw_torch.watched = (int)PyTuple_Size(args[6]);
    lw_torch.exchange = exchange;
    Py_RETURN_TRUE;
}

/* Whether nothing watched would see an operator called here; -1 with an error set. */
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

PyObject *lw_quiet_py(PyObject *self, PyObject *ignored) {
    (void)self, (void)ignored;
    int quiet = lw_quiet();
    return quiet < 0 ? NULL : PyBool_FromLong(quiet);
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
    if (type != lw_torch.tensor && type != lw_torch.parameter) return 0;
    if (lw_torch.exchange->read(object, t)) {
        PyErr_Clear(); /* sparse, nested, a leaked wrapper, on no device, ... */
        return 0;
    }
    if (t->device_type != LW_DL_CPU || !t->data || t->lanes != 1 || t->ndim > LW_MOST_AXES) return 0;
    t->data = (char *)t->data + t->byte_offset;
    if (seen == &lw_fresh || (seen && seen->object == object && seen->data == t->data)) return 1;
    PyObject *negative = PyObject_CallFunctionObjArgs(lw_torch.is_neg, object, NULL); /* negated as it is read */
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

static PyObject *lw_new_like(PyObject *like) { return PyObject_CallFunctionObjArgs(lw_torch.empty_like, like, NULL); }

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
    PyObject *count = PyObject_CallNoArgs(lw_torch.threads);
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

/* The sizes of a layer, with which a call begins. */
typedef struct {
    lw_job job;
    lw_seen seen[1 + LW_OPERANDS];
} lw_prepared;

static void lw_forget(PyObject *capsule) { free(PyCapsule_GetPointer(capsule, LW_PLAN)); }

/* plan(in, out, k, n, chunked, wrap, mode, level, taps, scale) -> the sizes of a sandwich, for `run` and `run_backward` */
PyObject *lw_plan_py(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    lw_args a = {args, 0};
    lw_prepared *plan;
    PyObject *capsule;
    (void)self;
    if (!lw_count("plan", count, 10)) return NULL;
    if (!(plan = calloc(1, sizeof *plan))) return PyErr_NoMemory();
    if (!lw_sandwich_sizes(&plan->job, &a) || !(capsule = PyCapsule_New(plan, LW_PLAN, lw_forget))) {
        free(plan);
        return NULL;
    }
    return capsule;
}

/* The plan, if this call may take it, and a copy of its sizes; 0: no, -1: with an error set. */
static int lw_start(PyObject *capsule, lw_prepared **plan, lw_job *job) {
    *plan = PyCapsule_GetPointer(capsule, LW_PLAN);
    if (!*plan) return -1;
    *job = (*plan)->job;
    return lw_quiet();
}

static PyObject *lw_none(void) {
    Py_INCREF(Py_None);
    return Py_None;
}

/* run(plan, x, index, B, G, S, bias, dec_lo, dec_hi, rec_lo, rec_hi) -> y or None */
PyObject *lw_run(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    lw_prepared *plan;
    lw_job job;
    lw_tensor x, y;
    const lw_kernels *kernels = NULL;
    (void)self;
    if (!lw_count("run", count, 3 + LW_OPERANDS)) return NULL;
    int fits = lw_start(args[0], &plan, &job);
    if (fits < 0) return NULL;
    if (!fits) Py_RETURN_NONE;
    PyObject *owner, *made = NULL, *status = NULL;
    fits = lw_data(args[1], &owner, &x, job.in) && lw_rows_fit(lw_rows(&x), job.k * lw_max(job.n, job.m)) &&
           (kernels = lw_kernels_of(&x)) && lw_operands(&job, plan->seen, args + 2, x.bits / 8);
    if (fits) made = lw_new_rows(owner, &x, job.out);
    if (made && lw_read(made, &y, &lw_fresh) && lw_contiguous(&y) && lw_threads(&job)) {
        job.x = x.data, job.y = y.data, job.rows = lw_rows(&x);
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

/* run_backward(plan, needs, grad, index, saved) -> None or the gradients, the first of which, of the plan, is None; `needs`
 * has a bool for each of them, `saved` has x and the operands that are there */
PyObject *lw_run_backward(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    lw_prepared *plan;
    lw_job job;
    lw_tensor x, grad;
    const lw_kernels *kernels = NULL;
    PyObject *input, *operand[1 + LW_OPERANDS];
    (void)self;
    if (!lw_count("run_backward", count, 5)) return NULL;
    if (!PyTuple_Check(args[1]) || PyTuple_Size(args[1]) != 2 + LW_OPERANDS || !PyTuple_Check(args[4])) Py_RETURN_NONE;
    int fits = lw_start(args[0], &plan, &job);
    if (fits < 0) return NULL;
    operand[0] = args[3];
    if (!fits || !lw_spread(&job, args[4], &input, operand + 1)) Py_RETURN_NONE;
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
