"""`Stack`: the product that it stands for, its start, its contract of `nn.Linear`."""

import copy

import pytest
import torch
from torch import nn

from learnable_wavelets import Fastfood, OrthogonalWaveletFilter, WaveletLinear, wavelet_losses
from learnable_wavelets.nn import Stack

from ..banks import assert_same, signal

SHAPES = [(16, 16), (13, 13), (12, 31), (31, 12), (1, 5), (5, 1)]
FORMS = {
    "wavelet": {"depth": 3, "rank": 2},
    "fastfood": {"layer": "fastfood", "depth": 2},
    "one": {"depth": 1},
    "low rank": {"depth": 0, "rank": 3},
}


@pytest.fixture(params=FORMS)
def keywords(request):
    return FORMS[request.param]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_product_plus_the_low_rank_matrix(keywords, shape, bias):
    layer = Stack(*shape, bias, dtype=torch.float64, **keywords)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    matrix = torch.zeros(shape[1], shape[0], dtype=torch.float64)
    if layer.depth:
        matrix += torch.linalg.multi_dot([*[f.to_dense() for f in layer.factors][::-1], torch.eye(shape[0]).double()])
    if layer.rank:
        matrix += layer.up @ layer.down
    assert_same(layer.to_dense(), matrix.detach(), 1e-10)
    x = signal(2, 3, shape[0])
    assert_same(layer(x), x @ matrix.T + (layer.bias if bias else 0), 1e-9)
    assert layer(x[0, 0]).shape == shape[1:]


def test_every_factor_is_square_but_one():
    assert [(f.in_features, f.out_features) for f in Stack(12, 31, depth=3).factors] == [(12, 31), (31, 31), (31, 31)]
    assert [(f.in_features, f.out_features) for f in Stack(31, 12, depth=3).factors] == [(31, 31), (31, 31), (31, 12)]
    assert all(isinstance(f, Fastfood) for f in Stack(8, 8, layer="fastfood").factors)
    options = {"wavelet": "db3", "level": 2, "mode": "zero", "dropout": 0.5, "seed": 3, "lr_multiplier": 2}
    (factor,) = Stack(8, 8, depth=1, **options).factors
    assert isinstance(factor, WaveletLinear)
    found = (len(factor.filter), factor.level, factor.mode, factor.dropout, factor.seed, factor.lr_multiplier)
    assert found == (6, 2, "zero", 0.5, 3, 2)


def test_filters_are_own_or_shared():
    assert len(wavelet_losses(Stack(16, 16, depth=3))) == 3
    assert len(wavelet_losses(Stack(16, 16, depth=3, wavelet=OrthogonalWaveletFilter("db2")))) == 1


def test_the_start_is_orthogonal_and_the_residual_zero():
    layer = Stack(32, 32, depth=4, rank=5, dtype=torch.float64)
    assert_same(layer.to_dense() @ layer.to_dense().T, torch.eye(32).double(), 1e-9)
    layer(signal(4, 32)).square().sum().backward()
    assert layer.up.grad.abs().max() > 0


@pytest.mark.parametrize("shape", [(64, 64), (64, 200), (200, 64)])
def test_outputs_start_with_variance_one(keywords, shape):
    variances = [Stack(*shape, False, **keywords)(torch.randn(500, shape[0])).var().item() for _ in range(8)]
    assert 0.6 < sum(variances) / 8 < 1.5


def test_reset_parameters_starts_again(keywords):
    layers = scramble_all(Stack(16, 16, **keywords)), Stack(16, 16, **keywords)
    for layer in layers:
        torch.manual_seed(1)
        layer.reset_parameters()
    assert all(torch.equal(a, b) for a, b in zip(*(layer.parameters() for layer in layers), strict=True))


def scramble_all(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def test_state_is_the_parameters_and_loads_into_another(keywords):
    layer, other = scramble_all(Stack(12, 31, **keywords)), Stack(12, 31, **keywords)
    assert [*layer.state_dict()] == [name for name, _ in layer.named_parameters()]
    assert not list(layer.buffers())
    x = torch.randn(3, 12)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), layer(x))
    assert torch.equal(copy.deepcopy(layer)(x), layer(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_dtypes_and_autocast(keywords, dtype):
    layer = Stack(16, 16, dtype=dtype, **keywords)
    assert layer(torch.randn(3, 16, dtype=dtype)).dtype == layer.to_dense().dtype == dtype
    layer = Stack(16, 16, **keywords)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(3, 16)).dtype == torch.bfloat16
    meta = Stack(16, 16, device="meta", **keywords)
    assert all(parameter.is_meta for parameter in meta.parameters())
    filled = meta.to_empty(device="cpu")
    filled.reset_parameters()
    assert filled(torch.randn(3, 16)).isfinite().all()


def test_it_trains(keywords):
    torch.manual_seed(0)
    target, layer = nn.Linear(16, 16), Stack(16, 16, **keywords)
    optimizer = torch.optim.Adam(layer.parameters(), 0.01)
    losses = []
    for _ in range(60):
        x = torch.randn(64, 16)
        loss = (layer(x) - target(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"layer": "dense"}, ValueError, "`layer` must be one of wavelet, fastfood"),
        ({"depth": -1}, ValueError, "`depth` must be at least 0, got -1"),
        ({"rank": -1}, ValueError, "`rank` must be at least 0, got -1"),
        ({"depth": 0}, ValueError, "`rank` must be at least 1 where `depth` is 0"),
        ({"rank": 1.5}, TypeError, "`rank` must be an int, got float"),
        ({"wavelet": "none"}, ValueError, "wavelet"),
        ({"bias": "haar"}, TypeError, "`bias` must be a bool"),
    ],
)
def test_bad_arguments(keywords, error, message):
    with pytest.raises(error, match=message):
        Stack(8, 8, **keywords)


def test_bad_inputs():
    for keywords in FORMS.values():
        with pytest.raises(ValueError, match="`input` must have a last dimension of 8"):
            Stack(8, 8, **keywords)(torch.randn(3, 9))
        with pytest.raises(TypeError, match="`input` must have the layer's dtype"):
            Stack(8, 8, **keywords)(torch.randn(3, 8).double())
