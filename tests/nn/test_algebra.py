"""Contracts 1, 2, 3: identity, rank, and the dense matrix that each layer stands for."""

from math import ceil, log2

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learnable_wavelets import Fastfood, WaveletLinear

from ..banks import EXACT, MODES, ORTHOGONAL, assert_same, signal
from ..layers import LAYERS, dense, identity, scramble
from ..strategies import exact_wavelets, modes, orthogonal_wavelets, rectangles, seeds, short_wavelets, sizes


def make(rectangle, wavelet="bior2.2", mode="periodization", **keywords):
    n_in, n_out, level = rectangle
    return WaveletLinear(n_in, n_out, wavelet=wavelet, level=level, mode=mode, dtype=torch.float64, **keywords)


@pytest.mark.parametrize("name", EXACT)
def test_identity_for_every_wavelet(name):
    for mode in MODES:
        layer = identity(WaveletLinear(37, 37, bias=False, wavelet=name, level=2, mode=mode, dtype=torch.float64))
        assert_same(layer(signal(2, 37)), signal(2, 37), 1e-8)


@given(exact_wavelets, modes, st.data())
def test_identity_for_every_width_and_level(name, mode, data):
    n = data.draw(sizes)
    level = data.draw(st.none() | st.integers(0, min(3 if mode != "periodization" else 6, ceil(log2(n)))))
    layer = identity(WaveletLinear(n, n, bias=False, wavelet=name, level=level, mode=mode, dtype=torch.float64))
    assert_same(layer(signal(2, n)), signal(2, n), 1e-7)


@given(sizes)
def test_identity_of_fastfood(n):
    layer = identity(Fastfood(n, n, bias=False, dtype=torch.float64))
    assert_same(layer(signal(2, n)), signal(2, n))


@pytest.mark.parametrize("name", ORTHOGONAL)
@pytest.mark.parametrize("n", [32, 48])
def test_an_orthogonal_bank_starts_as_an_orthogonal_matrix(name, n):
    layer = WaveletLinear(n, n, wavelet=name, dtype=torch.float64)
    values = np.linalg.svd(layer.to_dense().detach().numpy(), compute_uv=False)
    np.testing.assert_allclose(values, 1, atol=1e-9)
    assert not torch.equal(layer.permutation[0], torch.arange(n))


@given(orthogonal_wavelets, st.integers(0, 4), st.integers(1, 6), seeds)
def test_singular_values_are_one_at_every_level(name, level, multiple, seed):
    torch.manual_seed(seed)
    n = multiple * 2**level
    layer = WaveletLinear(n, n, wavelet=name, level=level, dtype=torch.float64)
    layer.diag_out.data.fill_(1)
    values = np.linalg.svd(layer.to_dense().detach().numpy(), compute_uv=False)
    np.testing.assert_allclose(values, 1, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 64])
def test_fastfood_starts_as_an_orthogonal_matrix(n):
    values = np.linalg.svd(Fastfood(n, n, dtype=torch.float64).to_dense().detach().numpy(), compute_uv=False)
    np.testing.assert_allclose(values, 1, atol=1e-12)


def check_against_dense(layer):
    scramble(layer)
    x = signal(3, layer.in_features)
    matrix = dense(layer)
    assert_same(layer.to_dense(), matrix, 1e-9)
    bias = 0 if layer.bias is None else layer.bias.detach().numpy()
    assert_same(layer(x), x.numpy() @ matrix.T + bias, 1e-9)


@settings(max_examples=200)
@given(rectangles(), short_wavelets, modes, st.booleans(), seeds)
def test_wavelet_layer_equals_its_formula(rectangle, wavelet, mode, bias, seed):
    torch.manual_seed(seed)
    check_against_dense(make(rectangle, wavelet, mode, bias=bias))


@given(sizes, sizes, st.booleans(), st.booleans(), seeds)
def test_fastfood_equals_its_formula(n_in, n_out, bias, adaptive, seed):
    torch.manual_seed(seed)
    check_against_dense(Fastfood(n_in, n_out, bias=bias, adaptive=adaptive, dtype=torch.float64))


@pytest.mark.parametrize("name", LAYERS)
def test_to_dense_is_the_layer_in_training_and_keeps_the_graph(name):
    layer = scramble(LAYERS[name](12, 31, dropout=0.5, dtype=torch.float64))
    x = signal(12)
    assert_same(layer.eval()(x), (layer.to_dense() @ x + layer.bias).detach())
    assert_same(layer.train().to_dense(), layer.eval().to_dense())  # dropout is left out
    assert layer.to_dense().shape == (31, 12)
    if any(p is not layer.bias for p in layer.parameters()):
        layer.to_dense().sum().backward()
        assert all(p.grad is not None for n, p in layer.named_parameters() if n != "bias")


def without_effect(layer):
    """How many entries of each parameter have a zero gradient for generic data."""
    x = torch.randn(8, layer.in_features, dtype=torch.float64)
    (layer(x) * torch.randn(layer.out_features, dtype=torch.float64)).sum().backward()
    found = {name: p.numel() if p.grad is None else int((p.grad == 0).sum()) for name, p in layer.named_parameters()}
    return {name: number for name, number in found.items() if number}


@settings(max_examples=200)
@given(st.integers(2, 70), st.integers(2, 70), short_wavelets, seeds)
def test_every_entry_of_every_parameter_has_an_effect(n_in, n_out, wavelet, seed):
    """But for coefficients that see nothing but the zeros of the padding: at most one for each zero."""
    torch.manual_seed(seed)
    layer = scramble(make((n_in, n_out, None), wavelet, "periodization"))
    unused = without_effect(layer)
    readers = 1 if layer.diag_in.dim() == 1 else layer.diag_in.shape[0]
    assert unused.pop("diag_mid", 0) <= layer.diag_mid.numel() - readers * n_in
    assert not unused


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)], ids=str)
@pytest.mark.parametrize("mode", MODES)
def test_no_parameter_is_wholly_without_effect_in_one_feature(shape, mode):
    layer = scramble(make((*shape, None), "bior2.2", mode))  # where half the taps can only meet padding
    unused = without_effect(layer)
    assert all(unused.get(name, 0) < p.numel() for name, p in layer.named_parameters()), unused


@given(sizes, sizes, seeds)
def test_every_entry_of_fastfood_has_an_effect(n_in, n_out, seed):
    torch.manual_seed(seed)
    assert not without_effect(scramble(Fastfood(n_in, n_out, dtype=torch.float64)))


def check_gradients(layer, second=True):
    scramble(layer)
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def call(x, *given):
        return torch.func.functional_call(layer, dict(zip(names, given, strict=True)), (x,))

    leaves = [t.detach().clone().requires_grad_() for t in (signal(2, layer.in_features), *parameters)]
    assert torch.autograd.gradcheck(call, leaves)
    if second:
        assert torch.autograd.gradgradcheck(call, leaves)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(6, 6), (3, 7), (7, 3)])
def test_gradients_of_every_mode(mode, shape):
    check_gradients(make((*shape, 1), "bior1.3", mode))


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_every_layer(name):
    check_gradients(LAYERS[name](5, 6, dtype=torch.float64))


@pytest.mark.parametrize("n", [3072, 768, 1000, 17, 16, 12, 5, 1, 4095])
def test_level_none_wastes_no_width(n):
    layer = WaveletLinear(n, n, bias=False)
    width = layer.diag_mid.shape[-1]
    assert n <= width < n + 16
    assert width % 2**layer.level == 0
    assert layer.level >= min(4, ceil(log2(n)))
    if n % 16 == 0:
        assert width == n


@pytest.mark.parametrize(("mode", "n"), [("zero", 800), ("symmetric", 100), ("reflect", 33)])
def test_level_none_of_other_modes_is_pywts(mode, n):
    assert WaveletLinear(n, n, wavelet="db3", mode=mode).level == pywt.dwt_max_level(n, 6)


@pytest.mark.parametrize("level", range(11))
def test_a_given_level_is_taken_and_pads_to_its_multiple(level):
    layer = WaveletLinear(1000, 1000, level=level)
    assert layer.level == level
    assert layer.diag_mid.shape == (1, -(-1000 // 2**level) * 2**level)
