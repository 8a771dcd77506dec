"""Every CPU kernel against its twin in float64: values, every gradient, awkward sizes, every instruction set."""

import pytest
import torch

from learnable_wavelets import WaveletLinear
from learnable_wavelets.kernels import cpu, reference, use_backend
from learnable_wavelets.kernels._sandwich import sources
from learnable_wavelets.kernels.cpu import _cpu

from ..banks import assert_same
from . import cases
from .cases import LAYOUTS, SCALES, exact_sandwich, gradients, leaf, sandwich_case, unrelated_bank

pytestmark = pytest.mark.usefixtures("uninitialised_is_nan")

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 2e-2}
DTYPES = list(TOLERANCE)
# width, levels: multiples of 2**level, filters longer than the signal among them
WIDTHS = [(64, 3), (12, 2), (6, 1), (4, 2), (2, 1), (64, 0), (1000, 3)]
TAPS = {2: 64, 4: 4, 6: 12, 12: 1000, 20: 6}


def assert_close(ours, exact, dtype, what=""):
    cases.assert_close(ours, exact, TOLERANCE[dtype], what)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("n", [1, 2, 4, 8, 32, 64, 512, 4096, 32768])
def test_fwht(isa, n, dtype):
    for rows in (1, 3, 17) if n < 1000 else (1, 3):
        x = torch.randn(rows, n).to(dtype)
        exact = reference.fwht(x.double(), n**-0.5)
        assert_close(cpu.fwht(x, n**-0.5), exact, dtype)
        odd = torch.empty(rows * n + 1, dtype=dtype)[1:].view(rows, n)  # not aligned to a vector
        assert_close(cpu.fwht(odd.copy_(x), n**-0.5), exact, dtype, "unaligned")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("taps", TAPS)
@pytest.mark.parametrize("mode", ["periodization", "zero"])
def test_transforms(isa, mode, taps, dtype):
    real = torch.float32 if dtype == torch.bfloat16 else dtype
    for n, level in [*WIDTHS, *([(1, 1), (7, 2), (33, 3)] if mode == "zero" else [])]:
        for rows in [1, 2, 17] if n < 90 else [3, 17]:
            lo, hi, rec_lo, rec_hi = unrelated_bank(taps, real)
            lengths = list(reference.coeff_lengths(n, taps, mode, level))

            def analysis(x, lo, hi, level=level):
                return torch.cat(reference.decompose(x, lo, hi, mode, level), -1)

            def synthesis(c, lo, hi, n=n, lengths=lengths):
                return reference.reconstruct(c.split(lengths, -1), lo, hi, mode)[..., :n]

            def fast_analysis(x, lo, hi, level=level):
                return cpu.wavedec(x, lo, hi, mode, level)

            def fast_synthesis(c, lo, hi, n=n, level=level):
                return cpu.waverec(c, lo, hi, n, mode, level)

            for name, twin, kernel, inputs in (
                ("wavedec", analysis, fast_analysis, (torch.randn(rows, n).to(dtype), lo, hi)),
                ("waverec", synthesis, fast_synthesis, (torch.randn(rows, sum(lengths)).to(dtype), rec_lo, rec_hi)),
            ):
                leaves = [leaf(t) for t in inputs]
                exact = twin(*leaves)
                at = (name, rows, n, level)
                assert_close(kernel(*inputs), exact, dtype, at)
                grad = torch.randn(exact.shape).to(dtype)
                size = (n,) if name == "waverec" else ()
                ours = getattr(cpu, f"{name}_backward")(grad, *inputs, *size, mode, level, [True] * 3)
                for place, (o, e) in enumerate(zip(ours, gradients(exact, grad, leaves), strict=True)):
                    assert_close(o, e, real if place else dtype, (*at, place))


def check_sandwich(rows, layout, mode, level, taps, bias, dtype, scale=1.0):
    x, operands = sandwich_case(rows, layout, mode, level, taps, bias, dtype, scale)
    grad = torch.randn(rows, layout.out_features).to(dtype)
    exact, exact_grads = exact_sandwich(x, operands, grad)
    y = cpu.sandwich(x, operands)
    assert_close(y, exact, dtype, (rows, layout))
    needs = [t is not None for t in sources(x, operands.tensors())]
    ours = cpu.sandwich_backward(grad, x, operands, needs)
    for place, (o, e) in enumerate(zip(ours, exact_grads, strict=True)):
        if e is not None:
            assert_close(o, e, operands.diag_out.dtype if place else dtype, (rows, layout, place))
    for place in range(9):  # each gradient asked for alone is the same
        alone = cpu.sandwich_backward(grad, x, operands, [needed and i == place for i, needed in enumerate(needs)])
        if needs[place]:
            assert torch.equal(alone[place], ours[place]), (layout, place)
        assert all(a.numel() == 0 for i, a in enumerate(alone) if i != place)
    return (x, operands), y, grad, needs, ours


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_hadamard_sandwich(isa, layout, dtype):
    for n in [2, 4, 16, 1024]:
        for rows in [1, 2, 3, 15, 16, 17, 33] if n == 16 else [1, 17]:
            check_sandwich(rows, LAYOUTS[layout](n), "hadamard", 0, 0, rows % 2 == 0, dtype, SCALES[rows % 3])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ["periodization", "zero"])
def test_wavelet_sandwich(isa, layout, dtype, mode):
    taps = iter([2, 4, 6, 12, 20, 2, 8] * 10)
    for n, level in WIDTHS:
        for rows in [1, 2, 3, 15, 16, 17, 33] if n == 12 else [1, 17]:
            scale = SCALES[(rows + n) % 3]
            check_sandwich(rows, LAYOUTS[layout](n), mode, level, next(taps), rows % 2 == 0, dtype, scale)


@pytest.mark.parametrize("scale", [64.0, 0.5, -3.0])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ["hadamard", "periodization", "zero"])
def test_scale(isa, mode, dtype, scale):
    for layout in ("square", "wide", "narrow"):
        for rows in (1, 17):
            check_sandwich(rows, LAYOUTS[layout](16), mode, 2, 4, True, dtype, scale)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "level"), [("hadamard", 0), ("periodization", 6)])
def test_results_do_not_depend_on_the_number_of_threads(isa, two_threads, mode, level):
    """Large enough for two threads, and to leave the second-level cache."""
    for rows in (2, 37):
        layout = LAYOUTS["square"](1 << 14)
        arguments, y, grad, needs, ours = check_sandwich(rows, layout, mode, level, 6, True, torch.float32)
        torch.set_num_threads(1)
        assert torch.equal(cpu.sandwich(*arguments), y)
        again = cpu.sandwich_backward(grad, *arguments, needs)
        assert all(torch.equal(a, o) for a, o in zip(again, ours, strict=True))
        torch.set_num_threads(2)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ["periodization", "symmetric", "zero"])
def test_a_row_has_the_same_bits_whatever_lies_beside_it(isa, mode, dtype):
    """In a tile, in a tile that is not full, and alone, each with another loop."""
    real = torch.float32 if dtype == torch.bfloat16 else dtype
    for taps, n in [(2, 8), (4, 100), (6, 12), (10, 64), (40, 1000)]:
        lo, hi, rec_lo, rec_hi = unrelated_bank(taps, real)
        x = torch.randn(35, n).to(dtype)
        coeffs = cpu.wavedec(x, lo, hi, mode, 2)
        back = cpu.waverec(coeffs, rec_lo, rec_hi, n, mode, 2)
        for rows in (1, 2, 3, 5, 9, 16, 19):
            assert torch.equal(cpu.wavedec(x[:rows], lo, hi, mode, 2), coeffs[:rows]), (taps, n, rows)
            assert torch.equal(cpu.waverec(coeffs[:rows], rec_lo, rec_hi, n, mode, 2), back[:rows]), (taps, n, rows)


@pytest.mark.parametrize("mode", ["hadamard", "zero"])
def test_no_rows(isa, mode):
    arguments = sandwich_case(0, LAYOUTS["square"](16), mode, 2, 4, True, torch.float32)
    assert cpu.sandwich(*arguments).shape == (0, 16)
    needs = [True] * 5 + [mode != "hadamard"] * 4
    grads = cpu.sandwich_backward(torch.zeros(0, 16), *arguments, needs)
    assert all((g == 0).all() for g in grads)
    assert cpu.fwht(torch.zeros(0, 8), 1.0).shape == (0, 8)


def test_the_extension_itself_refuses_what_would_leave_its_memory():
    """A call past `_validate` meets these."""
    x, y, lo = torch.zeros(3, 16), torch.zeros(3, 64), torch.zeros(4)
    with pytest.raises(ValueError, match="power of two"):
        _cpu.fwht(x.data_ptr(), y.data_ptr(), 2, 6, 1.0, 0, 1)
    with pytest.raises(ValueError, match="do not fit"):
        _cpu.wavedec(x.data_ptr(), y.data_ptr(), 3, 16, 2, 1, 3, lo.data_ptr(), lo.data_ptr(), 0, 1)
    with pytest.raises(ValueError, match="missing or not aligned"):
        _cpu.wavedec(0, x.data_ptr(), 3, 16, 1, 1, 4, lo.data_ptr(), lo.data_ptr(), 0, 1)
    with pytest.raises(ValueError, match="missing or not aligned"):
        _cpu.wavedec(x.data_ptr() + 1, x.data_ptr(), 2, 16, 1, 1, 4, lo.data_ptr(), lo.data_ptr(), 0, 1)
    with pytest.raises(TypeError, match="takes 7 arguments"):
        _cpu.fwht(1, 2)
    with pytest.raises(ValueError, match="isas"):
        _cpu.isa("no such instruction set")


@pytest.mark.parametrize("wide", [True, False])
def test_more_than_a_million_blocks(wide):
    """One feature from many, or many from one: each block is two wide."""
    features = 3 << 19
    made = WaveletLinear(1, features) if wide else WaveletLinear(features, 1)
    x = torch.randn(2, made.in_features)
    with use_backend("cpu"):
        found = made(x).detach()
    with use_backend("reference"):
        assert_same(found, made(x).detach(), 1e-4)
