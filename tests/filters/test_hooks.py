"""Tools that work by hooks before and after `forward`, or replace parameters, work on a filter."""

import copy
import warnings
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from learnable_wavelets import (
    BiorthogonalWaveletFilter,
    FilterBank,
    LearnableWaveletFilter,
    OrthogonalWaveletFilter,
    plotting,
    wavelet_losses,
    wavelet_regularizer,
)
from learnable_wavelets.functional import alias_cancellation_loss, dwt, perfect_reconstruction_loss, wavedec

from ..banks import assert_same, random_bank, signal

READERS = {
    "functional": lambda filter: dwt(signal(16), filter),
    "from_wavelet": FilterBank.from_wavelet,
    "loss": alias_cancellation_loss,
    "losses": lambda filter: filter.losses(),
    "regularizer": lambda filter: filter.regularizer(),
    "model": wavelet_regularizer,
    "model losses": wavelet_losses,
    "to_pywt": lambda filter: filter.to_pywt(),
    "plotting": plotting.scaling_and_wavelet,
    "property": lambda filter: filter.filter_bank,
    "start": LearnableWaveletFilter,
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_calls_the_module_once(reader):
    filter, calls = LearnableWaveletFilter("db2", dtype=torch.float64), []
    filter.register_forward_pre_hook(lambda *_: calls.append("before"))
    filter.register_forward_hook(lambda *_: calls.append("after"))
    READERS[reader](filter)
    assert calls == ["before", "after"]


def test_a_hook_may_replace_the_bank():
    filter = LearnableWaveletFilter("db2", dtype=torch.float64)
    filter.register_forward_hook(lambda module, args, bank: FilterBank(*(2 * f for f in bank)))
    doubled = FilterBank(*(2 * f for f in FilterBank.from_wavelet("db2", dtype=torch.float64)))
    for a, b in zip(wavedec(signal(40), filter), wavedec(signal(40), doubled), strict=True):
        assert_same(a, b)
    assert filter.losses()["perfect_reconstruction"].item() == pytest.approx(36)  # 4 * 2 at one lag instead of 2


def old_weight_norm(filter):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.weight_norm(filter, "dec_lo", dim=None)


TOOLS = {
    "prune": lambda filter: prune.l1_unstructured(filter, "dec_lo", 1),
    "old weight norm": old_weight_norm,
    "weight norm": lambda filter: parametrizations.weight_norm(filter, "dec_lo", dim=None),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_training_with_a_replaced_parameter(tool):
    """Each step sees the parameters of the step before; the right values are those of plain functions."""
    filter = LearnableWaveletFilter(random_bank(4), dtype=torch.float64)
    TOOLS[tool](filter)
    optimizer = torch.optim.SGD(filter.parameters(), 1e-3)
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        (sum(c.square().sum() for c in wavedec(signal(20), filter, level=2)) + wavelet_regularizer(filter)).backward()
        optimizer.step()
        seen.append(filter.filter_bank.detach())
    assert all(float((a.dec_lo - b.dec_lo).abs().max()) > 1e-6 for a, b in pairwise(seen))
    if tool == "prune":
        assert (seen[-1].dec_lo == 0).sum() == 1
    assert filter.losses()["perfect_reconstruction"].item() == perfect_reconstruction_loss(filter.filter_bank).item()


def test_a_pruned_state_in_another_filter():
    first, second = LearnableWaveletFilter("db2"), LearnableWaveletFilter("db2")
    for filter in (first, second):
        prune.identity(filter, "dec_lo")
    with torch.no_grad():
        first.dec_lo_orig.mul_(1.5)
    second.load_state_dict(first.state_dict())
    assert_same(second.filter_bank.dec_lo, 1.5 * FilterBank.from_wavelet("db2").dec_lo, 1e-6)


@pytest.mark.parametrize("kind", [LearnableWaveletFilter, OrthogonalWaveletFilter, BiorthogonalWaveletFilter])
def test_offload(kind):
    """Parameters that a hook brings in before `forward` and takes away after it, as accelerate's offload does."""
    filter = kind("db2", dtype=torch.float64)
    expected, state = filter.filter_bank, copy.deepcopy(filter.state_dict())

    def swap(values):
        for name, value in values.items():
            *path, last = name.split(".")
            setattr(filter.get_submodule(".".join(path)), last, nn.Parameter(value))

    filter.register_forward_pre_hook(lambda *_: swap(state))
    filter.register_forward_hook(lambda *_: swap({name: value.to("meta") for name, value in state.items()}))
    swap({name: value.to("meta") for name, value in state.items()})
    for ours, theirs in zip(wavedec(signal(20), filter), wavedec(signal(20), expected), strict=True):
        assert_same(ours, theirs)
    assert all(p.is_meta for p in filter.parameters())


@pytest.mark.parametrize("kind", [LearnableWaveletFilter, OrthogonalWaveletFilter, BiorthogonalWaveletFilter])
def test_functional_call_and_vmap(kind):
    """Plain tensors in the parameters' places, one filter for each entry of a batch."""
    filter = kind("db2", dtype=torch.float64)
    batch = {name: torch.stack([p.detach(), 1.1 * p.detach()]) for name, p in filter.named_parameters()}
    mapped = torch.vmap(lambda values: tuple(torch.func.functional_call(filter, values, ())))(batch)
    for index in range(2):
        alone = torch.func.functional_call(filter, {name: values[index] for name, values in batch.items()}, ())
        for a, b in zip(mapped, alone, strict=True):
            assert_same(a[index], b)
