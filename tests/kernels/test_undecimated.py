"""The operators of the stationary transform: C beside the twin in float64, every axis, filters longer than rows."""

import pytest
import pywt
import torch
from torch.library import opcheck

from learnable_wavelets import FilterBank
from learnable_wavelets.functional import iswt, swt, swt2
from learnable_wavelets.kernels import available_backends, cpu, reference, use_backend

from .cases import assert_close, gradients, leaf

OPS = torch.ops.learnable_wavelets
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}
# shape, axis, start_level, level; the first lengths are no multiple of anything
CASES = [
    ((5, 1), -1, 0, 1), ((2, 7), -1, 0, 2), ((1, 16), -1, 0, 4), ((6, 96), -1, 1, 3), ((37, 40), -1, 0, 2),
    ((3, 8, 5), -2, 0, 3), ((2, 33, 20), -2, 2, 1), ((4, 3, 5), -3, 0, 2), ((1, 9000), -1, 0, 3),
    ((2, 96, 100), -2, 0, 2),
]  # fmt: skip
compiled = pytest.mark.skipif("cpu" not in available_backends(), reason="the C extension was not built")


def filters(taps, dtype=torch.float64):
    return [(torch.randn(taps, dtype=torch.float64) / taps**0.5).to(dtype) for _ in range(2)]


def check(name, inputs, constants, dtype):
    leaves = [leaf(t) for t in inputs]
    exact = getattr(reference, name)(*leaves, *constants)
    at = (name, tuple(inputs[0].shape), tuple(inputs[-1].shape), constants)
    assert_close(getattr(cpu, name)(*inputs, *constants), exact, TOLERANCE[dtype], at)
    grad = torch.randn(exact.shape).to(dtype)
    ours = getattr(cpu, f"{name}_backward")(grad, *inputs, *constants, [True] * len(inputs))
    for place, (o, e) in enumerate(zip(ours, gradients(exact, grad, leaves), strict=True)):
        assert_close(o, e, TOLERANCE[dtype], (*at, place))


@compiled
@pytest.mark.usefixtures("uninitialised_is_nan")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("taps", [2, 4, 6, 8, 22])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_kernels(isa, case, taps, dtype):
    shape, axis, start_level, level = case
    x, bank = torch.randn(shape).to(dtype), filters(taps, dtype)
    for trim in (False, True):
        check("swt", (x, *bank), (axis, start_level, level, trim), dtype)
    check("iswt", (x, torch.randn(shape).to(dtype), *bank), (axis, start_level), dtype)


@compiled
def test_the_twin_is_pywt_too():
    x = torch.randn(3, 48, dtype=torch.float64)
    for wavelet in ("db3", "bior2.4"):
        bank = pywt.Wavelet(wavelet)
        lo, hi, rec_lo, rec_hi = (torch.tensor(f, dtype=torch.float64) for f in bank.filter_bank)
        bands = reference.swt(x, lo, hi, -1, 1, 2, False)
        expected = [band for pair in pywt.swt(x.numpy(), bank, 2, start_level=1) for band in pair]
        for ours, theirs in zip(bands, expected, strict=True):
            assert_close(ours, torch.from_numpy(theirs), 1e-12)
        assert_close(reference.iswt(*reference.swt(x, lo, hi, -1, 0, 1, False), rec_lo, rec_hi, -1, 0), x, 1e-10)


@compiled
def test_only_the_gradients_that_are_needed(isa):
    x, bank = torch.randn(5, 24, dtype=torch.float64), filters(4)
    grad, constants = torch.randn(6, 5, 24, dtype=torch.float64), (-1, 0, 3, False)
    everything = cpu.swt_backward(grad, x, *bank, *constants, [True] * 3)
    for needs in ([True, False, False], [False, True, False], [False, False, True]):
        some = cpu.swt_backward(grad, x, *bank, *constants, needs)
        for needed, one, whole in zip(needs, some, everything, strict=True):
            assert torch.equal(one, whole) if needed else one.shape == (0,)


@compiled
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_bits_do_not_depend_on_the_number_of_threads(rows):
    x, bank, constants = torch.randn(rows, 40_000), filters(8, torch.float32), (-1, 0, 3, True)
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        y = cpu.swt(x, *bank, *constants)
        results.append([y, *cpu.swt_backward(y, x, *bank, *constants, [True] * 3)])
    torch.set_num_threads(before)
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))


@pytest.mark.parametrize("backend", [pytest.param("cpu", marks=compiled), "reference"])
def test_autograd_of_both_orders(backend):
    x = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)
    bank = [f.requires_grad_() for f in filters(4) + filters(4)]

    def there(x, *bank):
        return tuple(swt(x, tuple(bank), 2, trim_approx=True))

    def back(cA, coarse, fine, *bank):
        return iswt([cA, coarse, fine], tuple(bank))

    with use_backend(backend):
        coeffs = [c.detach().requires_grad_() for c in there(x, *bank)]
        for function, inputs in ((there, (x, *bank)), (back, (*coeffs, *bank))):
            assert torch.autograd.gradcheck(function, inputs)
            assert torch.autograd.gradgradcheck(function, inputs)


@compiled
def test_the_input_is_all_that_is_kept():
    x, sizes = torch.randn(4, 64, requires_grad=True), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
        swt(x, FilterBank.from_wavelet("db2")._replace(dec_lo=torch.ones(4, requires_grad=True)), 3)
    assert sorted(sizes) == [4, 4, x.numel()]


@compiled
@pytest.mark.slow
def test_opcheck():
    x, bank = torch.randn(3, 8, 5, dtype=torch.float64), filters(4)
    leaves, level = [t.clone().requires_grad_() for t in (x, *bank)], (-2, 0, 2, True)
    for name, arguments in {
        "swt": (*leaves, *level),
        "iswt": (leaves[0], x.clone().requires_grad_(), *leaves[1:], -2, 1),
        "swt_backward": (torch.randn(3, 3, 8, 5, dtype=torch.float64), x, *bank, *level, [True, False, True]),
        "iswt_backward": (x, x.clone(), x.clone(), *bank, -2, 1, [True, False, True, True]),
    }.items():
        results = opcheck(getattr(OPS, name), arguments)
        assert set(results.values()) == {"SUCCESS"}, (name, results)


@compiled
def test_a_compiled_transform_calls_the_operator():
    class Decompose(torch.nn.Module):
        def forward(self, x):
            (cA, triple), _ = swt2(x, "db2", 2)
            return cA, *triple

    x = torch.randn(2, 8, 12)
    exported = torch.export.export(Decompose(), (x,))
    called = [node.target for node in exported.graph.nodes if node.op == "call_function"]
    assert called.count(OPS.swt.default) == 6
    assert all(map(torch.equal, exported.module()(x), Decompose()(x)))


@compiled
def test_what_does_not_fit_is_refused():
    x, bank = torch.randn(2, 8), filters(4, torch.float32)
    for message, call in {
        "`axis` must be between -2 and -1, got 0": lambda: OPS.swt(x, *bank, 0, 0, 1, True),
        "`axis` must be between -2 and -1, got -3": lambda: OPS.swt(x, *bank, -3, 0, 1, True),
        "`start_level` and `level` must be at least 0 and 1": lambda: OPS.swt(x, *bank, -1, 0, 0, True),
        "at most 48 together, got 40 and 9": lambda: OPS.swt(x, *bank, -1, 40, 9, True),
        "`x` must have at least 1 sample along axis -1": lambda: OPS.swt(x[:, :0], *bank, -1, 0, 1, True),
        "`x` must have dtype in float32, float64": lambda: OPS.swt(x.half(), *bank, -1, 0, 1, True),
        "`hi` must have shape .* of torch.float32": lambda: OPS.swt(x, bank[0], bank[1].double(), -1, 0, 1, True),
        "`lo` and `hi` must have one even length": lambda: OPS.swt(x, bank[0][1:], bank[1][1:], -1, 0, 1, True),
        "`cD` must have shape": lambda: OPS.iswt(x, x[:, 1:], *bank, -1, 0),
        "`grad` must have shape": lambda: OPS.swt_backward(x, x, *bank, -1, 0, 1, True, [True] * 3),
        "`needs` must have 4 entries": lambda: OPS.iswt_backward(x, x, x, *bank, -1, 0, [True] * 3),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
    from learnable_wavelets.kernels.cpu import _cpu

    for numbers in ((1, 8, 1, 0, 4, 1), (1, 8, 1, 1, 3, 1), (1, 8, 2**55, 40, 4, 1), (2**60, 8, 1, 1, 4, 1)):
        with pytest.raises(ValueError, match="sizes, level, taps or type do not fit"):
            _cpu.undecimated(*numbers, 1, 0, 0, *[64] * 6, 0, 0, 0, 1)
    with pytest.raises(ValueError, match="an address is missing"):
        _cpu.undecimated(1, 8, 1, 1, 4, 1, 1, 0, 0, 0, *[64] * 5, 0, 0, 0, 1)


@compiled
def test_no_rows_at_all():
    x, bank = torch.randn(0, 8, requires_grad=True), [f.requires_grad_() for f in filters(4, torch.float32)]
    y = OPS.swt(x, *bank, -1, 0, 2, True)
    assert y.shape == (3, 0, 8)
    found = torch.autograd.grad(y.sum(), (x, *bank))
    assert all(f.shape == t.shape and not f.any() for f, t in zip(found, (x, *bank), strict=True))
