"""A bank of shape `(channels, taps)` transforms each channel with its own filters."""

import pytest
import torch

from learnable_wavelets import FilterBank
from learnable_wavelets.functional import (
    adjoint,
    dwt,
    dwtn,
    idwt,
    inverse_wavelet_packet,
    iswt,
    iswt2,
    swt,
    swt2,
    wavedec,
    wavedec2,
    wavelet_packet,
    waverec,
    waverec2,
)

from ..banks import MODES, assert_same, random_bank, signal, whole_graph
from .test_nd import tree

BANKS = [random_bank(4, seed) for seed in (3, 4, 5)]
BANK = FilterBank(*map(torch.stack, zip(*BANKS, strict=True)))


def flat(coeffs):
    if isinstance(coeffs, dict):
        coeffs = [*coeffs.values()]
    return [leaf for c in coeffs for leaf in flat(c)] if isinstance(coeffs, (list, tuple)) else [coeffs]


def check(function, x, channel):
    """The result is that of each channel alone, with its bank."""
    whole = flat(function(x, BANK))
    for c, bank in enumerate(BANKS):
        for a, b in zip(whole, flat(function(x.narrow(channel, c, 1), bank)), strict=True):
            assert_same(a.narrow(channel, c, 1), b)


@pytest.mark.parametrize("mode", MODES)
class TestEveryMode:
    def test_one_dimension(self, mode):
        check(lambda x, bank: dwt(x, bank, mode), signal(2, 3, 9), 1)
        check(lambda x, bank: dwt(x, bank, mode, axis=1), signal(2, 9, 3), 2)
        check(lambda x, bank: wavedec(x, bank, mode, 2), signal(3, 13), 0)
        check(lambda x, bank: idwt(x, x.flip(-1), bank, mode, n=8 if mode != "periodization" else 10), signal(3, 5), 0)
        k = 9 if mode == "periodization" else 7
        check(lambda x, bank: waverec([x, x.flip(-1), x.repeat(1, 2)[:, :k]], bank, mode), signal(3, 5), 0)

    def test_two_dimensions(self, mode):
        check(lambda x, bank: wavedec2(x, bank, mode, 1), signal(2, 3, 9, 8), 1)
        check(lambda x, bank: dwtn(x, bank, mode, axes=(0, 2)), signal(9, 3, 8), 1)
        check(lambda x, bank: waverec2([x, (x, None, x)], bank, mode), signal(3, 5, 4), 0)


def test_stationary_transforms_and_packets():
    check(lambda x, bank: swt(x, bank, 2), signal(2, 3, 9), 1)
    check(lambda x, bank: swt2(x, bank, 1, axes=(0, 1)), signal(5, 6, 3), 2)
    check(lambda x, bank: iswt([(x, x.flip(-1))], bank), signal(3, 8), 0)
    check(lambda x, bank: iswt2([x, (x, x, x)], bank), signal(3, 4, 8), 0)
    check(lambda x, bank: wavelet_packet(x, bank, level=2), signal(3, 16), 0)
    check(lambda x, bank: inverse_wavelet_packet({"a": x, "d": x}, bank, n=8), signal(3, 5), 0)


def test_gradients():
    def loss(x, *taps):
        return tuple(flat(wavedec2(x, FilterBank(*taps), "symmetric", 1)))

    leaves = [t.clone().requires_grad_() for t in (signal(3, 7, 6), *BANK)]
    assert torch.autograd.gradcheck(loss, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(loss, leaves, fast_mode=True)


@pytest.mark.slow
def test_adjoint_vmap_compile_and_half():
    x = signal(3, 9)
    cA, cD = dwt(x, BANK)
    assert_same((x * adjoint(lambda x: dwt(x, BANK), x)((cA, cD))).sum(), cA.square().sum() + cD.square().sum())
    assert_same(torch.vmap(lambda x: dwt(x, BANK)[0])(signal(2, 3, 9)), dwt(signal(2, 3, 9), BANK)[0])
    assert_same(whole_graph(lambda x: dwt(x, BANK)[1])(x), cD)
    assert dwt(x.half(), BANK)[0].dtype == torch.float16
    assert tree(dwt(x, BANK))[0].shape == (3, 6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dwt(signal(9), BANK), r"`data` must have 3 channels, one for each filter, .* got shape \(9,\)"),
        (lambda: dwtn(signal(3, 9), BANK), r"`data` must have 3 channels, one for each filter, .* got shape \(3, 9\)"),
        (lambda: dwt(signal(3, 2, 9), BANK), r"`data` must have 3 channels, .* got shape \(3, 2, 9\)"),
        (lambda: waverec([signal(2, 5)] * 2, BANK), r"`coeffs` must have 3 channels, .* got shape \(2, 5\)"),
        (lambda: dwt(signal(3, 9), FilterBank(*[torch.zeros(0, 2)] * 4)), "`wavelet` must have four 1-D filters"),
        (lambda: FilterBank.from_wavelet(BANK), "`wavelet` must have four 1-D filters"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
