/* Torch's tensors, read in C through the table of functions that `torch.Tensor.__dlpack_c_exchange_api__` points to, DLPack's
 * C protocol for this, so there are no headers of torch here. */
#include "tensors.h"

typedef struct {
    uint32_t major, minor;
    void *previous, *allocate, *export_managed, *import_managed;
    int (*read)(void *object, lw_tensor *tensor);
} lw_exchange;

#define LW_WATCHED 16
#define LW_MOST_AXES 64

PyObject *lw_bound[LW_BOUND];
lw_seen lw_fresh;

static struct {
    const lw_exchange *exchange;
    PyObject *function[LW_WATCHED], *expected[LW_WATCHED];
    int watched;
} lw_torch;

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
    for (int i = 0; i < LW_BOUND; i++) Py_INCREF(args[i]), lw_bound[i] = args[i]; /* for good */
    lw_torch.watched = (int)PyTuple_Size(quiet);
    lw_torch.exchange = exchange;
    Py_RETURN_TRUE;
}

/* 1: nothing would see an operator called, 0: something would, -1: with an error set. */
int lw_quiet(void) {
    if (!lw_torch.exchange) return 0;
    for (int i = 0; i < lw_torch.watched; i++) {
        PyObject *found = PyObject_CallNoArgs(lw_torch.function[i]);
        if (!found) return -1;
        Py_DECREF(found); /* the objects expected are immortal or held */
        if (found != lw_torch.expected[i]) return 0;
    }
    return 1;
}

/* A dense tensor of torch's own type in this memory, with values as they are stored. */
int lw_read(PyObject *object, lw_tensor *t, lw_seen *seen) {
    PyObject *type = (PyObject *)Py_TYPE(object);
    if (type != lw_bound[LW_TENSOR] && type != lw_bound[LW_PARAMETER]) return 0;
    if (lw_torch.exchange->read(object, t)) {
        PyErr_Clear(); /* sparse, nested, a leaked wrapper, on no device, ... */
        return 0;
    }
    if (t->device_type != LW_DL_CPU || !t->data || t->lanes != 1 || t->ndim > LW_MOST_AXES) return 0;
    t->data = (char *)t->data + t->byte_offset;
    if (seen == &lw_fresh || (seen && seen->object == object && seen->data == t->data)) return 1;
    PyObject *negative = PyObject_CallFunctionObjArgs(lw_bound[LW_IS_NEG], object, NULL); /* negated as it is read */
    if (!negative) PyErr_Clear();
    Py_XDECREF(negative);
    if (seen) seen->object = negative == Py_False ? object : NULL, seen->data = t->data;
    return negative == Py_False;
}

int lw_contiguous(const lw_tensor *t) {
    int64_t step = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (t->shape[i] < 1 || (t->shape[i] != 1 && t->strides && t->strides[i] != step)) return 0;
        step *= t->shape[i];
    }
    return 1;
}

int lw_is_float(const lw_tensor *t, int width) { return t->code == LW_DL_FLOAT && t->bits == 8 * width; }

/* The address of a contiguous tensor of shape (columns) or, with rows, (rows, columns); NULL if it is another one. */
static void *lw_operand(PyObject *object, lw_seen *seen, int code, int width, int64_t rows, int64_t columns) {
    lw_tensor t;
    int axes = rows ? 2 : 1;
    if (!lw_read(object, &t, seen) || t.code != code || t.bits != 8 * width || t.ndim != axes || !lw_contiguous(&t)) return NULL;
    if (t.shape[axes - 1] != columns || (rows && t.shape[0] != rows) || (uintptr_t)t.data % (uintptr_t)width) return NULL;
    return t.data;
}

/* Data with rows of `columns` values: contiguous as it is or as a copy, of which `*owner` gets a reference. */
int lw_data(PyObject *object, PyObject **owner, lw_tensor *t, int64_t columns) {
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
int lw_operands(lw_job *job, lw_seen *seen, PyObject *const *args, int width) {
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

PyObject *lw_new_like(PyObject *like) { return PyObject_CallFunctionObjArgs(lw_bound[LW_EMPTY_LIKE], like, NULL); }

/* A new tensor with the leading axes of x and `columns` columns. */
PyObject *lw_new_rows(PyObject *x, const lw_tensor *t, int64_t columns) {
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

int64_t lw_rows(const lw_tensor *t) {
    int64_t rows = 1;
    for (int i = 0; i < t->ndim - 1; i++) rows *= t->shape[i];
    return rows;
}

int lw_threads(lw_job *job) {
    PyObject *count = PyObject_CallNoArgs(lw_bound[LW_THREADS]);
    if (!count) return 0;
    job->threads = (int)PyLong_AsLong(count);
    Py_DECREF(count);
    return !PyErr_Occurred();
}

const lw_kernels *lw_kernels_of(const lw_tensor *t) {
    const lw_isa *isa = lw_isa_current();
    return lw_is_float(t, 4) ? isa->f32 : lw_is_float(t, 8) ? isa->f64 : NULL;
}
