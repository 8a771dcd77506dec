"""Nested tensors through a layer, row by row, in both layouts."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor

from ..kernels._precision import cat


def apply_to_rows(function: Callable[[Tensor], Tensor], input: Tensor) -> Tensor:
    """Return `function` of every row of a nested tensor, in its layout and with its lengths.

    Raises:
        ValueError: the last dimension is ragged.
    """
    if input.layout == torch.jagged:
        if input.dim() < 3 or input._ragged_idx == input.dim() - 1:  # type: ignore[attr-defined]
            raise ValueError(f"`input` must not be ragged in its last dimension, got nested shape {tuple(input.shape)}")
        values = function(input.values())
        lengths, ragged = input.lengths(), input._ragged_idx  # type: ignore[attr-defined]
        offsets = input.offsets()  # type: ignore[attr-defined]
        return torch.nested.nested_tensor_from_jagged(values, offsets, lengths, jagged_dim=ragged)
    parts = input.unbind()
    if not parts or parts[0].dim() == 0 or len({part.shape[-1] for part in parts}) > 1:
        shapes = [tuple(part.shape) for part in parts]
        raise ValueError(f"`input` must have one last dimension in all of its parts, got nested shapes {shapes}")
    counts = [prod(part.shape[:-1]) for part in parts]
    flat = [part.reshape(count, part.shape[-1]) for part, count in zip(parts, counts, strict=True)]
    rows = function(cat(flat))
    pieces = torch.split(rows, counts)
    shaped = [piece.reshape(*part.shape[:-1], rows.shape[-1]) for piece, part in zip(pieces, parts, strict=True)]
    return torch.nested.as_nested_tensor(shaped)
