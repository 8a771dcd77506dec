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
    y, dense = x.new_empty((x.shape[0], h0.shape[1])), _dense(inputs, recurrence)
    last, cells = [torch.empty_like(s) for s in start], [torch.empty_like(y) for _ in start[1:]]
    _c.recurrent(
        *_addresses(x, *dense, *_pair(start), y, *_one(cells), *_pair(last)), *_numbers(inputs, h0, recurrence),
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
    dense = _dense(inputs, recurrence)
    wanted = (any(needs[1:3]), any(needs[3:5]))
    found_dense = [torch.empty_like(m) if m is not None and w else None for m, w in zip(dense, wanted, strict=True)]
    places = [0, *range(5, len(needs))]  # all but the dense matrices and their biases, which are one to the C
    leaves = [x, *start, *sources(x, tensors)[1:]]
    results = [
        torch.empty_like(t) if needs[p] and t is not None else x.new_empty(0)
        for p, t in zip(places, leaves, strict=True)
    ]
    data, *addresses = [r.data_ptr() if needs[p] else 0 for p, r in zip(places, results, strict=True)]
    if len(start) == 1:
        addresses.insert(1, 0)
    _c.recurrent_backward(
        *_addresses(x, *dense, *_pair(start), y, *_one(cells), grads[0], *_pair(grads[1:])),
        *_numbers(inputs, start[0], recurrence), *_addresses(*tensors), data, *_addresses(*found_dense), *addresses,
        DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    hidden, every = start[0].shape[1], range(GATES[recurrence.cell])
    both = [*_split(found_dense[0], every, hidden, x), *_split(found_dense[1], recurrence.dense, hidden, x)]
    of_dense = [g if needed else x.new_empty(0) for g, needed in zip(both, needs[1:5], strict=True)]
    return [results[0], *of_dense, *results[1:]]


def _dense(inputs: Inputs, recurrence: Recurrence) -> tuple[Tensor | None, Tensor | None]:
    """Return the dense matrices of the inputs and of the state as the C reads them."""
    _, weight, bias, weight_hh, bias_hh = inputs
    count, hidden = recurrence.gates.diag_in.shape
    every = range(count)
    return _spread(weight, bias, every, count, hidden), _spread(weight_hh, bias_hh, recurrence.dense, count, hidden)


def _spread(weight: Tensor | None, bias: Tensor | None, gates: Sequence[int], count: int, hidden: int) -> Tensor | None:
    """Return a matrix by input, the bias last, each gate padded to whole vectors; `gates` are those that it has."""
    if weight is None:
        return None
    padded = weight.new_zeros((weight.shape[1] + 1, count, -(-hidden // ALIGNMENT) * ALIGNMENT))
    padded[:-1, list(gates), :hidden] = weight.t().view(-1, len(gates), hidden)
    if bias is not None:
        padded[-1, list(gates), :hidden] = bias.view(-1, hidden)
    return padded


def _split(padded: Tensor | None, gates: Sequence[int], hidden: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return matrix and bias of `_spread`."""
    if padded is None:
        return like.new_empty(0), like.new_empty(0)
    matrix = padded[:, list(gates), :hidden].flatten(1)
    return matrix[:-1].t().contiguous(), matrix[-1].clone()


def _pair(states: Sequence[Tensor]) -> tuple[Tensor | None, Tensor | None]:
    return states[0], states[1] if len(states) > 1 else None


def _one(cells: Sequence[Tensor]) -> tuple[Tensor | None]:
    return (cells[0] if cells else None,)


def _addresses(*tensors: Tensor | None) -> list[int]:
    return [0 if t is None else t.data_ptr() for t in tensors]


def _numbers(inputs: Inputs, h0: Tensor, recurrence: Recurrence) -> tuple[int | float, ...]:
    """Return sizes and other numbers of a call in the order of the C."""
    cell, sizes, gates, reverse, dense = recurrence
    (kind, bank, mode, level), layout = gates.transform, gates.layout
    rows, (batch, hidden) = inputs.data.shape[0], h0.shape
    width = 0 if inputs.weight is None else inputs.data.shape[1]
    steps = rows // batch if sizes is None else sizes.shape[0]
    return (
        0 if sizes is None else sizes.data_ptr(), rows, steps, batch, width, hidden, CELLS[cell],
        sum(1 << gate for gate in dense), reverse, layout.wrap_outputs, layout.n,
        HADAMARD if kind == "hadamard" else MODES[mode], level, 0 if bank[0] is None else bank[0].shape[-1],
        gates.scale,
    )  # fmt: skip
