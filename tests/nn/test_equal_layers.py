"""Layers of one shape start apart: by signs from torch's generator, gates by permutations of their own."""

import copy
import itertools
from functools import partial

import pytest
import torch
from torch import nn

from learnable_wavelets import Fastfood, WaveletLinear
from learnable_wavelets.functional import pack, wavedec
from learnable_wavelets.nn import GRU, LSTM, GRUCell, LSTMCell

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


@pytest.mark.parametrize("recurrent", [GRU, LSTM])
def test_gates_have_permutations_of_their_own(recurrent):
    layer = recurrent(3, 8, num_layers=2, bidirectional=True, recurrent_layer=partial(Fastfood, seed=5))
    seeds = [part.seed for part in layer.modules() if isinstance(part, Fastfood)]
    assert seeds == list(range(5, 5 + 4 * len(layer.GATES)))


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
def test_the_number_of_a_gate_does_not_depend_on_the_others(cell):
    whole, last = cell(3, 8), cell(3, 8, gates=cell.GATES[-1:])
    name = cell.GATES[-1]
    assert whole.get_submodule(name).seed == last.get_submodule(name).seed == len(cell.GATES) - 1


@pytest.mark.parametrize("kind", KINDS)
def test_gates_start_without_signs_and_do_so_again(kind):
    gate = GRU(3, 16, recurrent_layer=kind).get_submodule("update_l0")
    first = gate.to_dense()
    assert (torch.cat([d.flatten() for d in gate.diagonals()]) > 0).all()
    gate.reset_parameters("signs")
    assert far(first, gate.to_dense()) > 0.5
    gate.reset_parameters()
    assert torch.equal(first, gate.to_dense())


@pytest.mark.parametrize("wavelet", ["haar", "db2"])
def test_the_powers_of_a_recurrent_matrix_start_as_permutations_of_coefficients(wavelet):
    gate = GRU(3, 32, recurrent_layer=partial(WaveletLinear, wavelet=wavelet, level=3), dtype=torch.float64).state_l0
    basis = torch.eye(32, dtype=torch.float64)
    packed = pack(wavedec(basis, wavelet, "periodization", gate.level))[0]
    for power in (1, 2, 7):
        found = packed.T @ torch.linalg.matrix_power(gate.to_dense(), power) @ packed
        assert torch.allclose(found.abs().sort().values[:, -1], torch.ones(32).double(), atol=1e-9)


def test_the_identity_keeps_the_signs_that_keep_gates_apart():
    layer = GRU(3, 64, recurrent_layer=partial(WaveletLinear, seed=None))
    matrices = [layer.get_submodule(f"{gate}_l0").to_dense() for gate in layer.GATES]
    assert all(far(a, b) > 1 for a, b in itertools.combinations(matrices, 2))


def test_a_layer_that_was_made_before_stays_as_it_is():
    made = WaveletLinear(16, 16, bias=False, seed=3)
    layer = GRU(3, 16, recurrent_layer=lambda *_, **__: copy.deepcopy(made), reset_after=False)
    for gate in layer.GATES:
        inside = layer.get_submodule(f"{gate}_l0")
        assert inside.seed == 3
        assert torch.equal(inside.diag_out, made.diag_out)
    assert WaveletLinear(16, 16).seed == 0  # and those made later


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
