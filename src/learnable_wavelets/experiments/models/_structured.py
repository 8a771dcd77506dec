"""Structured matrices from the literature, written from their descriptions: the field's alternatives to a sandwich."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def make_bias(features: int, bias: bool) -> nn.Parameter | None:
    """Start a bias as that of a square `nn.Linear`."""
    bound = features**-0.5
    return nn.Parameter(torch.empty(features).uniform_(-bound, bound)) if bias else None


class Butterfly(nn.Module):
    r"""$y = B_2 P B_1 P x + b$ (BPBP): butterflies with tied 2 x 2 factors, P the bit reversal. Square.

    Dao, Gu, Eichhorn, Rudra, Ré, 2019, [arXiv 1903.05895](https://arxiv.org/abs/1903.05895). Features are padded with
    zeros to the next power of two m, and the first are kept: 8 (m - 1) numbers. Starts orthogonal, with random angles.
    """

    def __init__(self, features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features = self.out_features = features
        self._size = 1 << max(1, (features - 1).bit_length())
        halves = [1 << level for level in range(self._size.bit_length() - 1)]
        self.factors = nn.ParameterList(_turns(half) for _ in range(2) for half in halves)
        self.bias = make_bias(features, bias)
        self._reversal = _bit_reversal(self._size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.pad(x, (0, self._size - self.in_features))
        for twiddles in self.factors:
            half = twiddles.shape[-1]
            if half == 1:
                y = y[..., self._reversal.to(y.device)]
            pairs = y.reshape(*y.shape[:-1], -1, 2, half)
            y = (twiddles[0] * pairs + twiddles[1] * pairs.flip(-2)).flatten(-3)
        y = y[..., : self.out_features]
        return y if self.bias is None else y + self.bias


def _turns(half: int) -> nn.Parameter:
    """Draw `half` rotations: the diagonals `(2, half)` and, in `[1]`, what the other of a pair adds."""
    angles = 2 * math.pi * torch.rand(half)
    cos, sin = angles.cos(), angles.sin()
    return nn.Parameter(torch.stack([torch.stack([cos, cos]), torch.stack([-sin, sin])]))


def _bit_reversal(size: int) -> torch.Tensor:
    bits = size.bit_length() - 1
    return torch.tensor([int(f"{i:0{bits}b}"[::-1], 2) for i in range(size)], device="cpu")


class ToeplitzLike(nn.Module):
    r"""$y = \sum_i Z_1(g_i) Z_{-1}(h_i) x + b$: displacement rank r for $Z_1$, $Z_{-1}$. Square.

    2 r n numbers. $Z_f(v)$ is the f-circulant matrix with first column v. Thomas, Gu, Dao, Rudra, Ré, 2018,
    [arXiv 1810.02309](https://arxiv.org/abs/1810.02309). Starts with normal numbers that keep the variance.
    """

    def __init__(self, features: int, rank: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features = self.out_features = features
        self.outer = nn.Parameter(torch.randn(rank, features) * (features * rank) ** -0.5)
        self.inner = nn.Parameter(torch.randn(rank, features) * features**-0.5)
        self.bias = make_bias(features, bias)
        self._angles = torch.arange(features, device="cpu") * (math.pi / features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        turn = torch.polar(torch.ones_like(self._angles), self._angles).to(x.device)
        skew = torch.fft.fft(x.unsqueeze(-2) * turn) * torch.fft.fft(self.inner * turn)
        mixed = (torch.fft.ifft(skew) * turn.conj()).real
        spectrum = (torch.fft.rfft(mixed) * torch.fft.rfft(self.outer)).sum(-2)
        y: torch.Tensor = torch.fft.irfft(spectrum, n=self.in_features)
        return y if self.bias is None else y + self.bias


class Monarch(nn.Module):
    r"""$y = R\, P\, L\, x + b$: block-diagonal matrices of `groups` blocks each, P a transposition between them.

    Dao, Chen, Sohoni, et al., 2022, [arXiv 2204.00595](https://arxiv.org/abs/2204.00595). The factor that is square is
    on the narrow side. Starts with the variance of `nn.Linear`.
    """

    def __init__(self, in_features: int, out_features: int, groups: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features, self.groups = in_features, out_features, groups
        a, b = _divide("groups", groups, in_features), _divide("groups", groups, out_features)
        middle = min(a, b)
        self.inner = nn.Parameter(torch.randn(groups, a, middle) * a**-0.5)
        self.outer = nn.Parameter(torch.randn(groups, middle, b) * (3 * middle) ** -0.5)
        self.bias = make_bias(out_features, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = _by_blocks(x.reshape(*x.shape[:-1], self.groups, -1), self.inner)
        y = y.transpose(-1, -2).reshape(y.shape)
        y = _by_blocks(y, self.outer).transpose(-1, -2).flatten(-2)
        return y if self.bias is None else y + self.bias


class TensorTrain(nn.Module):
    r"""Block tensor train (BTT): like `Monarch` on a grid of two equal axes, with `rank` numbers between the factors.

    Qiu, Potapczynski, Finzi, Goldblum, Wilson, 2024, [arXiv 2406.06248](https://arxiv.org/abs/2406.06248). Axis sizes
    are the divisors next to the square root. Starts with the variance of `nn.Linear`.
    """

    def __init__(self, in_features: int, out_features: int, rank: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        a, c = near_root(in_features), near_root(out_features)
        b, d = in_features // a, out_features // c
        self._grid = (a, b, c, d, rank)
        self.inner = nn.Parameter(torch.randn(b, a, c * rank) * a**-0.5)
        self.outer = nn.Parameter(torch.randn(c, b * rank, d) * (3 * b * rank) ** -0.5)
        self.bias = make_bias(out_features, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b, c, _, rank = self._grid
        y = _by_blocks(x.reshape(*x.shape[:-1], b, a), self.inner)
        y = y.reshape(*y.shape[:-1], c, rank).transpose(-2, -3).flatten(-2)
        y = _by_blocks(y, self.outer).flatten(-2)
        return y if self.bias is None else y + self.bias


def near_root(n: int) -> int:
    """Return the largest divisor of n that is at most its square root."""
    return next(divisor for divisor in range(math.isqrt(n), 0, -1) if n % divisor == 0)


def _divide(name: str, groups: int, features: int) -> int:
    if features % groups:
        raise ValueError(f"`{name}` must divide {features}, got {groups}")
    return features // groups


def _by_blocks(x: torch.Tensor, blocks: torch.Tensor) -> torch.Tensor:
    """Multiply `(..., g, a)` by `(g, a, b)`, block by block."""
    return torch.einsum("...ga,gab->...gb", x, blocks)
