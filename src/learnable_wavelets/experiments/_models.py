"""The paper's LeNet-5 with its big linear layer dense, Fastfood or wavelet."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

import learnable_wavelets as lw

FEATURES = 800


class WaveletOptions(NamedTuple):
    """What the command line may choose for the layer `wavelet`."""

    wavelet: str = "db2"
    mode: str = "periodization"
    level: int | None = None


class LeNet5(nn.Module):
    """Log-probabilities by two convolutions with pooling, `layer` in the place of the big linear one, and a classifier.

    As published: no ReLU after the convolutions, and dropout in the dense network only. The published code applies
    `Dropout2d` to the hidden *vector*, which is ordinary dropout; it is written so here.
    """

    def __init__(self, layer: nn.Module, hidden: int, dropout: tuple[float, float] = (0.0, 0.0)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.dropout1 = nn.Dropout2d(dropout[0])
        self.layer = layer
        self.dropout2 = nn.Dropout(dropout[1])
        self.classifier = nn.Linear(hidden, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(self.conv1(images), 2)
        x = self.dropout1(F.max_pool2d(self.conv2(x), 2))
        x = self.dropout2(torch.relu(self.layer(x.flatten(1))))
        return F.log_softmax(self.classifier(x), dim=-1)


def _dense(_: WaveletOptions) -> LeNet5:
    return LeNet5(nn.Linear(FEATURES, 500), 500, dropout=(0.25, 0.5))


def _fastfood(_: WaveletOptions) -> LeNet5:
    return LeNet5(lw.Fastfood(FEATURES, FEATURES, bias=False), FEATURES)


def _wavelet(options: WaveletOptions) -> LeNet5:
    layer = lw.WaveletLinear(
        FEATURES, FEATURES, bias=False, wavelet=options.wavelet, mode=options.mode, level=options.level
    )
    return LeNet5(layer, FEATURES)


def _wavelet_paper(_: WaveletOptions) -> LeNet5:
    bank = lw.LearnableWaveletFilter("haar", taps=6, alias="quadrature")
    return LeNet5(lw.WaveletLinear(FEATURES, FEATURES, bias=False, wavelet=bank, mode="zero", level=6), FEATURES)


LAYERS: dict[str, Callable[[WaveletOptions], LeNet5]] = {
    "dense": _dense,
    "fastfood": _fastfood,
    "wavelet": _wavelet,
    "wavelet-paper": _wavelet_paper,
}


def build(layer: str, options: WaveletOptions) -> LeNet5:
    """The network with `layer`, a key of `LAYERS`; its initial values follow torch's global generator."""
    if layer not in LAYERS:
        raise ValueError(f"`layer` must be one of {', '.join(LAYERS)}, got {layer!r}")
    return LAYERS[layer](options)


def settings(layer: str, options: WaveletOptions, network: LeNet5) -> str:
    """What tells this `layer` from others of its name, in words; nothing for layers without choices."""
    if not isinstance(network.layer, lw.WaveletLinear):
        return ""
    start = options.wavelet if layer == "wavelet" else "haar in 6 taps"
    return f"{start}, {network.layer.mode}, level {network.layer.level}"


def count(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
