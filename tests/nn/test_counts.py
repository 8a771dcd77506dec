"""Contract 10: the parameter counts of the paper's models, and checkpoints of O(n) bytes."""

import io

import pytest
import torch
from torch import nn

from learnable_wavelets import Fastfood, LearnableWaveletFilter, WaveletLinear


def wavelet(n: int, level: int, name: str = "haar", taps: int = 6) -> WaveletLinear:
    return WaveletLinear(n, n, bias=False, mode="zero", level=level, wavelet=LearnableWaveletFilter(name, taps=taps))


def fastfood(n: int) -> Fastfood:
    return Fastfood(n, n, bias=False)


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def lenet(channels: int, layer: nn.Module) -> list[nn.Module]:
    return [nn.Conv2d(1, 20, 5), nn.Conv2d(20, channels, 5), layer, nn.Linear(16 * channels, 10)]


def gru(inputs: int, hidden: int, outputs: int, *state: nn.Module) -> list[nn.Module]:
    """Three input matrices with bias, the given state matrices, a projection."""
    return [*(nn.Linear(inputs, hidden) for _ in range(3)), *state, nn.Linear(hidden, outputs)]


def db6(n: int, level: int) -> WaveletLinear:
    return wavelet(n, level, "db6", 12)


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        (lenet(50, wavelet(800, 6)), 36_030),
        (lenet(64, wavelet(1024, 6)), 45_955),
        (lenet(64, fastfood(1024)), 45_906),
        ([*lenet(50, nn.Linear(800, 500))[:3], nn.Linear(500, 10)], 431_080),
        (gru(2, 512, 1, *(wavelet(512, 8) for _ in range(3))), 9_900),
        (gru(2, 512, 1, *(wavelet(512, 4) for _ in range(3))), 9_852),
        (gru(2, 512, 1, *(fastfood(512) for _ in range(3))), 9_729),
        (gru(10, 512, 10, *(wavelet(512, 4) for _ in range(3))), 26_757),
        (gru(10, 512, 10, *(wavelet(512, 8) for _ in range(3))), 26_805),
        (gru(1, 58, 10, db6(58, 8), db6(58, 8), nn.Linear(58, 58, bias=False)), 4_912),
        (gru(1, 58, 10, *(db6(58, 8) for _ in range(3))), 1_853),
        (gru(1, 64, 10, *(db6(64, 4) for _ in range(3))), 1_880),
        (gru(1, 64, 10, *(wavelet(64, 4) for _ in range(3))), 1_733),
        (gru(1, 64, 10, *(fastfood(64) for _ in range(3))), 1_610),
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
    for n, skipped in ((1024, "permutation"), (4096, None)):
        state = {name: tensor for name, tensor in kind(n, n).state_dict().items() if name != skipped}
        dense = 4 * (n * n + n)
        assert sum(t.numel() * t.element_size() for t in state.values()) < 0.01 * dense
        if n == 4096:
            assert size(state) < 0.01 * dense  # on disk too: no view drags a big storage along
