"""All transforms at once: under vmap, in one compiled graph, and with second derivatives, for data and filters."""

import inspect

import pytest
import pywt
import torch

from learnable_wavelets import FilterBank
from learnable_wavelets import functional as F

from ..banks import assert_same, random_bank, signal, whole_graph
from .test_channels import flat

BANK = random_bank(4)


def transforms(x, bank):
    """The results of every function with a tensor for an argument, and of every inverse, of a 9 x 6 image."""
    row, per_level = x[0], F.PerLevel([bank, bank.pad(6)])
    results = {
        "dwt": F.dwt(x, bank, "symmetric", 0), "wavedec": F.wavedec(x, bank, "reflect", 1),
        "dwt2": F.dwt2(x, bank, "smooth"), "wavedec2": F.wavedec2(x, bank, "periodization", 1),
        "dwtn": F.dwtn(x, bank, "periodic"), "wavedecn": F.wavedecn(x, bank, "zero", 1),
        "swt": F.swt(row, bank, 2), "swt2": F.swt2(x, bank, 1, trim_approx=True), "swtn": F.swtn(x, bank, 1),
        "wavelet_packet": F.wavelet_packet(row, bank, level=1), "wavelet_packet2": F.wavelet_packet2(x, bank, level=1),
        "per_level": F.wavedec2(x, per_level),
    }  # fmt: skip
    shape = {"shape": (9, 6)}
    inverses = {
        "idwt": F.idwt(*results["dwt"], bank, axis=0, n=9), "waverec": F.waverec(results["wavedec"], bank, n=6),
        "idwt2": F.idwt2(results["dwt2"], bank, **shape),
        "waverec2": F.waverec2(results["wavedec2"], bank, "periodization", **shape),
        "idwtn": F.idwtn(results["dwtn"], bank, **shape), "waverecn": F.waverecn(results["wavedecn"], bank, **shape),
        "iswt": F.iswt(results["swt"], bank, n=6), "iswt2": F.iswt2(results["swt2"], bank, **shape),
        "iswtn": F.iswtn(results["swtn"], bank, **shape),
        "inverse_wavelet_packet": F.inverse_wavelet_packet(results["wavelet_packet"], bank, n=6),
        "inverse_wavelet_packet2": F.inverse_wavelet_packet2(results["wavelet_packet2"], bank, **shape),
        "per_level": F.waverec2(results["per_level"], per_level, **shape),
        "pack": F.unpack(*F.pack(results["wavedec2"])),
    }  # fmt: skip
    return [flat([*part.values()]) for part in (results, inverses)]


def all_of(x, *taps):
    return tuple(leaf for part in transforms(x, FilterBank(*taps)) for leaf in part)


def test_none_is_left_out():
    code = transforms.__code__
    named = {name for name in F.__all__ if name.islower() and "loss" not in name} - {"adjoint", "fwht"}
    assert named <= set(code.co_names)


@pytest.mark.parametrize("name", sorted(set(F.__all__) & set(dir(pywt))))
def test_arguments_are_pywts(name):
    """In name, order and default; `level` has a default everywhere, and what PyWavelets has not is by keyword only."""
    theirs = inspect.signature(getattr(pywt, name)).parameters.values()
    ours = inspect.signature(getattr(F, name)).parameters.values()
    positional = [p for p in ours if p.kind is not p.KEYWORD_ONLY]
    assert [p.name for p in positional] == [p.name for p in theirs]
    assert all(a.default in (b.default, None) for a, b in zip(positional, theirs, strict=True))


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_vmap_over_data_and_filters():
    x, others = signal(3, 9, 6), [random_bank(4, seed) for seed in (3, 4, 5)]
    banks = FilterBank(*map(torch.stack, zip(*others, strict=True)))
    rows = [all_of(image, *bank) for image, bank in zip(x, others, strict=True)]
    for ours, *alone in zip(torch.vmap(all_of)(x, *banks), *rows, strict=True):
        assert_same(ours, torch.stack(alone))


@pytest.mark.slow
def test_one_compiled_graph_and_its_gradients():
    leaves = [t.clone().requires_grad_() for t in (signal(9, 6), *BANK)]
    expected, found = all_of(*leaves), whole_graph(all_of)(*leaves)
    for a, b in zip(found, expected, strict=True):
        assert_same(a, b)
    gradients = [torch.autograd.grad(sum(y.square().sum() for y in ys), leaves) for ys in (found, expected)]
    for a, b in zip(*gradients, strict=True):
        assert_same(a, b)


@pytest.mark.slow
def test_second_derivatives():
    def weighted(*leaves):
        outputs = torch.cat([y.flatten() for y in all_of(*leaves)])
        return (outputs.square() * torch.arange(len(outputs)).sin()).sum()

    leaves = [t.clone().requires_grad_() for t in (signal(9, 6), *BANK)]
    assert torch.autograd.gradcheck(weighted, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(weighted, leaves, fast_mode=True)
