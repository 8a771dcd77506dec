"""Structured matrices from the literature: each equals its formula, entry by entry."""

import math

import pytest
import torch
from torch import nn

from learnable_wavelets.experiments.models import make_layer, make_tiled
from learnable_wavelets.experiments.models._structured import Butterfly, Monarch, TensorTrain, ToeplitzLike, near_root
from learnable_wavelets.experiments.spec import Options, count

DEFAULT = Options()


def matrix(layer: nn.Module) -> torch.Tensor:
    """Return the matrix of a layer without bias, column by column."""
    with torch.no_grad():
        return layer(torch.eye(layer.in_features)).T


def shift(n: int, corner: float) -> torch.Tensor:
    """Return the f-unit shift: ones below the diagonal, f in the corner."""
    z = torch.diag(torch.ones(n - 1), -1)
    z[0, -1] = corner
    return z


def krylov(column: torch.Tensor, corner: float) -> torch.Tensor:
    """Return the f-circulant matrix: its columns are the shifted first one."""
    z, columns = shift(len(column), corner), [column]
    for _ in range(len(column) - 1):
        columns.append(z @ columns[-1])
    return torch.stack(columns, dim=1)


@pytest.mark.parametrize("n", [6, 7])
def test_toeplitz_like(n: int) -> None:
    layer = ToeplitzLike(n, 2, bias=False)
    terms = [krylov(g, 1.0) @ krylov(h, -1.0) for g, h in zip(layer.outer, layer.inner, strict=True)]
    torch.testing.assert_close(matrix(layer), sum(terms).detach(), atol=1e-5, rtol=1e-4)
    a = matrix(ToeplitzLike(n, 1, bias=False))
    displacement = shift(n, 1.0) @ a - a @ shift(n, -1.0)
    assert torch.linalg.matrix_rank(displacement, atol=1e-4) <= 2
    assert torch.linalg.matrix_rank(a) == n


def test_butterfly_is_two_butterflies_and_bit_reversals() -> None:
    layer = Butterfly(8, bias=False)
    a = matrix(layer)
    torch.testing.assert_close(a @ a.T, torch.eye(8), atol=1e-5, rtol=0)  # at the start
    with torch.no_grad():
        for factor in layer.factors:
            factor.normal_()
    half = []
    for factors in (layer.factors[:3], layer.factors[3:]):
        product = torch.eye(8)[[0, 4, 2, 6, 1, 5, 3, 7]]
        for (own, other), size in zip(factors, (1, 2, 4), strict=True):
            block = torch.zeros(2 * size, 2 * size)
            for i in range(size):
                block[i, i], block[size + i, size + i] = own[0, i], own[1, i]
                block[i, size + i], block[size + i, i] = other[0, i], other[1, i]
            product = torch.block_diag(*[block] * (4 // size)) @ product
        half.append(product)
    torch.testing.assert_close(matrix(layer), (half[1] @ half[0]).detach(), atol=1e-4, rtol=1e-4)


def test_a_butterfly_holds_the_hadamard_matrix() -> None:
    layer = Butterfly(16, bias=False)
    with torch.no_grad():
        for factor in layer.factors:
            factor[0], factor[1] = torch.tensor([[1.0], [-1.0]]) / math.sqrt(2), 1 / math.sqrt(2)
    reversal = torch.eye(16)[layer._reversal]
    hadamard = torch.ones(1, 1)
    for _ in range(4):
        hadamard = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]) / math.sqrt(2), hadamard)
    torch.testing.assert_close(matrix(layer), hadamard @ reversal @ hadamard @ reversal, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("n_in", "n_out", "groups"), [(12, 12, 3), (12, 24, 4), (24, 12, 2)])
def test_monarch(n_in: int, n_out: int, groups: int) -> None:
    layer = Monarch(n_in, n_out, groups, bias=False)
    middle = layer.inner.shape[-1]
    inner, outer = (torch.block_diag(*(block.T for block in part)) for part in (layer.inner, layer.outer))
    mix = torch.eye(groups * middle).view(groups, middle, -1).transpose(0, 1).reshape(groups * middle, -1)
    last = torch.eye(n_out).view(groups, n_out // groups, n_out).transpose(0, 1).reshape(n_out, n_out)
    torch.testing.assert_close(matrix(layer), (last @ outer @ mix @ inner).detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("n_in", "n_out", "rank"), [(12, 12, 1), (12, 30, 2), (30, 12, 3)])
def test_tensor_train(n_in: int, n_out: int, rank: int) -> None:
    layer = TensorTrain(n_in, n_out, rank, bias=False)
    a, c = near_root(n_in), near_root(n_out)
    b, d = n_in // a, n_out // c
    inner, outer = layer.inner.view(b, a, c, rank), layer.outer.view(c, b, rank, d)
    expected = torch.einsum("bacr,cbrd->cdba", inner, outer).reshape(n_out, n_in)
    torch.testing.assert_close(matrix(layer), expected.detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("layer", "variance"),
    [
        (ToeplitzLike(784, 3, bias=False), 1.0),
        (Butterfly(1024, bias=False), 1.0),
        (Monarch(784, 784, 28, bias=False), 1 / 3),
        (Monarch(192, 768, 12, bias=False), 1 / 3),
        (TensorTrain(784, 784, 2, bias=False), 1 / 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_variance_at_the_start(layer: nn.Module, variance: float) -> None:
    torch.manual_seed(0)
    found = layer(torch.randn(500, layer.in_features)).var().item()
    assert found == pytest.approx(variance, rel=0.25)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("butterfly", {}, 8 * 1023),  # as published for 784 inputs
        ("toeplitz-like", {}, 2 * 2 * 784),
        ("toeplitz-like", {"rank": 3}, 2 * 3 * 784),
        ("low-rank", {"rank": 2}, 2 * 2 * 784),
        ("monarch", {}, 2 * 28**3),
        ("monarch", {"groups": 196}, 2 * 196 * 4**2),
        ("btt", {}, 2 * 28**3),
        ("btt", {"rank": 2}, 4 * 28**3),
        ("stack", {"blocks": (2,), "rank": 3}, 2 * (3 * 784 + 16) + 2 * 3 * 784),
        ("frozen", {}, 3 * 784),
        ("fixed", {}, 0),
    ],
)
def test_parameters(name: str, options: dict, expected: int) -> None:
    assert count(make_layer(name, 784, 784, True, Options(**options))) == expected + 784


def test_groups_must_divide() -> None:
    with pytest.raises(ValueError, match="`groups` must divide 12, got 5"):
        make_layer("monarch", 12, 12, True, Options(groups=5))


def test_frozen_filters_stay() -> None:
    """The control: an optimiser moves the diagonals alone, and with `fixed` the bias alone."""
    moving = {"frozen": {"bias", "diag_in", "diag_mid", "diag_out"}, "fixed": {"bias"}}
    for name, expected in moving.items():
        layer = make_layer(name, 32, 32, True, DEFAULT)
        before = {key: value.clone() for key, value in layer.state_dict().items()}
        optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.1)
        layer(torch.randn(4, 32)).square().sum().backward()
        optimizer.step()
        moved = {key for key, value in layer.state_dict().items() if not torch.equal(value, before[key])}
        assert moved == expected


def test_square_layers_are_tiled() -> None:
    wide = make_tiled("circulant", DEFAULT)(8, 24)
    narrow = make_tiled("circulant", DEFAULT)(24, 8)
    x = torch.randn(5, 24)
    assert (count(wide), count(narrow)) == (3 * 4 * 8, 3 * 3 * 8 + 8)  # a sum needs one bias
    torch.testing.assert_close(wide(x[:, :8])[:, 8:16], wide.tiles[1](x[:, :8]))
    parts = [tile(x[:, 8 * i : 8 * i + 8]) for i, tile in enumerate(narrow.tiles)]
    torch.testing.assert_close(narrow(x), sum(parts) / math.sqrt(3) + narrow.bias)
    assert isinstance(make_tiled("dense", DEFAULT)(8, 24), nn.Linear)
    with pytest.raises(ValueError, match="one size must be a multiple of the other, got 8 and 12"):
        make_tiled("diagonal", DEFAULT)(8, 12)
