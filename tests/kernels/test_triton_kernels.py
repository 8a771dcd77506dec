"""Every Triton kernel against its twin in float64: values, every gradient, awkward sizes.

On a GPU (`pytest -m gpu`), or anywhere in Triton's interpreter (`TRITON_INTERPRET=1`).
"""

import pytest
import torch

from learnable_wavelets.kernels import reference, triton
from learnable_wavelets.kernels._layout import Layout
from learnable_wavelets.kernels._sandwich import sources

from . import cases
from .cases import LAYOUTS, SCALES, exact_sandwich, gradients, leaf, sandwich_case, unrelated_bank, with_tensors

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("uninitialised_is_nan", "device")]

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.bfloat16: 2e-2, torch.float16: 3e-3}


def assert_close(ours, exact, dtype, what=""):
    cases.assert_close(ours, exact, TOLERANCE[dtype], what)


def to(device, values):
    return [v.to(device) if isinstance(v, torch.Tensor) else v for v in values]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("n", [1, 2, 4, 16, 64, 1024, 4096])
def test_fwht(device, n, dtype):
    for rows in (0, 1, 3, 17) if n < 1000 else (1, 3):
        x = torch.randn(rows, n).to(dtype)
        exact = reference.fwht(x.double(), n**-0.5)
        assert_close(triton.fwht(x.to(device), n**-0.5), exact, dtype, rows)


@pytest.mark.parametrize("n", [32, 64, 256])
def test_fwht_in_passes(device, small_chip, n):
    x = torch.randn(3, n).bfloat16()
    assert_close(triton.fwht(x.to(device), 0.5), reference.fwht(x.double(), 0.5), torch.bfloat16)


def check_transforms(device, rows, n, level, taps, dtype=torch.float32):
    bank = unrelated_bank(taps, dtype)
    lengths = list(reference.coeff_lengths(n, taps, "periodization", level))

    def analysis(x, lo, hi):
        return torch.cat(reference.decompose(x, lo, hi, "periodization", level), -1)

    def synthesis(c, lo, hi):
        return reference.reconstruct(c.split(lengths, -1), lo, hi, "periodization")

    for name, twin, filters, size in (("wavedec", analysis, bank[:2], ()), ("waverec", synthesis, bank[2:], (n,))):
        inputs = (torch.randn(rows, n).to(dtype), *filters)
        leaves = [leaf(t) for t in inputs]
        exact, grad, at = twin(*leaves), torch.randn(rows, n).to(dtype), (name, rows, n, level, taps)
        here, settings = to(device, inputs), (*size, "periodization", level)
        assert_close(getattr(triton, name)(*here, *settings), exact, dtype, at)
        backward = getattr(triton, f"{name}_backward")
        ours = backward(grad.to(device), *here, *settings, [True] * 3)
        for place, (o, e) in enumerate(zip(ours, gradients(exact, grad, leaves), strict=True)):
            assert_close(o, e, dtype, (*at, place))
        alone = backward(grad.to(device), *here, *settings, [True, False, False])
        assert_close(alone[0], ours[0].cpu().double(), dtype, at)
        assert alone[1].numel() == alone[2].numel() == 0


# width, levels, taps: filters longer than the signal, widths that are no power of two, every depth
TRANSFORMS = [
    (64, 3, 4), (12, 2, 6), (6, 1, 12), (4, 2, 2), (2, 1, 8), (48, 4, 10), (100, 2, 12), (16, 4, 20), (24, 0, 4),
    (1008, 4, 4), (96, 5, 2),
]  # fmt: skip


@pytest.mark.parametrize("case", TRANSFORMS, ids=str)
def test_transforms(device, case):
    n = case[0]
    for rows in (1, 5) if n < 50 else (3,):
        check_transforms(device, rows, *case)


def test_transforms_in_float64_of_many_rows(device):
    check_transforms(device, 37, 12, 2, 4, torch.float64)
    check_transforms(device, 0, 12, 2, 4)


@pytest.mark.parametrize("case", [(64, 5, 4), (48, 4, 2), (96, 1, 12), (40, 3, 6)], ids=str)
def test_transforms_in_passes(device, small_chip, case):
    check_transforms(device, 3, *case)


def check_sandwich(device, rows, layout, level, taps, bias, dtype, scale=1.0):
    mode = "periodization" if taps else "hadamard"
    x, operands = sandwich_case(rows, layout, mode, level, taps, bias, dtype, scale)
    grad = torch.randn(rows, layout.out_features).to(dtype)
    exact, exact_grads = exact_sandwich(x, operands, grad)
    here = (x.to(device), with_tensors(operands, lambda t: t.to(device)))
    assert_close(triton.sandwich(*here), exact, dtype, (rows, layout))
    needs = [t is not None for t in sources(x, operands.tensors())]
    ours = triton.sandwich_backward(grad.to(device), *here, needs)
    for place, (o, e) in enumerate(zip(ours, exact_grads, strict=True)):
        if e is not None:
            assert_close(o, e, operands.diag_out.dtype if place else dtype, (rows, layout, place))
    return here, grad.to(device), needs, ours


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n", [1, 2, 16, 64])
def test_hadamard_sandwich(device, layout, n):
    for rows in [0, 1, 2, 3, 5, 17] if n == 16 else [3]:
        check_sandwich(device, rows, LAYOUTS[layout](n), 0, 0, rows % 2 == 1, torch.float32, SCALES[rows % 3])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("n", "level", "taps"), [(16, 4, 4), (24, 2, 2), (6, 1, 10)])
def test_wavelet_sandwich(device, layout, n, level, taps):
    for rows in (1, 5) if n == 16 else (2,):
        check_sandwich(device, rows, LAYOUTS[layout](n), level, taps, rows == 5, torch.float32, SCALES[rows % 3])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("taps", [0, 4])
def test_sandwich_dtypes(device, dtype, taps):
    """Half types beside float32 parameters, whose gradients are of float32."""
    for layout in ("square", "wide", "narrow"):
        ours = check_sandwich(device, 3, LAYOUTS[layout](16), 2, taps, True, dtype)[3]
        assert ours[0].dtype == dtype
        assert ours[1].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize("taps", [0, 6])
@pytest.mark.parametrize("layout", ["square", "wide", "narrow, ragged"])
def test_sandwich_in_passes(device, small_chip, layout, taps):
    for scale in SCALES:
        check_sandwich(device, 3, LAYOUTS[layout](32), 2, taps, True, torch.float32, scale)
    check_sandwich(device, 0, LAYOUTS[layout](32), 2, taps, True, torch.float32)


@pytest.mark.parametrize("scale", [64.0, 0.5])
@pytest.mark.parametrize("taps", [0, 4])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_scale(device, dtype, taps, scale):
    for layout in ("square", "wide", "narrow"):
        check_sandwich(device, 3, LAYOUTS[layout](16), 2, taps, True, dtype, scale)


@pytest.mark.parametrize(("n", "taps", "level"), [(1024, 0, 0), (768, 2, 8), (3072, 4, 1), (1008, 12, 2)])
def test_larger_widths(device, n, taps, level):
    check_sandwich(device, 1, LAYOUTS["square"](n), level, taps, True, torch.float32)


@pytest.mark.parametrize(("taps", "level"), [(0, 0), (4, 3)])
def test_gradients_are_the_same_bits_twice_and_alone(device, taps, level):
    """More tiles than programs, so that every program sums over several."""
    layout = Layout(15, 29, 16, 2, False, True)
    here, grad, needs, ours = check_sandwich(device, 150, layout, level, taps, True, torch.float32)
    again = triton.sandwich_backward(grad, *here, needs)
    assert all(torch.equal(a, o) for a, o in zip(again, ours, strict=True))
    for places in ([0], [1, 2, 3, 4], [5, 6, 7, 8]):
        some = [needed and place in places for place, needed in enumerate(needs)]
        for place, found in enumerate(triton.sandwich_backward(grad, *here, some)):
            if some[place]:
                assert_close(found, ours[place].cpu().double(), torch.float32, place)
            else:
                assert found.numel() == 0
