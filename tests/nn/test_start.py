"""Contract 8: outputs and gradients of equal variance for every shape."""

import pytest
import torch

from learnable_wavelets import Fastfood, LearnableWaveletFilter, WaveletLinear

from ..banks import MODES

SHAPES = [
    (256, 256), (1000, 1000), (300, 300), (784, 100), (784, 10), (10, 784), (100, 784), (256, 1024), (1024, 256),
    (513, 511), (511, 513), (64, 70), (70, 64), (17, 200), (200, 17), (33, 31), (800, 500), (1, 64), (64, 1), (3, 5),
]  # fmt: skip


def mean_energy(make, n_in, n_out, start):
    """Mean squared Frobenius norm of the matrix: n_out (or n_in) times the mean variance forward (or backward).

    Over permutations: what a single one costs or gives is luck.
    """
    draws = max(4, (2000 if start == "gaussian" else 500) // n_out)
    total = 0.0
    for seed in range(draws):
        layer = make(n_in, n_out, bias=False, seed=seed).requires_grad_(False)
        layer.reset_parameters(start)
        total += float(layer.to_dense().square().sum())
    return total / draws


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("start", ["ones", "signs", "gaussian"])
@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_outputs_have_variance_one_for_every_shape(kind, start, shape):
    assert mean_energy(kind, *shape, start) / shape[1] == pytest.approx(1, rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", ["db2", "bior2.2", "bior3.1", "haar"])
@pytest.mark.parametrize("shape", [(64, 64), (70, 30), (10, 25)], ids=str)
def test_outputs_have_variance_one_for_every_mode_and_wavelet(mode, wavelet, shape):
    def make(*size, **keywords):
        return WaveletLinear(*size, wavelet=wavelet, mode=mode, **keywords)

    assert mean_energy(make, *shape, "ones") / shape[1] == pytest.approx(1, rel=0.2)


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
@pytest.mark.parametrize("shape", [(300, 300), (300, 100), (100, 300)], ids=str)
def test_variance_forward_and_backward_on_noise(kind, shape):
    x = torch.randn(500, shape[0], requires_grad=True)
    y = kind(*shape, bias=False)(x)  # at the default seed
    y.backward(torch.randn_like(y))
    assert y.var().item() == pytest.approx(1, rel=0.2)
    assert x.grad.var().item() == pytest.approx(shape[1] / shape[0], rel=0.2)  # as with nn.Linear


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_every_output_has_its_share(kind):
    for n_in, n_out in ((100, 230), (230, 100), (64, 64)):
        layers = (kind(n_in, n_out, bias=False, dtype=torch.float64, seed=seed) for seed in range(200))
        rows = sum(_reset(layer).to_dense().square().sum(1) for layer in layers) / 200
        assert rows.min() > 0.7
        assert rows.max() < 1.4


def _reset(layer):
    layer.reset_parameters("gaussian" if isinstance(layer, Fastfood) else "ones")
    return layer.requires_grad_(False)


def test_the_bias_starts_as_in_linear():
    for kind in (WaveletLinear, Fastfood):
        bias = kind(100, 5000).bias
        assert bias.abs().max() <= 0.1
        assert float(bias.detach().std()) == pytest.approx(0.1 / 3**0.5, rel=0.05)


def test_ones_with_signs_at_the_output_are_the_default_start():
    for layer in (WaveletLinear(256, 256), Fastfood(256, 256)):
        diag_in, diag_mid, diag_out = layer.diagonals()
        assert all((d == 1).all() for d in (diag_in, diag_mid))
        assert torch.allclose(diag_out.abs(), torch.ones(256))
        assert abs(diag_out.sign().mean()) < 0.25


@pytest.mark.parametrize("n", [1, 7, 64, 513])
def test_a_fastfood_with_one_output_sees_every_input(n):
    layer = Fastfood(n, 1, bias=False)
    row = layer.to_dense()[0]
    assert row.count_nonzero() >= 0.8 * n
    layer.reset_parameters("ones")
    assert layer.to_dense()[0].abs().gt(1e-5).nonzero().tolist() == [[0]]


def test_ones_has_no_signs():
    for layer in (WaveletLinear(64, 64), Fastfood(64, 64)):
        layer.reset_parameters("ones")
        assert all(torch.allclose(d, torch.ones_like(d)) for d in layer.diagonals())


@pytest.mark.parametrize("shape", [(64, 100), (30, 30), (70, 13)], ids=str)
@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_float64_starts_without_the_rounding_of_float32(kind, shape):
    n_in, _ = shape
    layer = kind(*shape, dtype=torch.float64)
    blocks, m = layer.diag_mid.shape
    made = blocks * m if layer.diag_in.dim() > 1 else m
    for i, value in enumerate(layer.diagonals()[2].abs().tolist()):
        added = len(range(i, made, shape[1])) if kind is WaveletLinear else 1
        readers = blocks if layer.diag_in.dim() > 1 else 1
        summed = 1 if layer.diag_in.dim() > 1 else blocks
        assert value == pytest.approx((readers * n_in / (blocks * m) * added * summed) ** -0.5, rel=1e-15)
    assert kind(*shape).diag_out.abs().tolist() == layer.diag_out.float().abs().tolist()


def test_signs_of_the_gaussian_start_are_balanced():
    layer = WaveletLinear(1024, 1024)
    layer.reset_parameters("gaussian")
    diagonal = layer.diagonals()[0]
    assert (diagonal.abs() == 1).all()
    assert abs(diagonal.mean()) < 0.15


def test_reset_restarts_a_filter_of_the_layers_own():
    layer = WaveletLinear(64, 64)
    permutation, filters = layer.permutation, layer.filter.dec_lo.clone()
    layer.filter.dec_lo.data.mul_(3)
    layer.reset_parameters()
    assert torch.equal(layer.permutation, permutation)
    assert torch.equal(layer.filter.dec_lo, filters)


def test_reset_leaves_a_shared_filter_alone():
    given = LearnableWaveletFilter("db2")
    layers = [WaveletLinear(64, 64, wavelet=given), WaveletLinear(32, 64, wavelet=given)]
    given.dec_lo.data.mul_(3)
    kept = given.dec_lo.clone()
    for layer in layers:
        layer.reset_parameters("gaussian")
    assert torch.equal(given.dec_lo, kept)


def test_fixed_fastfood_is_a_stand_in_for_a_gaussian_matrix():
    """Le, Sarlos and Smola: entries N(0, 1 / in_features), rows of chi length."""
    n = 256
    layers = [Fastfood(n, 4 * n, adaptive=False, bias=False) for _ in range(8)]
    entries = torch.cat([layer.to_dense() for layer in layers]) * n**0.5
    assert float(entries.mean()) == pytest.approx(0, abs=0.01)
    assert float(entries.var()) == pytest.approx(1, rel=0.03)
    assert float(entries.pow(4).mean()) == pytest.approx(3, rel=0.1)
    squares = entries.square().sum(1)  # chi^2 of n degrees
    assert float(squares.mean()) == pytest.approx(n, rel=0.03)
    assert float(squares.var()) == pytest.approx(2 * n, rel=0.15)
