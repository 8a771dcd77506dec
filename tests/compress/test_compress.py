"""`compress_` and `merge_`: the function before and after, modules, flags and optimisers."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import learnable_wavelets as lw
from learnable_wavelets.compress._pointwise import Pointwise

from .models import CONFIGS, Conv1D, Shared, Tied, perceptron

SMALL = CONFIGS["wavelet"]


def scramble_(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("name", CONFIGS)
def test_convert_train_merge(name):
    model = perceptron()
    old = model[0].bias
    report = lw.compress_(model, CONFIGS[name])
    assert {"0", "2"} <= {*report.replaced}
    assert model[0].bias is old
    assert model[2].bias is None
    x = torch.randn(8, 64)
    (model(x).square().mean() + lw.wavelet_regularizer(model)).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    scramble_(model).eval()
    y = model(x)
    assert set(report.replaced) == {*lw.merge_(model)}
    assert all(type(module) in (nn.Sequential, nn.Linear, nn.ReLU) for module in model.modules())
    assert torch.allclose(model(x), y, atol=1e-5 * y.abs().max().item())
    assert (model[0].bias, model[2].bias) == (old, None)
    assert repr(model.train()) == repr(perceptron())


def test_the_layers_are_those_of_the_configuration():
    model = perceptron()
    lw.compress_(
        model, lw.Compression(wavelet="db2", taps=8, level=2, mode="zero", dropout=0.5, seed=3, lr_multiplier=2)
    )
    layer = model[0]
    found = (len(layer.filter), layer.level, layer.mode, layer.dropout, layer.seed, layer.lr_multiplier)
    assert found == (8, 2, "zero", 0.5, 3, 2)
    assert model[0].filter is not model[2].filter
    scramble_(model)[0].reset_parameters()
    assert layer.filter.regularizer() < 1e-10
    model = perceptron()
    lw.compress_(model, CONFIGS["shared stack"])
    assert len({id(factor.filter) for place in (0, 2) for factor in model[place].factors}) == 1
    model = perceptron()
    lw.compress_(model, CONFIGS["stack"])
    assert len({id(factor.filter) for place in (0, 2) for factor in model[place].factors}) == 4


@pytest.mark.parametrize("name", ["wavelet", "stack"])
@pytest.mark.parametrize("trains", [True, False])
def test_merge_of_changed_parameters(name, trains):
    model, x = perceptron(), torch.randn(8, 64)
    lw.compress_(model, CONFIGS[name])
    model.requires_grad_(trains)
    prune.random_unstructured(model[0], "bias", 0.5)
    nn.utils.parametrize.register_parametrization(model[4], "bias", nn.Tanh())
    inner = model[2] if name == "wavelet" else model[2].factors[0]
    nn.utils.parametrize.register_parametrization(inner, "diag_mid", nn.Tanh())
    y = model(x)
    lw.merge_(model)
    assert torch.allclose(model(x), y, atol=1e-5)
    assert (model[0].bias == 0).sum() == 32
    assert all(p.requires_grad is trains for p in model.parameters())


def test_a_module_in_two_places_stays_one():
    model = Shared()
    report = lw.compress_(model, SMALL)
    assert report.replaced == ("first", "second.1")
    assert model.first is model.second[0]
    assert isinstance(model.first, lw.WaveletLinear)
    assert lw.merge_(model) == ("first", "second.1")
    assert model.first is model.second[0]
    assert type(model.first) is nn.Linear


def test_tied_weights_stay():
    model = Tied()
    assert lw.compress_(model, SMALL).replaced == ("body",)
    assert model.head.weight is model.embed.weight


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d])
@pytest.mark.parametrize("bias", [True, False])
def test_pointwise_convolutions(kind, bias):
    model = nn.Sequential(kind(64, 48, 1, bias=bias))
    lw.compress_(model, SMALL)
    assert isinstance(model[0], Pointwise)
    size = (5, 4)[: 1 if kind is nn.Conv1d else 2]
    x = torch.randn(3, 64, *size)
    y = model(x)
    expected = torch.einsum("oc,nc...->no...", model[0].layer.to_dense(), x)
    if bias:
        expected = expected + model[0].layer.bias.view(-1, *[1] * len(size))
    assert torch.allclose(y, expected, atol=1e-5)
    assert y.is_contiguous()
    assert torch.allclose(model(x[0]), y[0], atol=1e-5)
    with pytest.raises(ValueError, match="`input` must be"):
        model(x[0, 0])
    lw.merge_(model)
    assert type(model[0]) is kind
    assert torch.allclose(model(x), y, atol=1e-5)


def test_conv1d_of_transformers():
    model = nn.Sequential(Conv1D(48, 64))
    lw.compress_(model, SMALL)
    assert (model[0].in_features, model[0].out_features) == (64, 48)
    assert model(torch.randn(2, 3, 64)).shape == (2, 3, 48)
    y = model(x := torch.randn(5, 64))
    lw.merge_(model)
    assert type(model[0]) is Conv1D
    assert model[0].weight.shape == (64, 48)
    assert torch.allclose(model(x), y, atol=1e-5)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_torch_transformers_in_training_and_on_their_fast_path(batch_first, mask):
    layer = nn.TransformerEncoderLayer(64, 2, 128, dropout=0.0, batch_first=batch_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=batch_first)
    dense = copy.deepcopy(model)
    report = lw.compress_(model, SMALL)
    assert {name.rpartition(".")[2] for name in report.replaced} == {"linear1", "linear2"}
    x = torch.randn(4, 4, 64)
    padding = torch.zeros(4, 4, dtype=torch.bool)
    padding[:, 3:] = mask
    y = model(x, src_key_padding_mask=padding)
    with torch.no_grad():
        assert torch.allclose(model.eval()(x, src_key_padding_mask=padding), y, atol=1e-5)
        lw.merge_(model)
        kept = ~padding if batch_first else (~padding).T
        assert torch.allclose(model(x, src_key_padding_mask=padding)[kept], y[kept], atol=1e-4)
    for ours, theirs in zip(model.modules(), dense.modules(), strict=True):
        assert vars(ours).keys() == vars(theirs).keys()
        for name in ("activation_relu_or_gelu", "use_nested_tensor"):
            assert getattr(ours, name, None) == getattr(theirs, name, None)


@pytest.mark.parametrize("name", CONFIGS)
def test_frozen_layers_stay_frozen(name):
    model = perceptron()
    model[0].weight.requires_grad_(False)
    model[2].requires_grad_(False)
    lw.compress_(model, CONFIGS[name])
    assert [n for n, p in model[0].named_parameters() if p.requires_grad] == ["bias"]
    assert not any(p.requires_grad for p in model[2].parameters())
    lw.merge_(model)
    assert (model[0].weight.requires_grad, model[0].bias.requires_grad) == (False, True)


def test_mode_dtype_and_hooks_of_the_rest():
    model = perceptron().to(torch.float64).eval()
    model[2].train()
    lw.compress_(model, SMALL)
    assert [module.training for module in model] == [False, False, True, False, False]
    assert not model[0].filter.training
    assert all(parameter.dtype == torch.float64 for parameter in model.parameters())
    lw.merge_(model)
    assert [module.training for module in model] == [False, False, True, False, False]
    assert model[0].weight.dtype == torch.float64


def test_meta_models():
    model = perceptron().to("meta")
    lw.compress_(model, SMALL)
    assert all(parameter.is_meta for parameter in model.parameters())
    lw.merge_(model)
    assert model[0].weight.is_meta


def test_merge_chooses():
    model = perceptron()
    lw.compress_(model, SMALL)
    assert lw.merge_(model, lambda module, name: isinstance(module, lw.WaveletLinear) and name == "2") == ("2",)
    assert isinstance(model[0], lw.WaveletLinear)


def test_merge_inside_a_recurrent_layer():
    model = nn.Sequential(lw.nn.GRU(8, 16))
    x = torch.randn(3, 2, 8)
    y = model(x)[0]
    assert len(lw.merge_(model)) == 3
    assert torch.allclose(model(x)[0], y, atol=1e-5)
