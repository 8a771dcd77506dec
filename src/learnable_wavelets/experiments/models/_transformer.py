"""A small character GPT whose feed-forward or attention matrices are layers by name."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from ._structured import make_bias

Factory = Callable[[int, int], nn.Module]
"""Makes a layer with a bias from its two sizes."""


class Tiled(nn.Module):
    """Square layers side by side: a wider output is their concatenation, a wider input is shared out and summed.

    `square` makes a layer from its place, its size, and whether it has a bias: a sum has a single one.
    """

    def __init__(self, in_features: int, out_features: int, square: Callable[[int, int, bool], nn.Module]) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        size, other = sorted((in_features, out_features))
        if other % size:
            raise ValueError(f"one size must be a multiple of the other, got {in_features} and {out_features}")
        wide = out_features >= in_features
        self.tiles = nn.ModuleList(square(tile, size, wide) for tile in range(other // size))
        self.bias = make_bias(size, not wide)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.bias is None:
            return torch.cat([tile(x) for tile in self.tiles], dim=-1)
        parts = [tile(part) for tile, part in zip(self.tiles, x.chunk(len(self.tiles), dim=-1), strict=True)]
        total: torch.Tensor = torch.stack(parts).sum(dim=0) / len(parts) ** 0.5
        return total + self.bias


class Attention(nn.Module):
    """Causal self-attention: four square layers round torch's scaled dot product."""

    def __init__(self, width: int, heads: int, factory: Factory) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (factory(width, width) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        shape = (batch, length, self.heads, width // self.heads)
        q, k, v = (layer(x).view(shape).transpose(1, 2) for layer in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y: torch.Tensor = self.out(mixed.transpose(1, 2).flatten(-2))
        return y


class FeedForward(nn.Module):
    """Two layers with a GELU between the `hidden` units."""

    def __init__(self, width: int, hidden: int, factory: Factory) -> None:
        super().__init__()
        self.inner, self.outer = factory(width, hidden), factory(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.outer(F.gelu(self.inner(x)))
        return y


class Block(nn.Module):
    """Attention and feed-forward with residuals, normalised before each; without a feed-forward if there is none."""

    def __init__(self, width: int, attention: nn.Module, feed_forward: nn.Module | None) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), attention
        self.feed_forward = feed_forward
        self.norm2 = None if feed_forward is None else nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        if self.norm2 is None or self.feed_forward is None:
            return x
        y: torch.Tensor = x + self.feed_forward(self.norm2(x))
        return y


class Transformer(nn.Module):
    """Symbols `(N, T)`, T at most `context`, to scores `(N, T, symbols)`.

    Args:
        symbols: size of the alphabet.
        context: the longest text.
        width, depth, heads, hidden: sizes; each feed-forward has `hidden` units.
        attention: makes the four square layers of each attention.
        feed_forward: makes the layers of the feed-forwards, or `None` for none.
    """

    def __init__(
        self,
        symbols: int,
        context: int,
        *,
        width: int,
        depth: int,
        heads: int,
        hidden: int,
        attention: Factory,
        feed_forward: Factory | None,
    ) -> None:
        super().__init__()
        self.embedding, self.position = nn.Embedding(symbols, width), nn.Embedding(context, width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.position.weight, std=0.02)
        self.blocks = nn.ModuleList(
            Block(
                width,
                Attention(width, heads, attention),
                None if feed_forward is None else FeedForward(width, hidden, feed_forward),
            )
            for _ in range(depth)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, symbols)

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        x = self.embedding(index) + self.position.weight[: index.shape[-1]]
        for block in self.blocks:
            x = block(x)
        scores: torch.Tensor = self.head(self.norm(x))
        return scores
