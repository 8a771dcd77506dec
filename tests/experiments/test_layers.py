"""The alternatives, the controls, the stacks, and the published slicing."""

from dataclasses import replace

import pytest
import pywt
import torch
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets.experiments.models import LAYERS, describe, make_layer, make_tiled
from learnable_wavelets.experiments.models._alternatives import Circulant, Diagonal, LowRank, Sum, Zero
from learnable_wavelets.experiments.models._published import Materialised, PublishedSlicing, published_slices
from learnable_wavelets.experiments.spec import ALTERNATIVES, DENSE, SANDWICHES, Options, PaperWavelet, count

N = 64
DEFAULT = Options()


def matrix(layer: nn.Module, n: int = N) -> torch.Tensor:
    """Return the matrix of a layer without bias, column by column."""
    with torch.no_grad():
        return layer(torch.eye(n)).T


def circulant(column: torch.Tensor) -> torch.Tensor:
    """Return the matrix whose columns are `column`, shifted down once more each."""
    return torch.stack([column.roll(shift) for shift in range(len(column))], dim=1)


MATRICES = {
    Diagonal: lambda layer: torch.diag(layer.scale),
    LowRank: lambda layer: layer.outer.weight @ layer.inner.weight,
    Circulant: lambda layer: circulant(layer.second) @ torch.diag(layer.scale) @ circulant(layer.first),
}


@pytest.mark.parametrize("layer", [Diagonal(N), LowRank(N, N, 3), Circulant(N), Circulant(63)], ids=type)
def test_layers_equal_their_matrices(layer) -> None:
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    x = torch.randn(5, layer.in_features)
    bias = layer.outer.bias if isinstance(layer, LowRank) else layer.bias
    torch.testing.assert_close(layer(x), x @ MATRICES[type(layer)](layer).T + bias, atol=1e-3, rtol=1e-4)


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
    assert not matrix(Zero()).any()


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
    assert count(make_layer(name, 1024, 1024, True, replace(DEFAULT, blocks=(blocks,)))) == expected


@pytest.mark.parametrize("name", LAYERS)
def test_every_parameter_has_a_gradient(name: str) -> None:
    options = replace(DEFAULT, blocks=(2,), paper=PaperWavelet("haar", 6, 3))
    layer = make_layer(name, N, N, True, options)
    y = layer(torch.randn(7, N))
    assert y.shape == (7, N)
    if name != "removed":
        y.square().mean().backward()
    trained = {key: p for key, p in layer.named_parameters() if p.requires_grad}
    dead = {key for key, p in trained.items() if p.grad is None or not p.grad.any()}
    assert dead == ({"down"} if name == "stack" else set())  # of the residual, which starts at zero


def test_stacks() -> None:
    torch.manual_seed(0)
    product = make_layer("wavelet", N, N, False, replace(DEFAULT, blocks=(3,)))
    assert isinstance(product, nn.Sequential)
    a, b, c = (part.to_dense() for part in product)  # type: ignore[operator]
    torch.testing.assert_close(matrix(product), (c @ b @ a).detach(), atol=1e-5, rtol=1e-5)
    total = make_layer("wavelet", N, N, True, replace(DEFAULT, blocks=(3,), combine="sum"))
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
    options = replace(DEFAULT, constraint=constraint)
    layer = make_layer("wavelet", N, N, False, options)
    assert isinstance(layer, lw.WaveletLinear)
    assert type(layer.filter) is kind
    assert describe("wavelet", N, options)[-1] == (constraint if constraint != "soft" else f"level {layer.level}")


def test_options_reach_the_layer() -> None:
    options = Options(wavelet="db3", mode="zero", level=2, blocks=(2,), combine="sum")
    layer = make_layer("wavelet", N, N, False, options)
    assert len(layer.terms[0].filter) == 6  # type: ignore[index, union-attr]
    assert describe("wavelet", N, options) == ("db3", "zero", "level 2", "sum of 2")
    assert describe("dense", 3, options) == ()
    rank = make_layer("low-rank", N, N, False, options)
    assert describe("low-rank", N, options) == (f"rank {rank.inner.out_features}",)  # type: ignore[union-attr]
    published = replace(options, blocks=(1,), published_slicing=True)
    paper = make_layer("wavelet-paper", N, N, False, published)
    assert isinstance(paper, PublishedSlicing)
    assert describe("wavelet-paper", N, published) == (
        "haar in 6 taps", "zero", "level 6", "published slicing",
    )  # fmt: skip


def test_taps_pad_the_start() -> None:
    options = Options(wavelet="haar", level=2, taps=24, constraint="orthogonal")
    layer = make_layer("wavelet", N, N, False, options)
    assert len(layer.filter) == 24  # type: ignore[arg-type]
    assert describe("wavelet", N, options) == ("haar in 24 taps", "periodization", "level 2", "orthogonal")
    eye = torch.eye(N)
    torch.testing.assert_close(matrix(layer) @ matrix(layer).T, eye, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="`taps` must not be given with constraint biorthogonal"):
        make_layer("wavelet", N, N, False, replace(options, wavelet=None, constraint="biorthogonal"))


def trained(name: str, multiplier: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the matrix of a layer at the start, how far its matrix moves in a step of Adam, and how far its bias."""
    torch.manual_seed(0)
    layer = make_layer(name, N, N, True, replace(DEFAULT, lr_multiplier=multiplier))
    bias = next(p for key, p in layer.named_parameters() if key.endswith("bias"))
    rows = (torch.eye(N), torch.zeros(N, N))

    def read() -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            return layer(rows[0]) - layer(rows[1]), bias.clone()

    start, before = read()
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-6, eps=1e-20)
    (layer(rows[0]) ** 2).sum().backward()
    optimizer.step()
    end, after = read()
    return start, (end - start).norm(), (after - before).norm()


def test_every_layer_is_of_one_kind() -> None:
    assert sorted((*DENSE, *SANDWICHES, *ALTERNATIVES, "removed")) == sorted(LAYERS)


@pytest.mark.parametrize("name", ALTERNATIVES)
def test_alternatives_learn_faster(name: str) -> None:
    start, moved, bias = trained(name, 1)
    same, further, again = trained(name, 8)
    torch.testing.assert_close(same, start, atol=1e-6, rtol=0)
    assert float(further / moved) == pytest.approx(8, rel=0.1)
    assert float(again / bias) == pytest.approx(1, rel=1e-3)
    assert "rate multiplier 8" in describe(name, N, replace(DEFAULT, lr_multiplier=8))
    assert not any("rate" in part for part in describe(name, N, replace(DEFAULT, lr_multiplier=1)))


def test_a_filter_for_each_block() -> None:
    shared, own = (make_tiled("wavelet", replace(DEFAULT, own_filters=own)) for own in (False, True))
    for sizes in ((N, 3 * N), (3 * N, N)):
        found = [
            len({id(m) for m in build(*sizes).modules() if isinstance(m, lw.WaveletFilter)}) for build in (shared, own)
        ]
        assert found == [1, 3]
    tiles = make_tiled("wavelet", replace(DEFAULT, own_filters=True))(N, 3 * N).tiles
    assert len({tuple(tile.permutation[0].tolist()) for tile in tiles}) == 3  # as the blocks of a layer have
    assert isinstance(make_tiled("wavelet", replace(DEFAULT, own_filters=True))(N, N), lw.WaveletLinear)
    assert describe("wavelet", N, replace(DEFAULT, own_filters=True))[-1] == "own filters"


@pytest.mark.parametrize("name", ["diagonal", "removed", "circulant"])
def test_square_layers(name: str) -> None:
    with pytest.raises(ValueError, match=f"the layer {name} must be square, got 8 inputs and 4 outputs"):
        make_layer(name, 8, 4, False, DEFAULT)


def published(n: int, level: int, wavelet: str = "haar", taps: int = 6) -> PublishedSlicing:
    options = Options(paper=PaperWavelet(wavelet, taps, level), published_slicing=True)
    layer = make_layer("wavelet-paper", n, n, False, options)
    assert isinstance(layer, PublishedSlicing)
    return layer


def coeff_lengths(n: int, taps: int, level: int) -> tuple[int, ...]:
    """Lengths of the details, finest first, and of the approximation."""
    lengths = []
    for _ in range(level):
        n = pywt.dwt_coeff_len(n, taps, "zero")
        lengths.append(n)
    return (*lengths, n)


def test_published_slices() -> None:
    lengths = coeff_lengths(1024, 6, 6)
    assert lengths == (20, 20, 36, 68, 132, 259, 514)[::-1]
    cuts = [(piece.start, piece.stop) for piece in published_slices(lengths)]
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
def test_published_slicing_leaves_as_many_coefficients_without_effect_as_published(
    n: int, level: int, wavelet: str, taps: int, used: int, dead: int
) -> None:
    pieces = published_slices(coeff_lengths(n, taps, level))
    assert len({index for piece in pieces for index in range(piece.start, piece.stop)}) == used
    layer = published(n, level, wavelet, taps)
    layer(torch.randn(3, n)).square().sum().backward()
    assert layer.diag_mid.grad is not None
    without = int((layer.diag_mid.grad == 0).sum())
    # Padded Haar has some coefficients that are always zero: how many of them are read is up to the permutation.
    assert layer.diag_mid.numel() - used <= without
    assert without == pytest.approx(dead, abs=10)


def test_the_slicing_is_all_that_differs() -> None:
    """At one level the slices are correct: the layer is the sandwich, as pywt computes it, with the detail first."""
    torch.manual_seed(0)
    layer = published(64, 1, "db6", 12)
    with torch.no_grad():
        for diagonal in (layer.diag_in, layer.diag_mid, layer.diag_out):
            diagonal.uniform_(0.5, 1.5)
    taps = layer.filter.filter_bank
    wavelet = pywt.Wavelet("learned", filter_bank=[part.tolist() for part in taps])
    x = torch.randn(3, 64)
    approximation, detail = pywt.dwt((x * layer.diag_in).detach().numpy(), wavelet, "zero")
    packed = torch.cat([torch.as_tensor(detail), torch.as_tensor(approximation)], dim=-1)
    detail, approximation = (packed[:, layer.permutation[0]] * layer.diag_mid[0]).detach().chunk(2, dim=-1)
    y = torch.as_tensor(pywt.idwt(approximation.numpy(), detail.numpy(), wavelet, "zero"))[:, :64]
    torch.testing.assert_close(layer(x), y * layer.diag_out, atol=1e-4, rtol=1e-4)
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
