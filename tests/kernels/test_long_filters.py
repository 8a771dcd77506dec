"""Filters of 40 taps and more go through an FFT in the layer; the reference in float64 is the oracle."""

import pytest
import torch

from learnable_wavelets import FilterBank, LearnableWaveletFilter, WaveletLinear, functional
from learnable_wavelets.kernels import available_backends, reference
from learnable_wavelets.kernels._sandwich import Sandwich, Transform

from .cases import LAYOUTS

pytestmark = pytest.mark.skipif("cpu" not in available_backends(), reason="the extension was not built")

LONG = 40  # LW_LONG of long_filter.h
# level by width: small primes 2, 3, 5 and 7 in every place, filters longer than the signal among them; then larger ones
WIDTHS = {2: 1, 8: 1, 12: 1, 16: 2, 24: 3, 28: 1, 40: 2, 60: 2, 64: 3, 26: 1, 44: 2, 62: 1}


def operands(layout, level, taps, dtype, scale=2.0):
    def values(*shape):
        return torch.randn(*shape, dtype=dtype)

    bank = tuple(values(taps) / taps**0.5 for _ in range(4))
    permutation = torch.stack([torch.randperm(layout.n) for _ in range(layout.blocks)])
    return Sandwich(
        values(*layout.diag_in_shape), permutation, values(layout.blocks, layout.n), values(layout.out_features),
        values(layout.out_features), Transform("wavelet", bank, "periodization", level), layout, scale,
    )  # fmt: skip


def in_double(record):
    bank = tuple(f.double() for f in record.transform.bank)
    tensors = {name: getattr(record, name).double() for name in ("diag_in", "diag_mid", "diag_out", "bias")}
    return record._replace(**tensors, transform=record.transform._replace(bank=bank))


@torch.no_grad()
def errors(x, grad, record):
    """Norms of the errors of the output and of each gradient, over the norm of the exact ones."""
    from learnable_wavelets.kernels import cpu

    exact, needs = in_double(record), [True] * 9
    y, ours = reference.sandwich(x.double(), exact), cpu.sandwich(x, record)
    found = [(y - ours).norm() / y.norm()]
    backward = reference.sandwich_backward(grad.double(), x.double(), exact, needs)
    for g, h in zip(backward, cpu.sandwich_backward(grad, x, record, needs), strict=True):
        found.append((g - h).norm() / g.norm())
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_values_and_gradients(isa, layout, dtype):
    for n, level in WIDTHS.items():
        for taps, rows in ((LONG, 51), (64, 33), (256, 4), (1000, 3)):
            record = operands(LAYOUTS[layout](n), level, taps, dtype)
            x = torch.randn(rows, record.layout.in_features, dtype=dtype)
            grad = torch.randn(rows, record.layout.out_features, dtype=dtype)
            # gradients are sums that may cancel: a float32 one has few digits then, with the taps one by one too
            assert max(errors(x, grad, record)) < (1e-12 if dtype == torch.float64 else 5e-4), (n, level, taps, rows)


@pytest.mark.parametrize("n", [784, 1000, 4096, 286, 418, 782, 1102, 148])
def test_widths_of_use(n):
    """Half of 286 is 11 * 13, of 418 11 * 19, of 782 17 * 23, of 1102 19 * 29; 148 has a prime of 37, and no FFT."""
    record = operands(LAYOUTS["square"](n), 1, 128, torch.float32)
    x, grad = torch.randn(2, 33, n)
    assert max(errors(x, grad, record)) < 2e-6


def test_half_data():
    record = operands(LAYOUTS["wide"](64), 1, 64, torch.float32)
    x, grad = torch.randn(20, 63).bfloat16(), torch.randn(20, record.layout.out_features).bfloat16()
    assert max(errors(x, grad, record)) < 1e-2


def test_each_gradient_alone():
    from learnable_wavelets.kernels import cpu

    record = operands(LAYOUTS["wide"](24), 1, 48, torch.float64)
    x, grad = torch.randn(35, 23).double(), torch.randn(35, record.layout.out_features).double()
    every = cpu.sandwich_backward(grad, x, record, [True] * 9)
    for place in range(9):
        alone = cpu.sandwich_backward(grad, x, record, [p == place for p in range(9)])
        assert torch.allclose(alone[place], every[place], atol=1e-12)
        assert all(a.numel() == 0 for p, a in enumerate(alone) if p != place)


def test_results_do_not_depend_on_the_number_of_threads(two_threads):
    from learnable_wavelets.kernels import cpu

    record = operands(LAYOUTS["square"](1024), 2, 96, torch.float32)
    x, grad = torch.randn(2, 70, 1024)
    results = []
    for threads in (2, 1):
        torch.set_num_threads(threads)
        results.append([cpu.sandwich(x, record), *cpu.sandwich_backward(grad, x, record, [True] * 9)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_a_layer_trains_the_same_with_few_rows():
    """Few rows take the taps one by one."""
    filter = LearnableWaveletFilter("haar", taps=256, dtype=torch.float64)
    layer = WaveletLinear(64, 64, wavelet=filter, level=1, dtype=torch.float64)
    x = torch.randn(5, 64, dtype=torch.float64)
    together = torch.autograd.grad(layer(x).square().sum(), layer.parameters())
    alone = [torch.autograd.grad(layer(row[None]).square().sum(), layer.parameters()) for row in x]
    for g, parts in zip(together, zip(*alone, strict=True), strict=True):
        assert torch.allclose(g, sum(parts), atol=1e-10)


@pytest.mark.parametrize(("taps", "rows"), [(LONG, 50), (64, 20), (128, 7), (256, 3)])
def test_an_fft_only_where_the_rows_pay_for_its_tables(taps, rows):
    """Its mark is a NaN that reaches the whole row; one by one it reaches some taps."""
    from learnable_wavelets.kernels.cpu import _cpu

    if _cpu.isa() == "plain":
        pytest.skip("plain C has no FFT")
    layer = WaveletLinear(1024, 1024, wavelet=LearnableWaveletFilter("haar", taps=taps), level=1, seed=None)
    for count, local in ((rows - 1, True), (rows, False)):
        x = torch.ones(count, 1024)
        x[:, 0] = torch.nan
        assert bool(layer(x)[0].isfinite().any()) == local


def test_plain_transforms_stay_local():
    """In `functional` a large sample spreads no rounding over the row, and a NaN reaches its neighbours only."""
    bank = FilterBank.from_wavelet("db20").pad(64)
    x = torch.ones(4, 4096)
    exact = functional.dwt(x.double(), bank.to(torch.float64), "periodization")[0]
    x[:, 0] = 1e6
    far = slice(100, 1900)
    assert (functional.dwt(x, bank, "periodization")[0][:, far] - exact[:, far]).abs().max() < 1e-5
    x[:, 0] = torch.nan
    assert functional.dwt(x, bank, "periodization")[0][:, far].isfinite().all()
