"""Half types, float32, autocast, `vmap` and `torch.compile`."""

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from learnable_wavelets import FilterBank
from learnable_wavelets.functional import (
    alias_cancellation_loss,
    dwt,
    fwht,
    idwt,
    orthogonality_loss,
    pack,
    perfect_reconstruction_loss,
    unpack,
    wavedec,
    waverec,
)

from ..banks import MODES, assert_same, quietly, random_bank, signal, whole_graph

bank = FilterBank.from_wavelet("bior2.4", dtype=torch.float64)


def outputs(x, mode="symmetric", wavelet="bior2.4"):
    """Every transform of x, as a list of tensors."""
    coeffs = wavedec(x, wavelet, mode, level=3)
    return [
        *coeffs, *dwt(x, wavelet, mode), waverec(coeffs, wavelet, mode), idwt(x, x, wavelet, mode), fwht(x),
        fwht(x, normalized=False),
    ]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_accumulate_in_float32(dtype, mode):
    """No worse than rounding the exact result once, by a factor of two."""
    x = signal(8, 256).to(dtype)
    exact_x = x.double()
    for ours, exact in (
        *zip(wavedec(x, "bior2.4", mode, 3), wavedec(exact_x, "bior2.4", mode, 3), strict=True),
        *zip(dwt(x, "bior2.4", mode), dwt(exact_x, "bior2.4", mode), strict=True),
        (idwt(x, x, "bior2.4", mode), idwt(exact_x, exact_x, "bior2.4", mode)),
        (waverec([x, x], "bior2.4", mode), waverec([exact_x, exact_x], "bior2.4", mode)),
        (fwht(x), fwht(exact_x)),
    ):
        assert ours.dtype == dtype
        rounding = (exact.to(dtype).double() - exact).abs()
        error = (ours.double() - exact).abs()
        assert error.max() < 2 * rounding.max()
        assert error.mean() < 1.1 * rounding.mean()


@pytest.mark.parametrize("mode", MODES)
def test_float32(mode):
    x = signal(4, 256)
    for ours, exact in zip(outputs(x.float(), mode), outputs(x, mode), strict=True):
        assert ours.dtype == torch.float32
        assert_same(ours, exact, 2e-6)


def test_half_gradients_keep_the_dtype_of_their_tensor():
    x = signal(4, 64).bfloat16().requires_grad_()
    filters = FilterBank(*(f.requires_grad_() for f in bank.to(dtype=torch.float32).detach()))
    sum(c.float().square().sum() for c in wavedec(x, filters, level=2)).backward()
    exact = x.detach().double().requires_grad_()
    sum(c.square().sum() for c in wavedec(exact, "bior2.4", level=2)).backward()
    assert x.grad.dtype == torch.bfloat16
    assert filters.dec_lo.grad.dtype == torch.float32
    assert_same(x.grad.float(), exact.grad, 2e-2)


def test_autocast_changes_nothing():
    x, taps = signal(4, 64).float(), random_bank().to(dtype=torch.float32)
    losses = (perfect_reconstruction_loss, alias_cancellation_loss, orthogonality_loss)
    expected = [*outputs(x, wavelet=taps), *(loss(taps) for loss in losses)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = [*outputs(x, wavelet=taps), *(loss(taps) for loss in losses)]
        assert (x @ x.T).dtype == torch.bfloat16  # it was on
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == torch.float32
        assert torch.equal(a, b)


@pytest.mark.parametrize("mode", MODES)
def test_vmap_over_signals_and_over_banks(mode):
    x = signal(3, 21)
    banks = FilterBank(*(torch.stack(fs) for fs in zip(*(random_bank(4, seed) for seed in range(3)), strict=True)))

    def there_and_back(x, *filters):
        coeffs = quietly(wavedec, x, FilterBank(*filters), mode, 2)
        return (*coeffs, waverec(coeffs, FilterBank(*filters), mode))

    mapped = torch.vmap(there_and_back)(x, *banks)
    for i in range(3):
        for ours, expected in zip(mapped, there_and_back(x[i], *(f[i] for f in banks)), strict=True):
            assert_same(ours[i], expected)
    for ours, expected in zip(torch.vmap(fwht)(x[:, :16]), fwht(x[:, :16]), strict=True):
        assert_same(ours, expected)


def test_vmap_of_losses():
    banks = [random_bank(4, seed) for seed in range(3)]
    stacked = [torch.stack(fs) for fs in zip(*banks, strict=True)]
    for loss in (perfect_reconstruction_loss, alias_cancellation_loss, orthogonality_loss):
        mapped = torch.vmap(lambda *fs, loss=loss: loss(FilterBank(*fs)))(*stacked)
        assert_same(mapped, torch.stack([loss(b) for b in banks]))


@pytest.mark.parametrize("mode", ["periodization", "zero", "symmetric", "antireflect"])
def test_compile_whole_graph(mode):
    def there_and_back(x, *filters):
        coeffs = wavedec(x, FilterBank(*filters), mode, 2)
        return (*coeffs, waverec(coeffs, FilterBank(*filters), mode))

    inputs = [t.clone().requires_grad_() for t in (signal(2, 21), *random_bank(4))]
    compiled = whole_graph(there_and_back)
    for a, b in zip(compiled(*inputs), there_and_back(*inputs), strict=True):
        assert_same(a, b)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_narrower_types_are_computed_in_float32_too(dtype):
    def transforms(x):
        return [*wavedec(x, "db2", level=2), *dwt(x, "bior2.4"), idwt(x, x, "db2"), fwht(x), fwht(x, normalized=False)]

    x = signal(3, 16).to(dtype)
    for ours, exact in zip(transforms(x), transforms(x.float()), strict=True):
        assert ours.dtype == dtype
        assert torch.equal(ours.float(), exact.to(dtype).float())


def test_sizes_that_a_tracer_leaves_open():
    def halves(x):
        return unpack(x, [x.shape[-1] // 2, x.shape[-1] - x.shape[-1] // 2])

    traced = make_fx(halves, tracing_mode="symbolic")(signal(3, 10))
    assert [part.shape for part in traced(signal(3, 7))] == [(3, 3), (3, 4)]


def test_compile_whole_graph_above_the_useful_level():
    """Without the warning, which would break the graph; at every level, packed and back."""

    def there_and_back(x, level):
        packed, lengths = pack(wavedec(x, "db4", "periodization", level=level))
        return waverec(unpack(packed, lengths), "db4", "periodization")

    compiled = whole_graph(there_and_back)
    for level in (0, 4):
        assert_same(compiled(signal(3, 16), level), signal(3, 16))
    with pytest.warns(UserWarning, match="`level` 4 is above the 1 that 16 samples and 8 taps allow"):
        there_and_back(signal(3, 16), 4)


@pytest.mark.slow
def test_compile_with_inductor():
    x = signal(2, 100).float()
    compiled = whole_graph(lambda x: wavedec(x, "bior2.2", level=3), "inductor")
    for a, b in zip(compiled(x), wavedec(x, "bior2.2", level=3), strict=True):
        assert_same(a, b, 1e-5)


def test_meta_tensors_carry_shapes():
    x = torch.empty(3, 37, device="meta")
    lengths = [c.shape for c in wavedec(x, "db3", level=2)]
    assert lengths == [c.shape for c in wavedec(signal(3, 37), "db3", level=2)]
    assert fwht(torch.empty(3, 8, device="meta")).shape == (3, 8)
