"""Equal permutations do not make equal layers: the start draws signs from torch's generator."""

import itertools

import pytest
import torch
from torch import nn

from learnable_wavelets import Fastfood, WaveletLinear
from learnable_wavelets.nn import GRU, LSTM

KINDS = [WaveletLinear, Fastfood]
SHAPES = [(64, 64), (64, 200), (200, 64)]


def far(a, b):
    """Return the distance of two matrices, relative to the size of one: sqrt(2) if they are unrelated."""
    return float(((a - b).norm() / a.norm()).detach())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layers_of_one_shape_start_apart(kind, shape):
    layers = [kind(*shape) for _ in range(4)]
    for a, b in itertools.combinations(layers, 2):
        assert torch.equal(a.permutation, b.permutation)
        assert far(a.to_dense(), b.to_dense()) > 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("recurrent", [GRU, LSTM])
def test_gates_start_apart(recurrent, kind):
    layer = recurrent(3, 64, num_layers=2, recurrent_layer=kind)
    matrices = [part.to_dense() for part in layer.modules() if isinstance(part, kind)]
    assert len(matrices) == 2 * len(layer.GATES)
    assert all(far(a, b) > 1 for a, b in itertools.combinations(matrices, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_torchs_seed_decides_the_start(kind):
    def start(seed):
        torch.manual_seed(seed)
        return kind(64, 64).to_dense()

    assert torch.equal(start(1), start(1))
    assert far(start(1), start(2)) > 1


class Sum(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x):
        return sum(part(x) for part in self.parts)


def fitted(parts):
    """Return the squared error of a sum that is fitted to a random matrix, relative to the matrix."""
    torch.manual_seed(1)
    model, matrix = Sum(parts), torch.randn(32, 32) / 32**0.5
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(150):
        x = torch.randn(64, 32)
        optimizer.zero_grad()
        loss = (model(x) - x @ matrix.T).square().mean()
        loss.backward()
        optimizer.step()
    found = sum(part.to_dense() for part in model.parts)
    return far(matrix, found) ** 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_sum_does_not_stay_one_layer(kind):
    def layers(start):
        torch.manual_seed(0)
        parts = [kind(32, 32, bias=False) for _ in range(3)]
        for part in parts:
            part.reset_parameters(start)
        return parts

    signs, ones = layers("signs"), layers("ones")
    apart, equal = fitted(signs), fitted(ones)
    assert all(far(a.to_dense(), b.to_dense()) > 0.5 for a, b in itertools.combinations(signs, 2))
    assert far(ones[0].to_dense(), ones[1].to_dense()) < 1e-6  # the trap
    assert apart < equal
