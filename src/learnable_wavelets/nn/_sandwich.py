"""The formula that both layers share, y = S W^-1 G P W B x, and the rules for sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True)
class Layout:
    """How square blocks of width `n` make a rectangular layer.

    Wide (`reduce` false): every block reads the whole input, zero-padded to n; their outputs are concatenated.
    Narrow (`reduce` true): the input, zero-padded, is dealt out to the blocks; their outputs are summed.
    Either way surplus outputs are wrapped round and added (`wrap`), or cut off.

    Why not cut always: a wavelet synthesis is local, so the first few outputs of a wide one see only a few
    coefficients, and most of the layer would have no effect. `docs/theory.md` has the measurement.
    """

    in_features: int
    out_features: int
    n: int
    blocks: int
    reduce: bool
    wrap: bool

    @property
    def diag_in_shape(self) -> tuple[int, ...]:
        return (self.in_features,) if self.reduce else (self.blocks, self.in_features)

    @property
    def _made(self) -> int:
        """Number of outputs before surplus is wrapped or cut."""
        return self.n if self.reduce else self.blocks * self.n

    def deal(self, x: Tensor, diag_in: Tensor) -> Tensor:
        """`B x`, in blocks: `(..., in_features)` to `(..., blocks, n)`."""
        if self.reduce:
            padded = pad(x * diag_in, (0, self.blocks * self.n - self.in_features))
            return padded.view(*x.shape[:-1], self.blocks, self.n)
        return pad(x[..., None, :] * diag_in, (0, self.n - self.in_features))

    def gather(self, blocks: Tensor) -> Tensor:
        """`(..., blocks, n)` to `(..., out_features)`."""
        y = blocks.sum(-2) if self.reduce and self.blocks > 1 else blocks.flatten(-2)
        if not self.wrap:
            return y[..., : self.out_features]
        turns = -(-self._made // self.out_features)
        if turns == 1:
            return y
        padded = pad(y, (0, turns * self.out_features - self._made))
        return padded.view(*y.shape[:-1], turns, self.out_features).sum(-2)

    def contributions(self) -> Tensor:
        """How many block outputs are added up in each output, `(out_features,)`; the sum over blocks not counted."""
        whole, rest = divmod(self._made, self.out_features) if self.wrap else (1, 0)
        return torch.full((self.out_features,), whole) + (torch.arange(self.out_features) < rest)


def sandwich(
    x: Tensor,
    diag_in: Tensor,
    permutation: Tensor,
    diag_mid: Tensor,
    diag_out: Tensor,
    *,
    analysis: Callable[[Tensor], Tensor],
    synthesis: Callable[[Tensor], Tensor],
    layout: Layout,
) -> Tensor:
    r"""$y = S\, W^{-1}\, G\, P\, W\, B\, x$.

    Args:
        x: `(..., in_features)`.
        diag_in: the diagonal of B, `layout.diag_in_shape`.
        permutation: P as indices, `(blocks, m)`: coefficient i of the result is number `permutation[i]`.
        diag_mid: the diagonal of G, `(blocks, m)`.
        diag_out: the diagonal of S, `(out_features,)`.
        analysis: W on the last axis, n to m coefficients.
        synthesis: W^-1 on the last axis, m coefficients to n.
        layout: the rectangle.

    Returns:
        `(..., out_features)`.
    """
    coeffs = analysis(layout.deal(x, diag_in))
    mixed = _permute(coeffs, permutation) * diag_mid
    return layout.gather(synthesis(mixed)) * diag_out


def _permute(coeffs: Tensor, permutation: Tensor) -> Tensor:
    """Each block by its own permutation, as one gather along the last axis."""
    blocks, m = permutation.shape
    if blocks > 1:
        permutation = permutation + m * torch.arange(blocks, device=permutation.device)[:, None]
    return coeffs.flatten(-2).index_select(-1, permutation.flatten()).view(coeffs.shape)


def wide_blocks(in_features: int, out_features: int, n: int, *, wrap: bool) -> Layout:
    """Blocks of width n >= in_features, as many as the outputs need."""
    return Layout(in_features, out_features, n, -(-out_features // n), reduce=False, wrap=wrap)


def narrow_blocks(in_features: int, out_features: int, n: int) -> Layout:
    """Blocks of width n, about out_features, as many as the inputs need."""
    return Layout(in_features, out_features, n, -(-in_features // n), reduce=True, wrap=True)
