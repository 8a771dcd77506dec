"""`gru` and `lstm` on the CPU against their twin in float64: values, every gradient, awkward sizes, what is refused."""

import pytest
import torch
from torch.library import opcheck

from learnable_wavelets.kernels import cpu, reference
from learnable_wavelets.kernels._library import OPERATORS
from learnable_wavelets.kernels._recurrence import GATES
from learnable_wavelets.kernels.cpu import _cpu

from .cases import assert_close, gradients, leaf
from .recurrences import WIDTHS, leaves, recurrence_case, with_tensors

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}
SHAPES = [(1, 1), (17, 3), (35, 2), (2, 1)]  # batch, steps
RAGGED = [5, 5, 3, 1]


def check(call):
    """Compare the kernel with the twin; return its gradients, and a function for some of them."""
    states = len(call.start)
    exact_call = with_tensors(call, leaf)
    exact = reference.recurrent(*exact_call)
    ours = cpu.recurrent(*call)
    dtype = call.inputs.data.dtype
    for place, (o, e) in enumerate(zip(ours, exact, strict=True)):
        assert_close(o, e, TOLERANCE[dtype], place)
    grads = [torch.randn_like(t) for t in ours[: 1 + states]]
    flat = torch.cat([t.flatten() for t in exact[: 1 + states]])
    expected = gradients(flat, torch.cat([g.flatten() for g in grads]), leaves(exact_call))
    found = (ours[0], *ours[1 + states :])
    needs = [t is not None for t in leaves(call)]
    got = cpu.recurrent_backward(grads, *call, found, needs)
    for place, (o, e) in enumerate(zip(got, expected, strict=True)):
        if e is not None:
            assert_close(o, e, TOLERANCE[dtype], place)
    return got, lambda which: cpu.recurrent_backward(grads, *call, found, which)


@pytest.mark.usefixtures("uninitialised_is_nan")
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("cell", GATES)
def test_values_and_gradients(isa, cell, width):
    for place, (batch, steps) in enumerate(SHAPES):
        reverse, inputs, bias = place % 2 == 1, place % 3, place != 1
        for dtype in TOLERANCE:
            dense = ((), (1,), (0, 2))[place % 3]
            options = {"inputs": inputs, "reverse": reverse, "bias": bias, "dense": dense}
            check(recurrence_case(cell, width, batch, steps, dtype=dtype, **options))


@pytest.mark.usefixtures("uninitialised_is_nan")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_sequences_of_several_lengths(isa, cell, reverse):
    for width, inputs in (("square", 0), ("surplus", 3)):
        check(recurrence_case(cell, width, 5, RAGGED, inputs=inputs, reverse=reverse, dense=(2,)))
        check(recurrence_case(cell, width, 19, [19, 18, 17, 4, 4, 1], inputs=inputs, reverse=reverse))


@pytest.mark.parametrize("cell", GATES)
def test_each_gradient_alone(cell):
    together, alone = check(recurrence_case(cell, inputs=2, dense=(1,)))
    assert all(gradient.numel() for gradient in together)
    for place, gradient in enumerate(together):
        found = alone([i == place for i in range(len(together))])
        assert torch.equal(found[place], gradient), place
        assert all(g.numel() == 0 for i, g in enumerate(found) if i != place)


@pytest.mark.parametrize("cell", GATES)
def test_results_do_not_depend_on_the_number_of_threads(two_threads, cell):
    call = recurrence_case(cell, "58", 50, 20, inputs=2, dtype=torch.float32, dense=(0,))
    needs = [True] * len(leaves(call))

    def run():
        results = cpu.recurrent(*call)
        grads = [torch.ones_like(t) for t in results[: 1 + len(call.start)]]
        return *results, *cpu.recurrent_backward(grads, *call, (results[0], *results[1 + len(call.start) :]), needs)

    together = run()
    torch.set_num_threads(1)
    assert all(map(torch.equal, run(), together))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_extreme_gates(isa, dtype):
    """One step without a matrix: tanh and sigmoid are accurate to a few units in the last place, and saturate."""
    call = recurrence_case("lstm", "square", 200, 1, dtype=dtype)
    call = with_tensors(call, lambda t: torch.zeros_like(t) if t.is_floating_point() else t)
    eps, h = torch.finfo(dtype).eps, 16
    far = torch.logspace(-30, 4, 80, dtype=torch.float64).to(dtype)
    values = torch.cat([far, -far, torch.linspace(-20, 20, 200 * h - 162, dtype=dtype), torch.tensor([0.0, -0.0])])
    values = values.view(200, h)
    for gate, other, function in ((2, 0, torch.tanh), (0, 2, torch.sigmoid)):
        x = torch.zeros(200, 4, h, dtype=dtype)
        x[:, gate], x[:, other] = values, torch.inf  # the other gate is 1
        _, _, c, _ = cpu.recurrent(call.inputs._replace(data=x.view(200, -1)), *call[1:])
        exact = function(values.double())
        error = (c.double() - exact).abs() / exact.abs().clamp_min(torch.finfo(dtype).tiny)
        assert float(error.max()) < 4 * eps, function


@pytest.mark.parametrize("cell", GATES)
def test_a_missing_value_stays_in_its_sequence(isa, cell):
    call = recurrence_case(cell, batch=18, steps=3)
    clean = cpu.recurrent(*call)[0].view(3, 18, -1)
    call.inputs.data[18 + 4] = torch.nan  # step 1 of sequence 4
    y = cpu.recurrent(*call)[0].view(3, 18, -1)
    assert y[1:, 4].isnan().all()
    y[1:, 4] = clean[1:, 4]
    assert torch.equal(y, clean)


# --- the registered operators


@pytest.mark.parametrize("cell", GATES)
def test_opcheck(cell):
    options = {"dense": (2,)} if cell == "gru" else {"inputs": 2}
    call = recurrence_case(cell, "surplus", 3, [3, 2], **options)
    name = "lstm" if cell == "lstm" else "gru"
    arguments = with_tensors(call, lambda t: t.requires_grad_() if t.is_floating_point() else t).flat()
    results = opcheck(OPERATORS[name], arguments)
    assert set(results.values()) == {"SUCCESS"}, results
    fixed = [a.detach() if torch.is_tensor(a) else a for a in arguments]
    outputs = OPERATORS[name](*fixed)
    states = len(call.start)
    needs = [t is not None and i != 1 for i, t in enumerate(leaves(call))]
    grads, found = [torch.randn_like(t) for t in outputs[: 1 + states]], (outputs[0], *outputs[1 + states :])
    results = opcheck(OPERATORS[f"{name}_backward"], (*grads, *fixed, *found, needs))
    assert set(results.values()) == {"SUCCESS"}, results


def test_stored_cells_have_no_gradient():
    call = with_tensors(recurrence_case("lstm"), lambda t: t.requires_grad_() if t.is_floating_point() else t)
    assert [t.requires_grad for t in OPERATORS["lstm"](*call.flat())] == [True, True, True, False]


def replaced(**changes):
    """A call of `gru` whose arguments of these names are changed."""
    call = recurrence_case("gru", inputs=2, steps=RAGGED, dense=(2,))
    names = [a.name for a in OPERATORS["gru"]._schema.arguments]
    arguments = list(call.flat())
    for name, change in changes.items():
        arguments[names.index(name)] = change(arguments[names.index(name)])
    return OPERATORS["gru"], arguments


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": lambda t: t[0]}, r"`inputs` must be \(rows, 2\), got shape \(2,\)"),
        ({"inputs": lambda t: t.int()}, "`inputs` must be .* of torch.int32"),
        ({"weight_ih": lambda t: t[1:]}, r"`weight_ih` must have shape \(48, 2\)"),
        ({"weight_ih": lambda t: None, "inputs": lambda t: t.repeat(1, 24)}, "`bias_ih` must be None without"),
        ({"bias_ih": lambda t: t[1:]}, r"`bias_ih` must have shape \(48,\)"),
        ({"weight_hh": lambda t: t[1:]}, r"`weight_hh` must have shape \(16, 16\)"),
        ({"bias_hh": lambda t: t[1:]}, r"`bias_hh` must have shape \(16,\)"),
        ({"weight_hh": lambda _: None}, "`weight_hh` and `bias_hh` must be those of the dense gates"),
        ({"dense": lambda _: []}, "`weight_hh` and `bias_hh` must be those of the dense gates"),
        ({"dense": lambda _: [3]}, "`dense` must name some of 3 gates in order, but not all, got"),
        ({"dense": lambda _: [0, 1, 2]}, "`dense` must name some of 3 gates in order, but not all, got"),
        ({"h0": lambda t: t[:, 1:]}, r"`h0` must have shape \(5, 16\)"),
        ({"diag_mid": lambda t: t[:2]}, r"`diag_mid` must have shape \(3, 16\)"),
        ({"permutation": lambda t: t * 0}, "`permutation` must hold each"),
        ({"sizes": lambda t: t.int()}, "`sizes` must be one dimension of torch.int64"),
        ({"sizes": lambda t: t.flip(0)}, "`sizes` must begin with 5, never grow and add up to 14"),
        ({"sizes": lambda t: t[:2]}, "`sizes` must begin with 5, never grow and add up to 14"),
        ({"sizes": lambda t: None}, "`inputs` must have the 5 rows of `h0` for each step, got 14 rows"),
        ({"layout": lambda _: [16, 16, 8, 2, False, True]}, "`layout` must be that of one square block"),
    ],
)
def test_refused(changes, message):
    operator, arguments = replaced(**changes)
    with pytest.raises(ValueError, match=message):
        operator(*arguments)


def test_a_missing_diagonal_is_refused():
    operator, arguments = replaced(dec_lo=lambda _: None, dec_hi=lambda t: t)
    with pytest.raises((TypeError, ValueError), match="dec_"):
        operator(*arguments)


def test_the_extension_itself_refuses_what_would_leave_its_memory():
    x, sizes = torch.zeros(14, 48), torch.tensor(RAGGED)
    there = x.data_ptr()

    def call(count=14, batch=5, n=16, state=16, cell=1, address=there, inputs=0, dense=0):
        _cpu.recurrent(
            address, 0, 0, there, 0, there, 0, there, 0, sizes.data_ptr(), count, 4, batch, inputs,
            state, cell, dense, 0, 0, n, 0, 0, 0, 1.0, *[there] * 4, 0, 0, 0, 0, 0, 0, 1,
        )  # fmt: skip

    for arguments in ({"count": 15}, {"batch": 4}):
        with pytest.raises(ValueError, match="`sizes` must begin with the batch"):
            call(**arguments)
    wrong = {"n": 12, "state": 17, "cell": 3, "inputs": 2, "dense": 1}
    for arguments in (*({name: value} for name, value in wrong.items()), {"cell": -1}, {"state": 0}, {"dense": 8}):
        with pytest.raises(ValueError, match="do not fit together"):
            call(**arguments)
    for address in (0, there + 2):
        with pytest.raises(ValueError, match="missing or not aligned"):
            call(address=address)
    with pytest.raises(ValueError, match="missing or not aligned"):
        call(cell=2)  # no second state
    with pytest.raises(TypeError, match="takes 35 arguments"):
        _cpu.recurrent(1)
