"""How square blocks make a rectangular layer: plain integers, as operators take them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Layout(NamedTuple):
    """Square blocks of width `n` between `in_features` inputs and `out_features` outputs.

    Wide (`sum_blocks` false): every block reads the whole input, zero-padded to n; their outputs are concatenated.
    Narrow (`sum_blocks` true): the input, zero-padded, is dealt out to the blocks; their outputs are summed.
    Either way surplus outputs are wrapped round and added (`wrap_outputs`), or cut off.

    Why not cut always: a wavelet synthesis is local, so the first few outputs of a wide one see only a few
    coefficients, and most of the layer would have no effect. `docs/theory.md` has the measurement.
    """

    in_features: int
    out_features: int
    n: int
    blocks: int
    sum_blocks: bool
    wrap_outputs: bool

    @property
    def diag_in_shape(self) -> tuple[int, ...]:
        """Shape of B: each input once, or once for each block that reads it."""
        return (self.in_features,) if self.sum_blocks else (self.blocks, self.in_features)

    @property
    def raw_outputs(self) -> int:
        """Number of outputs before surplus is wrapped or cut."""
        return self.n if self.sum_blocks else self.blocks * self.n

    def contributions(self) -> Tensor:
        """How many block outputs are added up in each output, `(out_features,)`; the sum over blocks not counted.

        On the CPU, in float64, whatever the default device and dtype are.
        """
        whole, rest = divmod(self.raw_outputs, self.out_features) if self.wrap_outputs else (1, 0)
        counts = torch.full((self.out_features,), float(whole), device="cpu", dtype=torch.float64)
        counts[:rest] += 1
        return counts


def wide_blocks(in_features: int, out_features: int, n: int, *, wrap_outputs: bool) -> Layout:
    """Blocks of width n >= in_features, as many as the outputs need."""
    return Layout(in_features, out_features, n, -(-out_features // n), sum_blocks=False, wrap_outputs=wrap_outputs)


def narrow_blocks(in_features: int, out_features: int, n: int, *, wrap_outputs: bool) -> Layout:
    """Blocks of width n, about out_features, as many as the inputs need."""
    return Layout(in_features, out_features, n, -(-in_features // n), sum_blocks=True, wrap_outputs=wrap_outputs)
