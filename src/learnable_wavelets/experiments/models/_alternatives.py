"""Layers that a compressed layer must beat, with as many parameters or with hardly any."""

import math

import torch
from torch import nn
from torch.nn.utils import parametrize


class Diagonal(nn.Module):
    r"""$y = d \odot x + b$: no mixing of features. Square."""

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features = self.out_features = features
        self.scale = nn.Parameter(torch.ones(features))
        bound = features**-0.5
        self.bias = nn.Parameter(torch.empty(features).uniform_(-bound, bound)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * self.scale
        return y if self.bias is None else y + self.bias


class LowRank(nn.Module):
    r"""$y = U V x + b$ of rank r, started so that outputs have the variance of `nn.Linear`'s."""

    def __init__(self, in_features: int, out_features: int, rank: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.inner = nn.Linear(in_features, rank, bias=False)
        self.outer = nn.Linear(rank, out_features, bias=bias)
        nn.init.normal_(self.inner.weight, std=in_features**-0.5)
        nn.init.normal_(self.outer.weight, std=(3 * rank) ** -0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.outer(self.inner(x))
        return y


class Circulant(nn.Module):
    r"""$y = C_2 D C_1 x + b$: two circulant matrices and a diagonal, 3 n numbers like a sandwich. Square.

    Both circulants start orthogonal, with random phases; D starts at ones.
    """

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features = self.out_features = features
        self.first, self.second = (nn.Parameter(_orthogonal_circulant(features)) for _ in range(2))
        self.scale = nn.Parameter(torch.ones(features))
        bound = features**-0.5
        self.bias = nn.Parameter(torch.empty(features).uniform_(-bound, bound)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = _convolve(self.scale * _convolve(x, self.first), self.second)
        return y if self.bias is None else y + self.bias


def _convolve(x: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
    """Convolve circularly: multiply by the circulant matrix whose first column is `column`."""
    y: torch.Tensor = torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(column), n=x.shape[-1])
    return y


def _orthogonal_circulant(n: int) -> torch.Tensor:
    """Draw a real column whose spectrum has modulus 1."""
    phases = 2 * math.pi * torch.rand(n // 2 + 1)
    phases[0] = 0.0
    if n % 2 == 0:
        phases[-1] = 0.0
    column: torch.Tensor = torch.fft.irfft(torch.polar(torch.ones_like(phases), phases), n=n)
    return column


class Zero(nn.Module):
    """The no-layer control in a recurrent network: zeros, so that gates and candidate see the input alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)


class Sum(nn.Module):
    """The sum of layers over the square root of their number, so that the variance stays."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.terms = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = sum(term(x) for term in self.terms)
        return total / math.sqrt(len(self.terms))


class _Multiple(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, stored: torch.Tensor) -> torch.Tensor:
        return stored * self.factor

    def right_inverse(self, value: torch.Tensor) -> torch.Tensor:
        return value / self.factor


def learn_faster(layer: nn.Module, factor: float) -> None:
    """Store all parameters but the bias divided by `factor`, as `lr_multiplier` does with those of a sandwich.

    The function stays; under Adam, whose steps ignore the scale of gradients, the layer learns `factor` times as fast.
    """
    if factor == 1:
        return
    for module in list(layer.modules()):
        for name in list(module._parameters):
            if name != "bias" and module._parameters[name] is not None:
                parametrize.register_parametrization(module, name, _Multiple(factor))
