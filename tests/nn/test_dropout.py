"""Dropout as in the paper: on the entries of the three diagonals, one mask per call."""

import pytest
import torch

from learnable_wavelets import Fastfood, WaveletLinear

from ..banks import assert_same, signal
from ..layers import LAYERS, dense, identity, scramble


@pytest.fixture(params=LAYERS)
def make(request):
    return LAYERS[request.param]


def test_eval_leaves_it_out(make):
    layer = scramble(make(12, 31, dropout=0.9, dtype=torch.float64)).eval()
    assert_same(layer(signal(12)), dense(layer) @ signal(12).numpy() + layer.bias.detach().numpy(), 1e-9)


def test_zero_dropout_is_the_same_in_training(make):
    layer = make(12, 31)
    assert torch.equal(layer.train()(signal(12).float()), layer.eval()(signal(12).float()))


def test_the_batch_shares_the_mask_and_calls_do_not(make):
    layer = make(64, 64, dropout=0.5, dtype=torch.float64)
    y = layer(signal(64).expand(5, 64))
    assert_same(y, y[:1].expand(5, 64), 1e-12)
    assert not torch.allclose(layer(signal(64)), layer(signal(64)))


def test_the_bias_is_spared_and_outputs_drop_with_probability_p(make):
    layer = make(1000, 1000, dropout=0.3)
    y = layer(signal(1000).float())
    share = (y == layer.bias).float().mean()
    assert share == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(("kind", "depth"), [(WaveletLinear, {"level": 0}), (Fastfood, {})])
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_each_diagonal_is_dropped_and_scaled(kind, depth, p):
    """With P = I and every diagonal 1, an output with one open path is a power of 1 / (1 - p)."""
    layer = identity(kind(1, 1, bias=False, dropout=p, dtype=torch.float64, **depth, seed=None))
    seen = torch.stack([layer(torch.ones(1, dtype=torch.float64)) for _ in range(1000)]).flatten()
    alive = (1 - p) ** 3
    assert ((seen - 1 / alive).abs() < 1e-9).logical_or(seen == 0).all()
    assert (seen != 0).double().mean() == pytest.approx(alive, abs=0.06)


@pytest.mark.parametrize("name", ["wavelet", "fastfood", "fastfood fixed"])
def test_the_mean_over_masks_is_the_layer_without(name):
    layer = LAYERS[name](8, 8, dropout=0.1, dtype=torch.float64)
    x = signal(8)
    mean = torch.stack([layer(x) for _ in range(600)]).mean(0)
    assert_same(mean, layer.eval()(x).detach(), 0.15)


def test_dropped_entries_get_no_gradient():
    layer = Fastfood(64, 64, dropout=0.5)
    layer(signal(64).float()).sum().backward()
    for diagonal in (layer.diag_in, layer.diag_mid, layer.diag_out):
        assert 10 < (diagonal.grad == 0).sum() < 54
