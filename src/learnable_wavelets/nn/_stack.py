"""`Stack`: a product of sandwiches plus a low-rank matrix."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from .._checks import check_choice, check_dtype, check_flag, check_input, check_int, check_size
from ..filters._base import copy_into
from ..functional._bank import WaveletLike
from ..kernels._precision import compute_dtype
from ._fastfood import Fastfood
from ._layer import LR_MULTIPLIER, SandwichLayer
from ._linear import WaveletLinear
from ._nested import apply_to_rows

LAYERS = ("wavelet", "fastfood")


class Stack(nn.Module):
    r"""A drop-in for `nn.Linear` between one sandwich and a dense matrix: $y = A_d \cdots A_1 x + U V x + \text{bias}$.

    Each $A_i$ is a `WaveletLinear` or a `Fastfood` without a bias, and $U V$ a matrix of rank `rank`. A single sandwich
    is a poor copy of a trained dense layer; a product of some, with a low-rank residual, is a better one.

    Args:
        in_features: size of each input.
        out_features: size of each output.
        bias: learn an additive bias.
        device: where the parameters live.
        dtype: their dtype.
        layer: `wavelet` or `fastfood`.
        depth: number of sandwiches; 0 leaves the low-rank matrix alone.
        rank: rank of the residual; 0 leaves it out.
        wavelet: as of `WaveletLinear`. Each sandwich makes its own filter, unless a `WaveletFilter` module is given.
        level: as of `WaveletLinear`.
        mode: as of `WaveletLinear`.
        dropout: probability of zeroing an entry of the diagonals.
        seed: the permutations follow from it; `None` for none.
        lr_multiplier: the factor between the stored and the effective diagonals.

    Shape:
        `(..., in_features)` to `(..., out_features)`, any leading dimensions.

    Attributes:
        factors: the sandwiches in the order in which they are applied, an `nn.ModuleList`.
        down: V, `(rank, in_features)`, or `None`.
        up: U, `(out_features, rank)`, or `None`.
        bias: `(out_features,)`, or `None`.

    Raises:
        ValueError: an unknown `layer`, a negative `depth` or `rank`, or both of them 0; as the layers.
        TypeError: as the layers.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> layer = lw.nn.Stack(256, 256, bias=False, depth=4, rank=2, wavelet="haar")
        >>> layer(torch.randn(8, 256)).shape, sum(p.numel() for p in layer.parameters())
        (torch.Size([8, 256]), 4128)
        >>> matrix = layer.to_dense()
        >>> torch.allclose(matrix @ matrix.T, torch.eye(256), atol=1e-5)  # orthogonal at the start
        True

    Notes:
        All sandwiches but one are square, as wide as the larger of the two sizes. U starts at zero, so that the
        residual adds nothing at first; alone (`depth=0`) it starts with outputs of variance 1 for N(0, 1) inputs.
        Dropout acts on the diagonals only.
    """

    down: Tensor | None
    up: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        layer: str = "wavelet",
        depth: int = 4,
        rank: int = 0,
        wavelet: WaveletLike = "db2",
        level: int | None = None,
        mode: str = "periodization",
        dropout: float = 0.0,
        seed: int | None = 0,
        lr_multiplier: float = LR_MULTIPLIER,
    ) -> None:
        super().__init__()
        self.in_features = check_size("in_features", in_features)
        self.out_features = check_size("out_features", out_features)
        self.layer = check_choice("layer", layer, LAYERS)
        self.depth, self.rank = check_depth_and_rank(depth, rank)
        options: dict[str, Any] = {"device": device, "dtype": check_dtype(dtype)}
        keywords: dict[str, Any] = {"dropout": dropout, "seed": seed, "lr_multiplier": lr_multiplier, **options}
        if layer == "wavelet":
            keywords |= {"wavelet": wavelet, "level": level, "mode": mode}
        kind: Any = WaveletLinear if layer == "wavelet" else Fastfood
        sizes = _factor_sizes(self.in_features, self.out_features, self.depth)
        self.factors = nn.ModuleList(kind(*size, bias=False, **keywords) for size in sizes)
        shapes = {
            "down": (self.rank, self.in_features) if rank else None,
            "up": (self.out_features, self.rank) if rank else None,
            "bias": (self.out_features,) if check_flag("bias", bias) else None,
        }
        for name, shape in shapes.items():
            self.register_parameter(name, None if shape is None else nn.Parameter(torch.empty(shape, **options)))
        self._reset_own()

    def reset_parameters(self) -> None:
        """Start the sandwiches, with the filters that they made, the residual and the bias again."""
        for factor in self.sandwiches():
            factor.reset_parameters()
        self._reset_own()

    @torch.no_grad()
    def _reset_own(self) -> None:
        bound = self.in_features**-0.5
        if self.down is not None and self.up is not None:
            copy_into(self.down, _empty_like(self.down).normal_(0, bound))
            copy_into(self.up, _empty_like(self.up).normal_(0, 0 if self.depth else self.rank**-0.5))
        if self.bias is not None:
            copy_into(self.bias, _empty_like(self.bias).uniform_(-bound, bound))

    def sandwiches(self) -> list[SandwichLayer]:
        """Return the factors, the first applied first."""
        return [*self.factors]

    def forward(self, input: Tensor) -> Tensor:
        """Return `(..., out_features)` for `(..., in_features)`."""
        if isinstance(input, Tensor) and input.is_nested:
            return apply_to_rows(partial(Stack.forward, self), input)
        x = input
        if self.depth:
            for factor in self.factors:
                x = factor(x)
        if self.down is None or self.up is None:
            return x if self.bias is None else x + self.bias.to(x.dtype)
        check_input(input, self.down)
        if input.dim() == 0 or input.shape[-1] != self.in_features:
            raise ValueError(
                f"`input` must have a last dimension of {self.in_features}, got shape {tuple(input.shape)}"
            )
        residual = linear(linear(input, self.down), self.up, self.bias)
        return residual + x if self.depth else residual

    def to_dense(self) -> Tensor:
        """Return the matrix `(out_features, in_features)` that the layer applies before the bias, without dropout."""
        own = next(self.parameters())
        matrix = torch.eye(self.in_features, dtype=compute_dtype(own.dtype), device=own.device)
        if self.depth:
            for factor in self.sandwiches():
                matrix = factor.to_dense().to(matrix) @ matrix
        if self.down is not None and self.up is not None:
            residual = self.up.to(matrix) @ self.down.to(matrix)
            matrix = matrix + residual if self.depth else residual
        return matrix.to(own.dtype)

    def extra_repr(self) -> str:
        text = f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        return f"{text}, layer={self.layer!r}, depth={self.depth}, rank={self.rank}"


def _empty_like(parameter: Tensor) -> Tensor:
    """Return a plain tensor, also for a parameter that is sharded."""
    return torch.empty(parameter.shape, dtype=parameter.dtype, device=parameter.device)


def check_depth_and_rank(depth: Any, rank: Any) -> tuple[int, int]:
    """Return both numbers; at least one of them must be positive."""
    depth, rank = check_int("depth", depth), check_int("rank", rank)
    for name, value in (("depth", depth), ("rank", rank)):
        if value < 0:
            raise ValueError(f"`{name}` must be at least 0, got {value}")
    if depth == rank == 0:
        raise ValueError("`rank` must be at least 1 where `depth` is 0, got 0")
    return depth, rank


def _factor_sizes(in_features: int, out_features: int, depth: int) -> list[tuple[int, int]]:
    """Return the sizes of the factors: all square but the one that changes the width."""
    if depth == 0:
        return []
    if out_features > in_features:
        return [(in_features, out_features), *[(out_features, out_features)] * (depth - 1)]
    return [*[(in_features, in_features)] * (depth - 1), (in_features, out_features)]
