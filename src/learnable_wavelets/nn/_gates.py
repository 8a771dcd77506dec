"""All gates of a cell as the operands of one kernel that runs the whole sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..kernels import _dispatch as kernels
from ..kernels._sandwich import Sandwich
from ..kernels._sharding import is_distributed
from ._fuse import SequenceContext, is_plain, read_operands
from ._layer import SandwichLayer

LONGEST = 40  # taps; longer filters are faster by FFT, step by step
WIDEST = 256  # states with dense gates: more are faster as large products, step by step


def stack_gates(modules: Sequence[nn.Module | None], width: int, context: SequenceContext) -> Sandwich | None:
    """Return the operands of all gates of this width, a row each; `None` where a loop has to call them.

    Args:
        modules: the layers of the gates, `None` for each dense one, whose row is not read.
        width: the size of the state.
        context: that of the sequence.
    """
    layers = [module for module in modules if module is not None and is_plain(module)]
    dense = modules.count(None)
    if not layers or len(layers) + dense < len(modules) or len({_kind(layer) for layer in layers}) > 1:
        return None
    first, like = layers[0], context.like
    layout = first._layout
    square = layout.in_features == layout.out_features == width and layout.blocks == 1
    if not square or (dense and width > WIDEST) or first.diag_out.dtype != like.dtype or is_distributed(first.diag_out):
        return None
    if not kernels.serves_sequences(like, getattr(first, "mode", "periodization")):
        return None
    parts = [read_operands(layer, context) for layer in layers]
    taps = {part.transform.taps for part in parts}
    if len(taps) > 1 or (max(taps) >= LONGEST and parts[0].transform.mode == "periodization"):
        return None
    made = iter(parts)
    every = [parts[0].tensors() if module is None else next(made).tensors() for module in modules]
    tensors = [None if row[0] is None else _stack(row, modules) for row in zip(*every, strict=True)]
    return Sandwich.from_flat((*tensors, *parts[0].constants()))


def _kind(layer: SandwichLayer) -> tuple[Any, ...]:
    """Return all that the gates of one kernel have in common."""
    options = tuple(getattr(layer, name, None) for name in ("mode", "level", "_taps"))
    return (type(layer), layer._layout, layer.lr_multiplier, layer.bias is None, layer.diag_out.dtype, *options)


def _stack(row: Sequence[Tensor], modules: Sequence[nn.Module | None]) -> Tensor:
    return torch.stack([(t if m is not None else t.detach()).reshape(-1) for t, m in zip(row, modules, strict=True)])
