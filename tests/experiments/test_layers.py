"""The alternatives, the controls, the stacks, and the published fault."""

import pytest
import torch
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets.experiments._alternatives import Circulant, Diagonal, LowRank, Nothing, Sum
from learnable_wavelets.experiments._layers import LAYERS, LayerOptions, PaperWavelet, count, describe, make_layer
from learnable_wavelets.experiments._published import Materialised, PublishedSlicing, wrong_slices
from learnable_wavelets.kernels.reference import coeff_lengths

N = 64
DEFAULT = LayerOptions()


def matrix(layer: nn.Module, n: int = N) -> torch.Tensor:
    """The matrix of a layer without bias, column by column."""
    with torch.no_grad():
        return layer(torch.eye(n)).T


@pytest.mark.parametrize("layer", [Diagonal(N), LowRank(N, N, 3), Circulant(N), Circulant(63)], ids=type)
def test_layers_equal_their_matrices(layer) -> None:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    x = torch.randn(5, layer.in_features)
    bias = layer.outer.bias if isinstance(layer, LowRank) else layer.bias
    torch.testing.assert_close(layer(x), x @ layer.to_dense().T + bias, atol=1e-4, rtol=1e-4)


def test_structures() -> None:
    torch.manual_seed(0)
    one = Circulant(N, bias=False)
    torch.testing.assert_close(matrix(one) @ matrix(one).T, torch.eye(N), atol=1e-5, rtol=0)  # orthogonal at the start
    nn.init.normal_(one.first)
    nn.init.zeros_(one.second)
    with torch.no_grad():
        one.second[0] = 1.0  # the identity
    columns = matrix(one)
    torch.testing.assert_close(columns[:, 0], one.first.detach())
    torch.testing.assert_close(columns[:, 5], one.first.detach().roll(5))
    assert torch.linalg.matrix_rank(matrix(LowRank(N, N, 3, bias=False))) == 3
    assert torch.equal(matrix(Diagonal(N, bias=False)), torch.eye(N))
    assert not matrix(Nothing()).any()


def test_low_rank_starts_with_the_variance_of_linear() -> None:
    torch.manual_seed(0)
    x = torch.randn(4_000, 1024)
    for rank in (2, 64):
        variance = LowRank(1024, 1024, rank, bias=False)(x).square().mean()
        assert float(variance.detach()) == pytest.approx(1 / 3, rel=0.25)


@pytest.mark.parametrize(
    ("name", "blocks", "expected"),
    [
        ("dense", 1, 1024 * 1025),
        ("wavelet", 1, 3 * 1024 + 16 + 1024),
        ("wavelet", 4, 4 * (3 * 1024 + 16) + 1024),
        ("fastfood", 1, 3 * 1024 + 1024),
        ("fastfood", 2, 6 * 1024 + 1024),
        ("circulant", 1, 3 * 1024 + 1024),
        ("low-rank", 1, 2 * 2048 + 1024),
        ("low-rank", 4, 7 * 2048 + 1024),
        ("diagonal", 1, 2 * 1024),
        ("removed", 1, 0),
    ],
)
def test_parameters_of_the_shootout(name: str, blocks: int, expected: int) -> None:
    assert count(make_layer(name, 1024, 1024, True, DEFAULT._replace(blocks=blocks))) == expected


@pytest.mark.parametrize("name", LAYERS)
def test_every_parameter_has_a_gradient(name: str) -> None:
    options = DEFAULT._replace(blocks=2, paper=PaperWavelet("haar", 6, 3))
    layer = make_layer(name, N, N, True, options)
    y = layer(torch.randn(7, N))
    assert y.shape == (7, N)
    if name != "removed":
        y.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


def test_stacks() -> None:
    torch.manual_seed(0)
    product = make_layer("wavelet", N, N, False, DEFAULT._replace(blocks=3))
    assert isinstance(product, nn.Sequential)
    a, b, c = (part.to_dense() for part in product)  # type: ignore[operator]
    torch.testing.assert_close(matrix(product), (c @ b @ a).detach(), atol=1e-5, rtol=1e-5)
    total = make_layer("wavelet", N, N, True, DEFAULT._replace(blocks=3, combine="sum"))
    assert isinstance(total, Sum)
    assert [part.bias is None for part in total.terms] == [True, True, False]
    dense = sum(part.to_dense() for part in total.terms) / 3**0.5  # type: ignore[operator]
    x = torch.randn(5, N)
    torch.testing.assert_close(total(x), x @ dense.T + total.terms[2].bias / 3**0.5, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("constraint", "kind"),
    [
        ("soft", lw.LearnableWaveletFilter),
        ("orthogonal", lw.OrthogonalWaveletFilter),
        ("biorthogonal", lw.BiorthogonalWaveletFilter),
    ],
)
def test_constraints(constraint: str, kind: type) -> None:
    options = DEFAULT._replace(constraint=constraint)
    layer = make_layer("wavelet", N, N, False, options)
    assert isinstance(layer, lw.WaveletLinear)
    assert type(layer.filter) is kind
    words = describe("wavelet", layer, options)
    assert words[-1] == (constraint if constraint != "soft" else f"level {layer.level}")


def test_options_reach_the_layer() -> None:
    options = LayerOptions("db3", "zero", 2, blocks=2, combine="sum")
    layer = make_layer("wavelet", N, N, False, options)
    assert len(layer.terms[0].filter) == 6  # type: ignore[index, union-attr]
    assert describe("wavelet", layer, options) == ("db3", "zero", "level 2", "sum of 2")
    assert describe("dense", nn.Linear(3, 3), options) == ()
    rank = make_layer("low-rank", N, N, False, options)
    assert describe("low-rank", rank, options) == (f"rank {rank.inner.out_features}",)  # type: ignore[union-attr]
    paper = make_layer("wavelet-paper", N, N, False, options._replace(blocks=1, published_slicing=True))
    assert describe("wavelet-paper", paper, options._replace(blocks=1)) == (
        "haar in 6 taps", "zero", "level 6", "published slicing",
    )  # fmt: skip


def test_taps_pad_the_start() -> None:
    options = LayerOptions("haar", level=2, taps=24, constraint="orthogonal")
    layer = make_layer("wavelet", N, N, False, options)
    assert len(layer.filter) == 24  # type: ignore[arg-type]
    assert describe("wavelet", layer, options) == ("haar in 24 taps", "periodization", "level 2", "orthogonal")
    eye = torch.eye(N)
    torch.testing.assert_close(matrix(layer) @ matrix(layer).T, eye, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="`taps` must not be given with constraint biorthogonal"):
        make_layer("wavelet", N, N, False, options._replace(wavelet=None, constraint="biorthogonal"))


@pytest.mark.parametrize("name", ["diagonal", "removed", "circulant"])
def test_square_layers(name: str) -> None:
    with pytest.raises(ValueError, match=f"the layer {name} must be square, got 8 inputs and 4 outputs"):
        make_layer(name, 8, 4, False, DEFAULT)


def published(n: int, level: int, wavelet: str = "haar", taps: int = 6) -> PublishedSlicing:
    options = LayerOptions(paper=PaperWavelet(wavelet, taps, level), published_slicing=True)
    layer = make_layer("wavelet-paper", n, n, False, options)
    assert isinstance(layer, PublishedSlicing)
    return layer


def test_wrong_slices_are_those_of_the_facts() -> None:
    lengths = coeff_lengths(1024, 6, "zero", 6)[::-1]
    assert lengths == (20, 20, 36, 68, 132, 259, 514)[::-1]
    cuts = [(piece.start, piece.stop) for piece in wrong_slices(lengths)]
    assert cuts == [(0, 514), (514, 773), (259, 391), (132, 200), (68, 104), (36, 56), (20, 40)]


@pytest.mark.parametrize(
    ("n", "level", "wavelet", "taps", "used", "dead"),
    [
        (1024, 6, "haar", 6, 773, 297),
        (800, 6, "haar", 6, 605, 237),
        (512, 4, "haar", 6, 389, 151),
        (512, 8, "haar", 6, 389, 178),
        (64, 4, "db6", 12, 61, 45),
        (58, 8, "db6", 12, 56, 85),
    ],
)
def test_the_fault_leaves_as_many_coefficients_without_effect_as_published(
    n: int, level: int, wavelet: str, taps: int, used: int, dead: int
) -> None:
    pieces = wrong_slices(coeff_lengths(n, taps, "zero", level)[::-1])
    assert len({index for piece in pieces for index in range(piece.start, piece.stop)}) == used
    layer = published(n, level, wavelet, taps)
    layer(torch.randn(3, n)).square().sum().backward()
    assert layer.diag_mid.grad is not None
    without = int((layer.diag_mid.grad == 0).sum())
    # Padded Haar has some coefficients that are always zero: how many of them are read is up to the permutation.
    assert layer.diag_mid.numel() - used <= without
    assert without == pytest.approx(dead, abs=10)


def test_the_fault_is_all_that_differs() -> None:
    """With right slices the same layer is a `WaveletLinear`, its coefficients in another order."""
    torch.manual_seed(0)
    wrong = published(64, 1)  # at one level the slices are right
    right = lw.WaveletLinear(64, 64, bias=False, wavelet=wrong.filter, mode="zero", level=1)
    half = right.diag_mid.numel() // 2
    with torch.no_grad():
        wrong.diag_mid.uniform_(0.5, 1.5)
        # finest first here, coarsest first there
        right.diag_mid.copy_(wrong.diag_mid.roll(half, dims=1))
        right.permutation.copy_((wrong.permutation + half).remainder(2 * half).roll(half, dims=1))
        for name in ("diag_in", "diag_out"):
            getattr(right, name).copy_(getattr(wrong, name).uniform_(0.5, 1.5))
    x = torch.randn(3, 64)
    torch.testing.assert_close(wrong(x), right(x), atol=1e-5, rtol=1e-5)
    assert torch.linalg.matrix_rank(matrix(published(512, 4), 512)) < 400  # of 495


def test_materialised() -> None:
    layer = published(64, 3)
    fixed = Materialised(layer)
    with pytest.raises(RuntimeError, match="`refresh` must be called before"):
        fixed(torch.randn(2, 64))
    fixed.refresh()
    x = torch.randn(2, 64)
    torch.testing.assert_close(fixed(x), layer(x), atol=1e-5, rtol=1e-5)
    fixed(x).square().sum().backward()
    assert layer.diag_in.grad is not None
    assert layer.diag_in.grad.any()
