"""Contracts 1, 2, 3: identity, rank, and the dense matrix that each layer stands for."""

from math import ceil, log2

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learnable_wavelets import Fastfood, OrthogonalWaveletFilter, WaveletLinear
from learnable_wavelets.kernels import available_backends, use_backend

from ..banks import EXACT, MODES, ORTHOGONAL, assert_same, signal
from ..layers import LAYERS, dense, identity, scramble
from ..strategies import exact_wavelets, modes, orthogonal_wavelets, rectangles, seeds, short_wavelets, sizes


def make(rectangle, wavelet="bior2.2", mode="periodization", **keywords):
    n_in, n_out, level = rectangle
    return WaveletLinear(n_in, n_out, wavelet=wavelet, level=level, mode=mode, dtype=torch.float64, **keywords)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_identity_for_every_wavelet(name):
    for mode in MODES:
        layer = identity(
            WaveletLinear(37, 37, bias=False, wavelet=name, level=2, mode=mode, dtype=torch.float64, seed=None)
        )
        assert_same(layer(signal(2, 37)), signal(2, 37), 1e-8)


@pytest.mark.slow
@given(exact_wavelets, modes, st.data())
def test_identity_for_every_width_and_level(name, mode, data):
    n = data.draw(sizes)
    level = data.draw(st.none() | st.integers(0, min(3 if mode != "periodization" else 6, ceil(log2(n)))))
    layer = identity(
        WaveletLinear(n, n, bias=False, wavelet=name, level=level, mode=mode, dtype=torch.float64, seed=None)
    )
    assert_same(layer(signal(2, n)), signal(2, n), 1e-7)


@given(sizes)
def test_identity_of_fastfood(n):
    layer = identity(Fastfood(n, n, bias=False, dtype=torch.float64, seed=None))
    assert_same(layer(signal(2, n)), signal(2, n))


@pytest.mark.parametrize("name", ORTHOGONAL)
@pytest.mark.parametrize("n", [32, 48])
def test_an_orthogonal_bank_starts_as_an_orthogonal_matrix(name, n):
    layer = WaveletLinear(n, n, wavelet=name, dtype=torch.float64)
    values = np.linalg.svd(layer.to_dense().detach().numpy(), compute_uv=False)
    np.testing.assert_allclose(values, 1, atol=1e-9)
    assert not torch.equal(layer.permutation[0], torch.arange(n))


@pytest.mark.slow
@given(orthogonal_wavelets, st.integers(0, 4), st.integers(1, 6), seeds)
def test_singular_values_are_one_at_every_level(name, level, multiple, seed):
    torch.manual_seed(seed)
    n = multiple * 2**level
    layer = WaveletLinear(n, n, wavelet=name, level=level, dtype=torch.float64)
    layer.diag_out.data.fill_(1 / layer.lr_multiplier)
    values = np.linalg.svd(layer.to_dense().detach().numpy(), compute_uv=False)
    np.testing.assert_allclose(values, 1, atol=1e-9)


def singular_values(layer):
    return np.linalg.svd(layer.to_dense().detach().numpy(), compute_uv=False)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(1, 150), orthogonal_wavelets, seeds)
def test_a_width_that_is_a_multiple_of_four_starts_orthogonal(quarter, name, seed):
    torch.manual_seed(seed)
    n = 4 * quarter
    bank = OrthogonalWaveletFilter(name, dtype=torch.float64)
    torch.nn.init.normal_(bank.angles)  # any angles at all
    layer = WaveletLinear(n, n, wavelet=bank, dtype=torch.float64)
    np.testing.assert_allclose(singular_values(layer), 1, rtol=0, atol=1e-10)
    assert layer.level >= 2


@pytest.mark.parametrize(("n", "level"), [(100, 2), (300, 2), (500, 2), (1000, 3), (784, 4), (3072, 10), (1024, 8)])
@pytest.mark.parametrize("name", ["haar", "db2"])
def test_widths_of_the_field_start_orthogonal(n, level, name):
    layer = WaveletLinear(n, n, wavelet=name, dtype=torch.float64)
    assert layer.level == (level if name == "db2" else min(10, (n & -n).bit_length() - 1))
    if n <= 1000:
        np.testing.assert_allclose(singular_values(layer), 1, rtol=0, atol=1e-10)


@settings(max_examples=60)
@given(st.integers(5, 300), orthogonal_wavelets, seeds)
def test_other_widths_lose_at_most_the_rank_of_their_padding(n, name, seed):
    torch.manual_seed(seed)
    bank = OrthogonalWaveletFilter(name, dtype=torch.float64)
    torch.nn.init.normal_(bank.angles)
    values = singular_values(WaveletLinear(n, n, wavelet=bank, dtype=torch.float64))
    padding = -n % 4
    assert (values > 1e-12).sum() >= n - padding
    scale = (1 + padding / n) ** 0.5  # of the outputs, for variance 1
    assert (np.abs(values - scale) < 1e-10).sum() >= n - 4 * padding


@pytest.mark.parametrize("n", [1, 2, 64])
def test_fastfood_starts_as_an_orthogonal_matrix(n):
    np.testing.assert_allclose(singular_values(Fastfood(n, n, dtype=torch.float64)), 1, atol=1e-12)


@pytest.mark.parametrize("n", [3, 48, 1000])
def test_fastfood_of_another_width_does_not(n):
    spreads = [np.ptp(singular_values(Fastfood(n, n, dtype=torch.float64, seed=seed))) for seed in range(4)]
    assert np.mean(spreads) > 0.5


def check_against_dense(layer):
    scramble(layer)
    x = signal(3, layer.in_features)
    matrix = dense(layer)
    assert_same(layer.to_dense(), matrix, 1e-9)
    bias = 0 if layer.bias is None else layer.bias.detach().numpy()
    assert_same(layer(x), x.numpy() @ matrix.T + bias, 1e-9)


@pytest.mark.slow
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
    trained = [p for n, p in layer.named_parameters() if n != "bias" and p.requires_grad]
    assert len(trained) >= 3 or name == "fastfood fixed"
    if trained:
        layer.to_dense().sum().backward()
        assert all(p.grad is not None for p in trained)


def without_effect(layer):
    """How many entries of each parameter have a zero gradient for generic data."""
    x = torch.randn(8, layer.in_features, dtype=torch.float64)
    (layer(x) * torch.randn(layer.out_features, dtype=torch.float64)).sum().backward()
    found = {name: p.numel() if p.grad is None else int((p.grad == 0).sum()) for name, p in layer.named_parameters()}
    return {name: number for name, number in found.items() if number}


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(6, 6), (3, 7), (7, 3)])
def test_gradients_of_every_mode(mode, shape):
    check_gradients(make((*shape, 1), "bior1.3", mode))


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_every_layer(name):
    check_gradients(LAYERS[name](5, 6, dtype=torch.float64))


@pytest.mark.parametrize("backend", available_backends())
@pytest.mark.parametrize("shape", [(6, 6), (3, 7), (7, 3)], ids=str)
def test_level_zero_gives_filters_gradients_of_zeros(backend, shape):
    layer = scramble(make((*shape, 0)))
    with use_backend(backend):
        layer(signal(2, shape[0])).square().sum().backward()
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in layer.filter.parameters())
    assert all(p.grad.abs().max() > 0 for name, p in layer.named_parameters(recurse=False))


@pytest.mark.parametrize("n", [3072, 768, 1000, 18, 17, 16, 12, 5, 2, 1, 4095])
def test_level_none_wastes_no_width(n):
    layer = WaveletLinear(n, n, bias=False)
    width = layer.diag_mid.shape[-1]
    assert width == (n + -n % 4 if n > 2 else 2)
    assert width % 2**layer.level == 0
    assert layer.level >= min(2, ceil(log2(n)))
    assert layer.level >= 4 or width % 2 ** (layer.level + 1)


@pytest.mark.parametrize("n", [100, 300, 18, 2])
def test_level_none_pads_wide_layers_as_square_ones(n):
    square, wide = WaveletLinear(n, n), WaveletLinear(n, 3 * n, dtype=torch.float64)
    assert (wide.level, wide.diag_mid.shape[-1]) == (square.level, square.diag_mid.shape[-1])
    if n % 4 == 0:  # the columns are orthogonal
        np.testing.assert_allclose(singular_values(wide), 3**0.5, rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", [(784, 10), (1000, 500), (200, 17), (70, 69), (15, 9), (3, 2)], ids=str)
def test_level_none_pads_the_blocks_of_narrow_layers_as_square_ones(shape):
    layer = WaveletLinear(*shape, bias=False)
    needed = ceil(shape[0] / (shape[0] // shape[1]))
    square = WaveletLinear(needed, needed)
    assert (layer.level, layer.diag_mid.shape[-1]) == (square.level, square.diag_mid.shape[-1])


@pytest.mark.parametrize("shape", [(200, 100), (784, 300), (520, 500), (24, 8)], ids=str)
def test_narrow_layers_whose_inputs_fill_their_blocks_start_with_orthogonal_rows(shape):
    layer = WaveletLinear(*shape, wavelet=OrthogonalWaveletFilter("db3", dtype=torch.float64), dtype=torch.float64)
    wrapped = layer.permutation.shape[-1] > shape[1]
    gram = (layer.to_dense() @ layer.to_dense().T).detach()
    assert_same(gram, torch.eye(shape[1], dtype=torch.float64), 1e-10)
    assert wrapped == (shape in [(784, 300), (520, 500)])


@pytest.mark.parametrize(("mode", "n"), [("zero", 800), ("symmetric", 100), ("reflect", 33)])
def test_level_none_of_other_modes_is_pywts(mode, n):
    assert WaveletLinear(n, n, wavelet="db3", mode=mode).level == pywt.dwt_max_level(n, 6)


@pytest.mark.parametrize("level", range(11))
def test_a_given_level_is_taken_and_pads_to_its_multiple(level):
    layer = WaveletLinear(1000, 1000, level=level)
    assert layer.level == level
    assert layer.diag_mid.shape == (1, -(-1000 // 2**level) * 2**level)
