"""Contracts 5 and 6: what a layer is, is in its state; nothing is shared, nothing comes from elsewhere."""

import copy
import pickle
import random

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from learnable_wavelets import LearnableWaveletFilter, OrthogonalWaveletFilter, WaveletLinear

from ..banks import random_bank, signal
from ..layers import LAYERS, SHAPES, scramble


@pytest.fixture(params=LAYERS)
def make(request):
    return LAYERS[request.param]


def through_torch(layer, other, path):
    torch.save(layer.state_dict(), path)
    other.load_state_dict(torch.load(path, weights_only=True))
    return other


def through_safetensors(layer, other, path):
    safetensors.torch.save_file(layer.state_dict(), path)
    other.load_state_dict(safetensors.torch.load_file(path))
    return other


def through_safetensors_model(layer, other, path):
    safetensors.torch.save_model(layer, path)
    safetensors.torch.load_model(other, path)
    return other


def through_assign(layer, other, path):
    other.load_state_dict(layer.state_dict(), assign=True)
    return other


def through_torch_pickle(layer, other, path):
    torch.save(layer, path)
    return torch.load(path, weights_only=False)


def through_pickle(layer, other, path):
    return pickle.loads(pickle.dumps(layer))


def through_deepcopy(layer, other, path):
    return copy.deepcopy(layer)


WAYS = [
    through_torch, through_safetensors, through_safetensors_model, through_assign, through_torch_pickle,
    through_pickle, through_deepcopy,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES[:4])
def test_a_layer_comes_back(make, way, shape, tmp_path):
    layer = scramble(make(*shape))
    torch.manual_seed(99)
    other = make(*shape)
    x = signal(3, shape[0]).float()
    assert not torch.allclose(other(x), layer(x))
    other = way(layer, other, tmp_path / "file")
    assert torch.equal(other(x), layer(x))
    assert repr(other) == repr(layer)


def test_meta_layer_takes_a_checkpoint_by_assignment(make):
    layer = scramble(make(12, 31))
    other = make(12, 31, device="meta")
    other.load_state_dict(layer.state_dict(), assign=True)
    assert torch.equal(other(signal(12).float()), layer(signal(12).float()))


def test_meta_layer_takes_a_meta_state(make):
    layer = make(12, 31, device="meta")
    layer.load_state_dict(make(12, 31, device="meta").state_dict(), assign=True)
    assert all(t.is_meta for t in layer.state_dict().values())


def test_the_state_is_the_parameters_and_nothing_big(make):
    layer = make(64, 64)
    state = layer.state_dict()
    assert list(layer.buffers()) == []
    assert list(state) == [name for name, _ in layer.named_parameters()]
    assert all(t.numel() <= 150 for t in state.values())


def test_copies_are_independent(make):
    layer = make(12, 31)
    other = copy.deepcopy(layer)
    scramble(other)
    assert not torch.allclose(layer(signal(12).float()), other(signal(12).float()))
    pointers = {t.data_ptr() for t in layer.state_dict().values()}
    assert pointers.isdisjoint(t.data_ptr() for t in other.state_dict().values())


def test_torchs_seed_alone_decides(make):
    def draw(seed, other):
        torch.manual_seed(seed)
        np.random.seed(other)  # noqa: NPY002
        random.seed(other)
        layer = make(64, 100)
        for start in ("ones", "signs", "gaussian"):
            layer.reset_parameters(start)
        return {k: v.clone() for k, v in layer.state_dict().items()}

    first, again, different = draw(1, 2), draw(1, 3), draw(4, 2)
    assert all(torch.equal(first[k], again[k]) for k in first)
    for name in ("diag_in", "diag_mid", "diag_out", "bias"):
        assert not torch.equal(first[name], different[name])


def test_other_generators_are_left_alone(make):
    before = np.random.get_state()[1].tolist(), np.random.get_state()[2], random.getstate()  # noqa: NPY002
    layer = make(16, 40, dropout=0.5)
    layer.reset_parameters("gaussian")
    layer(signal(16).float())
    layer.to_dense()
    after = np.random.get_state()[1].tolist(), np.random.get_state()[2], random.getstate()  # noqa: NPY002
    assert before == after


def test_layers_and_blocks_differ(make):
    a, b = make(64, 200), make(64, 200)
    rows = a.permutation
    assert torch.equal(rows, b.permutation)  # P is the same, the matrices are not
    assert not torch.allclose(a.to_dense(), b.to_dense(), atol=0.1)
    assert all(not torch.equal(rows[0], row) for row in rows[1:])
    assert torch.equal(rows.sort(-1).values, torch.arange(rows.shape[1]).expand(rows.shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_no_two_tensors_share_storage(make, shape):
    layer = make(*shape)
    tensors = [*layer.parameters(), *layer.buffers()]
    assert len({t.untyped_storage().data_ptr() for t in tensors}) == len(tensors)
    with torch.no_grad():  # and none is an expanded view that moves as one
        for tensor in tensors:
            assert tensor.is_contiguous()


def test_parameters_move_one_by_one():
    """The published layer's S, G and B are one buffer: after a step they are equal."""
    layer = LAYERS["fastfood"](16, 16)
    layer(signal(8, 16).float()).square().sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    assert not torch.allclose(layer.diag_in.flatten(), layer.diag_out)
    assert not torch.allclose(layer.diag_in.flatten(), layer.diag_mid.flatten())


def test_a_fixed_fastfood_trains_its_bias_alone():
    layer = LAYERS["fastfood fixed"](16, 40)
    trained = {name: p.requires_grad for name, p in layer.named_parameters()}
    assert trained == {"diag_in": False, "diag_mid": False, "diag_out": False, "bias": True}


@pytest.mark.parametrize("given", [LearnableWaveletFilter("bior2.2"), OrthogonalWaveletFilter("db2")], ids=repr)
def test_a_filter_module_is_used_as_it_is(given):
    model = nn.Sequential(WaveletLinear(16, 16, wavelet=given), WaveletLinear(16, 16, wavelet=given))
    assert model[0].filter is model[1].filter is given
    assert sum(p.numel() for p in model.parameters()) == 2 * 64 + sum(p.numel() for p in given.parameters())
    assert copy.deepcopy(model)[0].filter is not given
    twin = copy.deepcopy(model)
    assert twin[0].filter is twin[1].filter


def test_a_bank_is_copied_into_the_layer():
    bank = random_bank().to(dtype=torch.float32)
    layer = WaveletLinear(16, 16, wavelet=bank)
    assert isinstance(layer.filter, LearnableWaveletFilter)
    with torch.no_grad():
        layer.filter.dec_lo.zero_()
    assert bank.dec_lo.abs().min() > 0
