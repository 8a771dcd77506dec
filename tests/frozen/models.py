"""Models as a user of a release wrote them. The files in this folder were made from them: do not edit, only add."""

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

import learnable_wavelets as lw

HERE = Path(__file__).parent
CONFIG = lw.Compression(wavelet="db2", taps=8, level=2, depth=2, rank=1, seed=3, lr_multiplier=2.0)
ADAPTER = lw.Compression(layer="fastfood", seed=5)


class Bands(nn.Module):
    """The coefficients of a transform in one tensor."""

    def __init__(self, transform: nn.Module):
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(self.transform(x).coeffs, dim=-1)


def filtered(kind: type[lw.WaveletFilter], name: str, **keywords) -> nn.Module:
    return lw.WaveletLinear(12, 12, wavelet=kind(name), **keywords)


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 12))


# name: the model, and the shape of its input
LAYERS = {
    "wavelet": (lambda: lw.WaveletLinear(12, 12), (2, 12)),
    "wide": (lambda: lw.WaveletLinear(12, 31, wavelet="bior2.2", level=1, seed=7), (2, 12)),
    "narrow": (lambda: lw.WaveletLinear(31, 12, bias=False, seed=None, lr_multiplier=1.0), (2, 31)),
    "zero": (lambda: lw.WaveletLinear(12, 12, wavelet="db3", mode="zero", level=2), (2, 12)),
    "long": (lambda: filtered(partial(lw.LearnableWaveletFilter, taps=64), "haar"), (2, 12)),
    "orthogonal": (lambda: filtered(lw.OrthogonalWaveletFilter, "db3", mode="symmetric"), (2, 12)),
    "biorthogonal": (lambda: filtered(lw.BiorthogonalWaveletFilter, "bior2.2"), (2, 12)),
    "fastfood": (lambda: lw.Fastfood(12, 31), (2, 12)),
    "fastfood fixed": (lambda: lw.Fastfood(12, 12, adaptive=False, seed=2), (2, 12)),
    "stack": (lambda: lw.nn.Stack(12, 12, depth=2, rank=2), (2, 12)),
    "gru": (lambda: lw.nn.GRU(5, 12), (3, 2, 5)),
    "lstm": (lambda: lw.nn.LSTM(5, 12, gates=["input", "cell"], bidirectional=True), (3, 2, 5)),
    "gru cell": (lambda: lw.nn.GRUCell(5, 12, recurrent_layer=lw.Fastfood), (2, 5)),
    "dwt": (lambda: Bands(lw.nn.DWT("bior2.4", level=1)), (2, 21)),
    "swt": (lambda: Bands(lw.nn.SWT("db2", level=2)), (2, 21)),
}
PROGRAM = ("wavelet", "fastfood")
"""The layers that are exported."""


def output(model: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        y = model(x)
    return y if isinstance(y, Tensor) else y[0]
