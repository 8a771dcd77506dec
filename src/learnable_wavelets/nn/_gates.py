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


def stack_gates(modules: Sequence[nn.Module], width: int, context: SequenceContext) -> Sandwich | None:
    """Return the operands of all gates of this width, a row each; `None` where a loop has to call them."""
    layers = [module for module in modules if is_plain(module)]
    if len(layers) < len(modules) or len({_kind(layer) for layer in layers}) > 1:
        return None
    first, like = layers[0], context.like
    layout = first._layout
    square = layout.in_features == layout.out_features == width and layout.blocks == 1
    if not square or first.diag_out.dtype != like.dtype or is_distributed(first.diag_out):
        return None
    if not kernels.serves_sequences(like, getattr(first, "mode", "periodization")):
        return None
    parts = [read_operands(layer, context) for layer in layers]
    taps = {part.transform.taps for part in parts}
    if len(taps) > 1 or (max(taps) >= LONGEST and parts[0].transform.mode == "periodization"):
        return None
    count, rows = len(parts), zip(*(part.tensors() for part in parts), strict=True)
    tensors = [None if row[0] is None else _stack(row).view(count, -1) for row in rows]
    return Sandwich.from_flat((*tensors, *parts[0].constants()))


def _kind(layer: SandwichLayer) -> tuple[Any, ...]:
    """Return all that the gates of one kernel have in common."""
    options = tuple(getattr(layer, name, None) for name in ("mode", "level", "_taps"))
    return (type(layer), layer._layout, layer.lr_multiplier, layer.bias is None, layer.diag_out.dtype, *options)


def _stack(row: Sequence[Tensor]) -> Tensor:
    return torch.stack([t.reshape(-1) for t in row])
