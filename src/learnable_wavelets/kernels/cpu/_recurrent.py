"""Calls of the C extension for recurrent cells: checked tensors in, new tensors out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .._recurrence import GATES, Inputs, Recurrence
from .._sandwich import sources
from . import _cpu as _c
from ._calls import DTYPES, HADAMARD, MODES

ALIGNMENT = 16  # lw_aligned_size
CELLS = {name: number for number, name in enumerate(GATES)}  # as the C numbers them


def recurrent(inputs: Inputs, start: tuple[Tensor, ...], recurrence: Recurrence) -> tuple[Tensor, ...]:
    """Return the outputs, the last states, and for an LSTM the second state after each step."""
    x, h0 = inputs.data, start[0]
    y, weight = x.new_empty((x.shape[0], h0.shape[1])), _weight(inputs, recurrence)
    last, cells = [torch.empty_like(s) for s in start], [torch.empty_like(y) for _ in start[1:]]
    _c.recurrent(
        *_addresses(x, weight, *_pair(start), y, *_one(cells), *_pair(last)), *_numbers(inputs, h0, recurrence),
        *_addresses(*recurrence.gates.tensors()), DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return (y, *last, *cells)


def recurrent_backward(
    grads: Sequence[Tensor],
    inputs: Inputs,
    start: tuple[Tensor, ...],
    recurrence: Recurrence,
    found: Sequence[Tensor],
    needs: Sequence[bool],
) -> list[Tensor]:
    """Return the gradients of the inputs, the first states, B, G, S, bias and the filters, from the stored states."""
    x, (y, *cells), tensors = inputs.data, found, recurrence.gates.tensors()
    weight = _weight(inputs, recurrence)
    g_weight = torch.empty_like(weight) if weight is not None and any(needs[1:3]) else None
    places = [0, *range(3, len(needs))]  # all but the dense matrix and its bias, which are one to the C
    leaves = [x, *start, *sources(x, tensors)[1:]]
    results = [
        torch.empty_like(t) if needs[p] and t is not None else x.new_empty(0)
        for p, t in zip(places, leaves, strict=True)
    ]
    data, *addresses = [r.data_ptr() if needs[p] else 0 for p, r in zip(places, results, strict=True)]
    if len(start) == 1:
        addresses.insert(1, 0)
    _c.recurrent_backward(
        *_addresses(x, weight, *_pair(start), y, *_one(cells), grads[0], *_pair(grads[1:])),
        *_numbers(inputs, start[0], recurrence), *_addresses(*tensors), data, *_addresses(g_weight), *addresses,
        DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    gradients = [x.new_empty(0)] * 2
    if g_weight is not None:
        matrix = g_weight[..., : start[0].shape[1]].flatten(1)
        gradients = [matrix[:-1].t().contiguous(), matrix[-1].clone()]
    of_dense = [g if needed else x.new_empty(0) for g, needed in zip(gradients, needs[1:3], strict=True)]
    return [results[0], *of_dense, *results[1:]]


def _weight(inputs: Inputs, recurrence: Recurrence) -> Tensor | None:
    """Return the dense matrix by input, the bias last, each gate padded to whole vectors."""
    data, weight, bias = inputs
    if weight is None:
        return None
    count, hidden = recurrence.gates.diag_in.shape
    padded = weight.new_zeros((data.shape[1] + 1, count, -(-hidden // ALIGNMENT) * ALIGNMENT))
    padded[:-1, :, :hidden] = weight.t().view(-1, count, hidden)
    if bias is not None:
        padded[-1, :, :hidden] = bias.view(count, hidden)
    return padded


def _pair(states: Sequence[Tensor]) -> tuple[Tensor | None, Tensor | None]:
    return states[0], states[1] if len(states) > 1 else None


def _one(cells: Sequence[Tensor]) -> tuple[Tensor | None]:
    return (cells[0] if cells else None,)


def _addresses(*tensors: Tensor | None) -> list[int]:
    return [0 if t is None else t.data_ptr() for t in tensors]


def _numbers(inputs: Inputs, h0: Tensor, recurrence: Recurrence) -> tuple[int | float, ...]:
    """Return sizes and other numbers of a call in the order of the C."""
    cell, sizes, gates, reverse = recurrence
    (kind, bank, mode, level), layout = gates.transform, gates.layout
    rows, (batch, hidden) = inputs.data.shape[0], h0.shape
    width = 0 if inputs.weight is None else inputs.data.shape[1]
    steps = rows // batch if sizes is None else sizes.shape[0]
    return (
        0 if sizes is None else sizes.data_ptr(), rows, steps, batch, width, hidden, CELLS[cell], reverse,
        layout.wrap_outputs, layout.n, HADAMARD if kind == "hadamard" else MODES[mode], level,
        0 if bank[0] is None else bank[0].shape[-1], gates.scale,
    )  # fmt: skip
