/* A layer in one call from Python: its tensors are read from the dictionaries of the module and checked, the result is
 * allocated and computed. What does not fit is answered with None: the caller then takes the long way, which computes
 * everything and has the messages. */
#include "tensors.h"

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

#define LW_PLAN "learnable_wavelets.plan"

/* What stays equal from call to call of a layer. */
typedef struct {
    lw_job job;
    lw_seen seen[1 + LW_OPERANDS];
    PyObject *index, *layer_type, *filter_type, *mode, *level;
    lw_dense *dense;
} lw_prepared;

static void lw_forget(PyObject *capsule) {
    lw_prepared *plan = PyCapsule_GetPointer(capsule, LW_PLAN);
    Py_XDECREF(plan->index), Py_XDECREF(plan->layer_type), Py_XDECREF(plan->filter_type);
    Py_XDECREF(plan->mode), Py_XDECREF(plan->level);
    lw_keep(&plan->dense, NULL);
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
    for (int i = 0; i < LW_KEYS; i++)
        if (!lw_key[i] && !(lw_key[i] = PyUnicode_InternFromString(lw_key_names[i]))) return NULL;
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
        made = lw_multiply(&plan->dense, &job, kernels, owner, operand[4], x.bits / 8u);
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
    PyObject *enabled = PyObject_CallNoArgs(lw_bound[LW_GRAD_ENABLED]);
    Py_XDECREF(enabled);
    return enabled ? enabled == Py_True : -1;
}

/* A borrowed entry of a dictionary of a module, or NULL. */
static PyObject *lw_get(PyObject *dictionary, int key) {
    return dictionary && PyDict_Check(dictionary) ? PyDict_GetItemWithError(dictionary, lw_key[key]) : NULL;
}

static int lw_equal(PyObject *a, PyObject *b) { return a && PyObject_RichCompareBool(a, b, Py_EQ) == 1; }

static int lw_has_hooks(PyObject *module) {
    PyObject *global = lw_bound[LW_GLOBAL_HOOKS];
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
        attached = PyObject_CallFunctionObjArgs(lw_bound[LW_ATTACH], pair, input, o[1], o[2], o[3], o[4], o[5], o[6],
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
    int held = own && fits > 0 ? 1 + LW_OPERANDS : 0;
    for (int i = 0; i < held; i++) Py_INCREF(operand[i]); /* another thread may put others into the layer */
    int graded = fits > 0 && own ? lw_graded() : -1;
    if (graded > 0) lw_keep(&plan->dense, NULL); /* training goes on */
    if (graded >= 0) made = lw_compute(plan, input, operand, graded);
    if (graded > 0 && made && made != Py_None) made = lw_attach(state, made, input, operand);
    for (int i = 0; i < held; i++) Py_DECREF(operand[i]);
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
    return PyLong_FromLongLong((long long)lw_dense_bytes(plan->dense));
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
