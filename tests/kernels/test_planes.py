"""The 2-D operators: C beside the twin in float64, values and every gradient, at awkward sizes and mixed modes."""

import pytest
import pywt
import torch
from torch.library import opcheck

from learnable_wavelets.functional import dwt2, idwt2, wavedec2
from learnable_wavelets.kernels import available_backends, cpu, reference, use_backend
from learnable_wavelets.kernels._library import OPERATORS

from ..banks import MODES
from .cases import assert_close, gradients, leaf
from .conftest import ISAS

OPS = torch.ops.learnable_wavelets
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}
# planes that filters outgrow, odd ones, whole vectors and one sample more
SHAPES = [(2, 2), (3, 2), (5, 7), (16, 32), (33, 70), (40, 129)]
TAPS = [(2, 2), (4, 2), (6, 10), (10, 4), (22, 12)]
compiled = pytest.mark.skipif("cpu" not in available_backends(), reason="the C extension was not built")


def filters(taps0, taps1, dtype=torch.float64):
    """Four unrelated filters, two of each length."""
    return [(torch.randn(t, dtype=torch.float64) / t**0.5).to(dtype) for t in (taps0, taps0, taps1, taps1)]


def synthesis_size(m, taps, mode):
    return 2 * m if mode == "periodization" else 2 * m - taps + 2


def check(name, inputs, constants, dtype):
    """Value and gradients of a kernel beside those of its twin."""
    leaves = [leaf(t) for t in inputs]
    exact = getattr(reference, name)(*leaves, *constants)
    at = (name, [tuple(t.shape) for t in inputs], constants)
    assert_close(getattr(cpu, name)(*inputs, *constants), exact, TOLERANCE[dtype], at)
    grad = torch.randn(exact.shape).to(dtype)
    ours = getattr(cpu, f"{name}_backward")(grad, *inputs, *constants, [True] * len(inputs))
    for place, (o, e) in enumerate(zip(ours, gradients(exact, grad, leaves), strict=True)):
        assert_close(o, e, TOLERANCE[dtype], (*at, place))
    return exact


@compiled
@pytest.mark.usefixtures("uninitialised_is_nan")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("number", range(9), ids=lambda number: MODES[number])
def test_kernels(isa, number, dtype):
    for i, shape in enumerate(SHAPES):
        for taps0, taps1 in (TAPS[(number + i) % 5], TAPS[(number + i + 2) % 5]):
            modes, bank = (MODES[number], MODES[(number + i) % 9]), filters(taps0, taps1, dtype)
            x = torch.randn(2 + i % 2, *shape).to(dtype)
            bands = check("dwt2", (x, *bank), modes, dtype)
            n0, n1 = map(synthesis_size, bands.shape[-2:], (taps0, taps1), modes)
            if min(n0, n1) < 1:
                continue
            odd = [n - (mode != "periodization" and n > 1 and i % 2) for n, mode in zip((n0, n1), modes, strict=True)]
            coeffs = torch.randn(bands.shape).to(dtype).unbind(0)
            check("idwt2", (*coeffs, *bank), (*odd, *modes), dtype)


@compiled
def test_only_the_gradients_that_are_needed(isa):
    x, bank = torch.randn(3, 9, 10, dtype=torch.float64), filters(4, 6)
    modes, grad = ("reflect", "zero"), torch.randn(4, 3, 6, 7, dtype=torch.float64)
    everything = cpu.dwt2_backward(grad, x, *bank, *modes, [True] * 5)
    for needs in ([True, False, False, False, False], [False, True, False, False, False], [False] * 4 + [True]):
        some = cpu.dwt2_backward(grad, x, *bank, *modes, needs)
        for needed, one, whole in zip(needs, some, everything, strict=True):
            assert torch.equal(one, whole) if needed else one.shape == (0,)


@compiled
@pytest.mark.parametrize("planes", [1, 3, 64])
def test_bits_do_not_depend_on_the_number_of_threads(planes):
    x, bank = torch.randn(planes, 130, 300), filters(8, 6, torch.float32)
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        y = cpu.dwt2(x, *bank, "symmetric", "periodization")
        results.append([y, *cpu.dwt2_backward(y, x, *bank, "symmetric", "periodization", [True] * 5)])
    torch.set_num_threads(before)
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))


@pytest.mark.parametrize("backend", [pytest.param("cpu", marks=compiled), "reference"])
def test_autograd_of_both_orders(backend):
    x = torch.randn(1, 4, 5, dtype=torch.float64, requires_grad=True)
    bank = [f.requires_grad_() for f in filters(2, 2)]

    def there(x, *bank):
        cA, details = dwt2(x, tuple(bank), "symmetric")
        return (cA, *details)

    def back(cA, cH, cV, cD, *bank):
        return idwt2((cA, (cH, cV, cD)), tuple(bank), "symmetric", shape=(4, 5))

    with use_backend(backend):
        coeffs = [c.detach().requires_grad_() for c in there(x, *bank)]
        assert torch.autograd.gradcheck(there, (x, *bank))
        assert torch.autograd.gradgradcheck(there, (x, *bank))
        assert torch.autograd.gradcheck(back, (*coeffs, *bank))
        assert torch.autograd.gradgradcheck(back, (*coeffs, *bank))


@compiled
def test_bands_have_their_own_memory_and_may_go_unused():
    x = torch.randn(2, 9, 8, dtype=torch.float64, requires_grad=True)
    bank = [f.requires_grad_() for f in filters(4, 4)]
    cA, (cH, cV, cD) = dwt2(x, tuple(bank), "symmetric")
    flat = [cA, cV, cH, cD]
    assert len({band.untyped_storage().data_ptr() for band in flat}) == 4
    for used in range(4):
        found = torch.autograd.grad(flat[used].square().sum(), (x, *bank[:2]), retain_graph=True)
        with torch.no_grad():
            grad = torch.zeros(4, *cA.shape, dtype=torch.float64)
            grad[used] = 2 * flat[used]
            exact = reference.dwt2_backward(grad, x, *bank[:2], *bank[:2], "symmetric", "symmetric", [True] * 5)
        assert_close(found[0], exact[0], 1e-12, used)
        assert_close(found[1], exact[1] + exact[3], 1e-12, used)
        assert_close(found[2], exact[2] + exact[4], 1e-12, used)


@compiled
@pytest.mark.slow
def test_opcheck():
    x, bank = torch.randn(2, 6, 7, dtype=torch.float64), filters(4, 2)
    leaves = [t.clone().requires_grad_() for t in (x, *bank)]
    coeffs, zero = torch.randn(4, 4, 4, dtype=torch.float64), ("zero", "zero")
    grads = torch.randn(4, 2, 4, 4, dtype=torch.float64), torch.randn(6, 7, dtype=torch.float64)
    bands = [c.clone().requires_grad_() for c in coeffs]
    for name, arguments in {
        "dwt2": (*leaves, "symmetric", "zero"),
        "idwt2": (*bands, *leaves[1:], 6, 7, *zero),
        "dwt2_backward": (grads[0], x, *bank, "symmetric", "zero", [True, False, True, True, True]),
        "idwt2_backward": (grads[1], *coeffs, *bank, 6, 7, *zero, [True, False] * 4),
    }.items():
        results = opcheck(getattr(OPS, name), arguments)
        assert set(results.values()) == {"SUCCESS"}, (name, results)


@compiled
def test_a_graph_sees_one_operator_a_level():
    exported = torch.export.export(_Decompose(), (torch.randn(2, 16, 16),))
    called = [node.target for node in exported.graph.nodes if node.op == "call_function"]
    assert called.count(OPERATORS["dwt2"]) == 2
    x = torch.randn(2, 16, 16)
    for ours, eager in zip(exported.module()(x), _Decompose()(x), strict=True):
        assert torch.equal(ours, eager)


class _Decompose(torch.nn.Module):
    def forward(self, x):
        cA, *details = wavedec2(x, "db2", level=2)
        return [cA, *[band for triple in details for band in triple]]


@compiled
def test_values_are_those_of_pywt_and_planes_are_contiguous():
    x = torch.randn(3, 21, 40, dtype=torch.float64)
    for mode in MODES:
        cA, details = dwt2(x, ("db3", "bior2.2"), (mode, "symmetric"))
        expected, triple = pywt.dwt2(x.numpy(), ("db3", "bior2.2"), (mode, "symmetric"))
        for ours, theirs in zip((cA, *details), (expected, *triple), strict=True):
            assert ours.is_contiguous()
            assert_close(ours, torch.from_numpy(theirs), 1e-12, mode)


@compiled
def test_what_does_not_fit_is_refused():
    x, bank, modes = torch.randn(2, 6, 8), filters(4, 2, torch.float32), ("zero", "zero")
    bands = [torch.randn(2, 4, 4) for _ in range(4)]
    for message, call in {
        "`x` must have at least 2 dimensions": lambda: OPS.dwt2(x[0, 0], *bank, *modes),
        "`lo1` must have shape .* of torch.float32": lambda: OPS.dwt2(x, *bank[:2], bank[2].double(), bank[3], *modes),
        "`lo` and `hi` must have one even length": lambda: OPS.dwt2(x, bank[0], bank[2], *bank[2:], *modes),
        "`mode` must be one of": lambda: OPS.dwt2(x, *bank, "zero", "nought"),
        "`x` must have dtype in float32, float64": lambda: OPS.dwt2(x.bfloat16(), *bank, *modes),
        "at least 1 sample along each axis": lambda: OPS.dwt2(x[:, :0], *bank, *modes),
        "`ad` must have shape": lambda: OPS.idwt2(bands[0], bands[1][..., 1:], *bands[2:], *bank, 6, 8, *modes),
        "`aa` must have shape": lambda: OPS.idwt2(*bands, *bank, 7, 9, *modes),
        "must be even in mode 'periodization'": lambda: OPS.idwt2(*bands, *bank, 7, 8, "periodization", "zero"),
        "`grad` must have shape": lambda: OPS.dwt2_backward(x, x, *bank, *modes, [True] * 5),
        "`needs` must have 5 entries": lambda: OPS.dwt2_backward(OPS.dwt2(x, *bank, *modes), x, *bank, *modes, [True]),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
    from learnable_wavelets.kernels.cpu import _cpu

    for sizes in ((1, 0, 1, 2, 4, 1, 2), (1, 4, 10, 2, 4, 1, 2), (1, 4, 1, 3, 4, 1, 2), (2**60, 4, 1, 2, 2**30, 1, 2)):
        with pytest.raises(ValueError, match="sizes, taps, modes or type do not fit"):
            _cpu.planes(*sizes, *[64] * 17, 1, 0, 1)
    with pytest.raises(ValueError, match="an address is missing"):
        _cpu.planes(1, 4, 1, 2, 4, 1, 2, *[0] * 9, *[64] * 4, *[0] * 4, 1, 0, 1)


@compiled
def test_no_planes_at_all():
    x, bank = torch.randn(0, 6, 8, requires_grad=True), [f.requires_grad_() for f in filters(4, 2, torch.float32)]
    y = OPS.dwt2(x, *bank, "zero", "zero")
    assert y.shape == (4, 0, 4, 4)
    found = torch.autograd.grad(y.sum(), (x, *bank))
    assert [f.shape for f in found] == [t.shape for t in (x, *bank)]
    assert all(not f.any() for f in found)
    assert ISAS
