"""Layers with a kept matrix, and a comparison with plain torch."""

import torch

import learnable_wavelets as lw
from learnable_wavelets.kernels import _prepared


def scrambled(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter) / 16)
    return layer


def below_crossover():
    """A layer and inputs for which the product with the matrix is faster."""
    layer = scrambled(lw.WaveletLinear(32, 32, wavelet=lw.LearnableWaveletFilter("haar", taps=64), level=1))
    x = torch.randn(64, 32)
    with torch.no_grad():
        layer(x), layer(x)
    assert kept(layer)
    return layer, x


def kept(layer):
    state = layer._prepared.state
    return 0 if state is None else _prepared._cpu.kept(state[0])


def close(a, b):
    return a.shape == b.shape and bool((a - b).detach().norm() <= 1e-5 * b.detach().norm())


def check(layer, x):
    """Compare with plain torch, in inference and in grad mode."""
    with torch.no_grad():
        with lw.kernels.use_backend("reference"):
            expected = layer(x)
        assert close(layer(x), expected)
        assert close(layer(x), expected)
    assert close(layer(x), expected)
    return expected
