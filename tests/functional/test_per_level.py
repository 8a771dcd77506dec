"""A wavelet for each level: each level is the one-level transform with its own wavelet, and the inverse is exact."""

import pytest
import torch

from learnable_wavelets import FilterBank, LearnableWaveletFilter, nn, wavelet_regularizer
from learnable_wavelets.functional import (
    PerLevel,
    dwt,
    dwtn,
    inverse_wavelet_packet,
    inverse_wavelet_packet2,
    iswt,
    iswt2,
    iswtn,
    swt,
    swt2,
    swtn,
    wavedec,
    wavedec2,
    wavedecn,
    wavelet_packet,
    wavelet_packet2,
    waverec,
    waverec2,
    waverecn,
)

from ..banks import MODES, assert_same, random_bank, signal, whole_graph
from .test_channels import flat

THREE = PerLevel(["bior2.2", "db2", "haar"])


@pytest.mark.parametrize("mode", MODES)
class TestEveryMode:
    def test_one_axis(self, mode):
        x, wavelets = signal(2, 31, 3), PerLevel([random_bank(4), "db2", random_bank(6)])
        coeffs, approximation = wavedec(x, wavelets, mode, axis=1), x
        for wavelet, detail in zip(wavelets.wavelets, coeffs[:0:-1], strict=True):
            approximation, expected = dwt(approximation, wavelet, mode, 1)
            assert_same(detail, expected)
        assert_same(coeffs[0], approximation)
        assert_same(waverec(wavedec(x, THREE, mode, 3, 1), THREE, mode, 1, n=31), x)
        assert_same(waverec(wavedec(x, THREE, mode, 3, 1), THREE, mode, 1).narrow(1, 0, 31), x)

    def test_several_axes(self, mode):
        x, wavelets = signal(13, 3, 18), PerLevel([("bior2.2", "db2"), "haar"])
        cA, coarse, fine = wavedecn(x, wavelets, mode, axes=(0, 2))
        first = dwtn(x, ("bior2.2", "db2"), mode, (0, 2))
        second = dwtn(first["aa"], "haar", mode, (0, 2))
        for found, expected in ((fine, first), (coarse, second), ({"aa": cA}, second)):
            for key, band in found.items():
                assert_same(band, expected[key])
        assert_same(waverecn([cA, coarse, fine], wavelets, mode, (0, 2), shape=(13, 18)), x)
        coeffs = wavedec2(x, wavelets, mode, axes=(0, 2))
        assert_same(waverec2(coeffs, wavelets, mode, (0, 2), shape=(13, 18)), x)

    def test_packets(self, mode):
        x, wavelets = signal(2, 21), PerLevel(["bior2.2", "haar"])
        packet = wavelet_packet(x, wavelets, mode)
        for letter, band in zip("ad", dwt(x, "bior2.2", mode), strict=True):
            for again, leaf in zip("ad", dwt(band, "haar", mode), strict=True):
                assert_same(packet[letter + again], leaf)
        assert_same(inverse_wavelet_packet(packet, wavelets, mode, n=21), x)
        packet = wavelet_packet2(signal(13, 18), wavelets, mode)
        assert_same(inverse_wavelet_packet2(packet, wavelets, mode, shape=(13, 18)), signal(13, 18))


def test_equal_wavelets_are_one():
    x, same = signal(3, 29), PerLevel(["db2"] * 3)
    for ours, theirs in zip(wavedec(x, same), wavedec(x, "db2", level=3), strict=True):
        assert_same(ours, theirs)
    coeffs = wavedec(x, same)
    assert_same(waverec([coeffs[0], None, *coeffs[2:]], same), waverec([coeffs[0], None, *coeffs[2:]], "db2"))
    assert_same(waverec([None, None, *coeffs[2:]], same, n=29), waverec([None, None, *coeffs[2:]], "db2", n=29))
    assert wavedec(x.half(), same)[0].dtype == torch.float16


def test_a_filter_for_each_channel_at_each_level():
    banks = [[random_bank(4, seed) for seed in (3, 4)], [random_bank(6, seed) for seed in (5, 6)]]
    stacked = PerLevel([FilterBank(*map(torch.stack, zip(*level, strict=True))) for level in banks])
    x = signal(2, 20)
    for c in range(2):
        for a, b in zip(wavedec(x, stacked), wavedec(x[c], PerLevel([level[c] for level in banks])), strict=True):
            assert_same(a[c], b)


def test_gradients_of_data_and_filters():
    def there_and_back(x, *taps):
        wavelets = PerLevel([FilterBank(*taps[:4]), FilterBank(*taps[4:])])
        coeffs = wavedec(x, wavelets)
        return coeffs[0], waverec([2 * coeffs[0], *coeffs[1:]], wavelets, n=7)

    leaves = [t.requires_grad_() for t in (signal(7), *random_bank(4), *random_bank(2))]
    assert torch.autograd.gradcheck(there_and_back, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(there_and_back, leaves, fast_mode=True)


@pytest.mark.slow
def test_vmap_and_compile():
    x = signal(3, 26)
    assert_same(torch.vmap(lambda row: wavedec(row, THREE)[1])(x), wavedec(x, THREE)[1])
    assert_same(whole_graph(lambda x: waverec(wavedec(x, THREE), THREE, n=26))(x), x)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_modules_learn_a_bank_for_each_level(dims):
    analysis = nn.DWT(["bior2.2", "db2"], dims=dims, dtype=torch.float64)
    synthesis = nn.IDWT(analysis.filter, dims=dims)
    x = signal(2, 3, 15, 14)[:, 0] if dims == 3 else signal(3, *(15, 14)[:dims])
    assert_same(synthesis(analysis(x)), x, 1e-8)
    for a, b in zip(
        flat(analysis(x).coeffs), flat(nn.DWT(["bior2.2", "db2"], dims=dims, learnable=False)(x).coeffs), strict=True
    ):
        assert_same(a, b)
    (synthesis(analysis(x)).square().sum() + wavelet_regularizer(analysis)).backward()
    assert len([*analysis.parameters()]) == 8
    assert all(p.grad is not None for p in analysis.parameters())
    with torch.no_grad():
        for parameter in analysis.parameters():
            parameter.zero_()
    analysis.reset_parameters()
    assert_same(synthesis(analysis(x)), x, 1e-8)


def test_modules_with_filters_of_others():
    shared = LearnableWaveletFilter("db2")
    module = nn.DWT([shared, "haar", shared])
    assert module.filter[0] is module.filter[2] is shared
    assert len([*module.parameters()]) == 8
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    module.reset_parameters()
    assert shared.dec_lo.abs().sum() == 0  # not its own
    assert module.filter[1].dec_lo.abs().sum() > 1
    assert "haar" in repr(nn.DWT(["db2", "haar"], learnable=False))


@pytest.mark.parametrize("trim", [False, True])
@pytest.mark.parametrize("norm", [False, True])
def test_undecimated(norm, trim):
    """Level j is the single level that starts at j."""
    x, wavelets = signal(2, 21), PerLevel([random_bank(4), "db2"])
    padded = torch.cat([x, *[x[:, -1:]] * 3], dim=-1)
    ((first, fine),) = swt(padded, wavelets.wavelets[0], 1, norm=norm)
    ((second, coarse),) = swt(first, "db2", 1, 1, norm=norm)
    found = swt(x, wavelets, trim_approx=trim, norm=norm)
    expected = [second, coarse, fine] if trim else [second, coarse, first, fine]
    for band, other in zip(found if trim else [band for pair in found for band in pair], expected, strict=True):
        assert_same(band, other)
    exact = PerLevel(["haar", "db2"])
    assert_same(iswt(swt(x, exact, trim_approx=trim, norm=norm), exact, norm, n=21), x)


def test_undecimated_in_several_axes():
    x, wavelets = signal(6, 3, 9), PerLevel([("haar", "db2"), "sym4"])
    coeffs = swtn(x, wavelets, axes=(0, 2), trim_approx=True)
    assert coeffs[0].shape == (8, 3, 12)
    assert_same(iswtn(coeffs, wavelets, (0, 2), shape=(6, 9)), x)
    assert_same(iswt2(swt2(x, wavelets, axes=(0, 2)), wavelets, axes=(0, 2), shape=(6, 9)), x)


def test_undecimated_modules_share_a_wavelet_for_each_level():
    x, forward = signal(5, 39), nn.SWT(["bior2.2", "haar"], dtype=torch.float64)
    back = nn.ISWT(forward.filter)
    assert forward.level == 2
    assert_same(back(forward(x)), x)
    forward(x).coeffs[-1].square().sum().backward()  # the finest detail: the first wavelet alone
    assert forward.filter[0].dec_hi.grad.abs().sum() > 0
    assert forward.filter[1].dec_hi.grad is None


x = torch.ones(4, 6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: wavedec(x, PerLevel([])), ValueError, r"`wavelet` must have a list of wavelets, .* got \[\]"),
        (lambda: wavedec(x, PerLevel("db2")), ValueError, "`wavelet` must have a list of wavelets, .* got 'db2'"),
        (lambda: wavedec(x, THREE, level=2), ValueError, "`level` must be 3, the number of wavelets, or None, got 2"),
        (lambda: wavedec(x, PerLevel([3])), TypeError, "`wavelet` must be a pywt name, .* got int"),
        (lambda: waverec([x, x], THREE), ValueError, "`coeffs` must have 3 levels, one for each wavelet, got 1"),
        (lambda: waverec([x, x], PerLevel(["haar"]), n=9), ValueError, r"`n` must be lengths .* \(9,\) with \(5,\)"),
        (lambda: inverse_wavelet_packet({"a": x}, THREE), ValueError, "`coeffs` must have 3 levels"),
        (lambda: dwt(x, THREE), TypeError, "`wavelet` must be a pywt name, .* got PerLevel"),
        (lambda: swt(x, THREE, 2), ValueError, "`level` must be 3, the number of wavelets, or None, got 2"),
        (lambda: iswt([x, x], THREE), ValueError, "`coeffs` must have 3 levels, one for each wavelet, got 1"),
        (lambda: nn.DWT(["haar", "db2"], level=3), ValueError, "`level` must be 2, the number of wavelets, or None"),
        (lambda: nn.DWT([]), ValueError, "`wavelet` must have a wavelet for each level, got none"),
        (lambda: nn.SWT(["haar", "db2"], level=1), ValueError, "`level` must be 2, the number of wavelets, or None"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
