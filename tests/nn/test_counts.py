"""Contract 10: the parameter counts of the paper's models, and checkpoints of O(n) bytes."""

import io
from collections.abc import Callable

import pytest
import torch
from torch import nn

from learnable_wavelets import Fastfood, LearnableWaveletFilter, WaveletLinear
from learnable_wavelets.nn import GRU


def wavelet(n: int, level: int, name: str = "haar", taps: int = 6) -> WaveletLinear:
    return WaveletLinear(n, n, bias=False, mode="zero", level=level, wavelet=LearnableWaveletFilter(name, taps=taps))


def fastfood(n: int) -> Fastfood:
    return Fastfood(n, n, bias=False)


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def lenet(channels: int, layer: nn.Module) -> list[nn.Module]:
    return [nn.Conv2d(1, 20, 5), nn.Conv2d(20, channels, 5), layer, nn.Linear(16 * channels, 10)]


def gru(inputs: int, hidden: int, outputs: int, layer: Callable[[int], nn.Module], *gates: str) -> list[nn.Module]:
    """A GRU in the form of the paper, all gates compressed if none is named, and a projection."""

    def factory(n: int, m: int, bias: bool, device: None, dtype: None) -> nn.Module:
        assert (n, m, bias) == (hidden, hidden, False)
        return layer(n)

    recurrent = GRU(inputs, hidden, recurrent_layer=factory, gates=gates or None, reset_after=False)
    x = torch.randn(2, 1, inputs)
    assert recurrent(x)[0].shape == (2, 1, hidden)
    return [recurrent, nn.Linear(hidden, outputs)]


def dense_gru(inputs: int, hidden: int, outputs: int) -> list[nn.Module]:
    return [GRU(inputs, hidden, gates=(), reset_after=False), nn.Linear(hidden, outputs)]


def db6(n: int, level: int) -> WaveletLinear:
    return wavelet(n, level, "db6", 12)


def haar4(n: int) -> WaveletLinear:
    return wavelet(n, 4)


def haar8(n: int) -> WaveletLinear:
    return wavelet(n, 8)


def db6_4(n: int) -> WaveletLinear:
    return db6(n, 4)


def db6_8(n: int) -> WaveletLinear:
    return db6(n, 8)


ONE, TWO = [("reset",), ("update",), ("state",)], [("reset", "update"), ("reset", "state"), ("update", "state")]
GRUS = {  # inputs, hidden, outputs; layer; one matrix, two, all three
    "adding": ((2, 512, 1), haar4, (530_986, 270_419, 9_852)),
    "adding, logs": ((2, 512, 1), haar8, (531_002, 270_451, 9_900)),
    "memory": ((10, 512, 10), haar4, (547_891, 287_324, 26_757)),
    "memory, logs": ((10, 512, 10), haar8, (547_907, 287_356, 26_805)),
    "sequential MNIST, as run": ((1, 64, 10), db6_4, (9_508, 5_694, 1_880)),
    "sequential MNIST, as intended": ((1, 64, 10), haar4, (9_459, 5_596, 1_733)),
    "sequential MNIST, log": ((1, 58, 10), db6_8, (7_971, 4_912, 1_853)),
}


@pytest.mark.parametrize("name", GRUS)
def test_recurrent_models_of_the_paper(name):
    sizes, layer, (one, two, full) = GRUS[name]
    assert {count(*gru(*sizes, layer, *gates)) for gates in ONE} == {one}
    assert {count(*gru(*sizes, layer, *gates)) for gates in TWO} == {two}
    assert count(*gru(*sizes, layer)) == full


@pytest.mark.parametrize(
    ("sizes", "dense", "fast"),
    [
        ((2, 512, 1), 791_553, 9_729),
        ((10, 512, 10), 808_458, 26_634),
        ((1, 64, 10), 13_322, 1_610),
        ((1, 58, 10), 11_030, None),
    ],
)
def test_recurrent_baselines_of_the_paper(sizes, dense, fast):
    assert count(*dense_gru(*sizes)) == dense
    if fast is not None:  # the published one takes powers of two
        assert count(*gru(*sizes, fastfood)) == fast


def test_characters_of_the_paper():
    embedding, sizes = nn.Embedding(49, 100), (100, 512, 49)
    assert count(embedding, *dense_gru(*sizes)) == 971_605
    assert count(embedding, *gru(*sizes, haar4, "state")) == 711_038
    assert count(embedding, *gru(*sizes, haar4, "state", "reset")) == 450_471
    assert count(embedding, *gru(*sizes, haar4)) == 189_904
    assert count(embedding, *gru(*sizes, fastfood)) == 189_781


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        (lenet(50, wavelet(800, 6)), 36_030),
        (lenet(64, wavelet(1024, 6)), 45_955),
        (lenet(64, fastfood(1024)), 45_906),
        ([*lenet(50, nn.Linear(800, 500))[:3], nn.Linear(500, 10)], 431_080),
    ],
)
def test_models_of_the_paper(modules, expected):
    assert count(*modules) == expected


@pytest.mark.parametrize(
    ("layer", "m", "total"),
    [
        (wavelet(800, 6), 826, 2450),
        (wavelet(1024, 6), 1049, 3121),
        (wavelet(512, 4), 529, 1577),
        (wavelet(512, 8), 545, 1593),
        (wavelet(64, 4), 81, 233),
        (db6(64, 4), 106, 282),
        (db6(58, 8), 141, 305),
        (WaveletLinear(1024, 1024), 1024, 4112),
        (fastfood(1024), 1024, 3072),
        (fastfood(512), 512, 1536),
    ],
)
def test_layers_of_the_paper(layer, m, total):
    assert layer.diag_mid.shape == layer.permutation.shape == (1, m)
    assert count(layer) == total
    assert layer.permutation.numel() == m  # and not m * m


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
@pytest.mark.parametrize(("n_in", "n_out"), [(10, 10), (64, 200), (200, 64), (1000, 10), (10, 1000)])
def test_parameters_grow_with_the_longer_side(kind, n_in, n_out):
    assert count(kind(n_in, n_out)) < 8 * max(n_in, n_out) + 80


def size(state: dict[str, torch.Tensor]) -> int:
    file = io.BytesIO()
    torch.save(state, file)
    return len(file.getvalue())


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_checkpoints_are_small(kind):
    for n, file in ((1024, 0.006), (4096, 0.002)):
        state, dense = kind(n, n).state_dict(), 4 * (n * n + n)
        assert sum(t.numel() * t.element_size() for t in state.values()) < 0.005 * dense
        assert size(state) < file * dense  # on disk too: no view drags a big storage along
