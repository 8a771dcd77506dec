"""Calls of the C extension for recurrent cells: checked tensors in, new tensors out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .._recurrence import GATES, Recurrence
from .._sandwich import sources
from . import _cpu as _c
from ._calls import DTYPES, HADAMARD, MODES

CELLS = {name: number for number, name in enumerate(GATES)}  # as the C numbers them


def recurrent(inputs: Tensor, start: tuple[Tensor, ...], recurrence: Recurrence) -> tuple[Tensor, ...]:
    """Return the outputs, the last states, and for an LSTM the second state after each step."""
    h0 = start[0]
    y = inputs.new_empty((inputs.shape[0], h0.shape[1]))
    last, cells = [torch.empty_like(s) for s in start], [torch.empty_like(y) for _ in start[1:]]
    _c.recurrent(
        *_addresses(inputs, *_pair(start), y, *_one(cells), *_pair(last)), *_numbers(inputs, h0, recurrence),
        *_addresses(*recurrence.gates.tensors()), DTYPES[inputs.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return (y, *last, *cells)


def recurrent_backward(
    grads: Sequence[Tensor],
    inputs: Tensor,
    start: tuple[Tensor, ...],
    recurrence: Recurrence,
    found: Sequence[Tensor],
    needs: Sequence[bool],
) -> list[Tensor]:
    """Return the gradients of the inputs, the first states, B, G, S, bias and the filters, from the stored states."""
    y, *cells = found
    tensors = recurrence.gates.tensors()
    wanted = [inputs, *start, *sources(inputs, tensors)[1:]]
    results = [
        torch.empty_like(t) if needed and t is not None else inputs.new_empty(0)
        for t, needed in zip(wanted, needs, strict=True)
    ]
    addresses = [r.data_ptr() if needed else 0 for r, needed in zip(results, needs, strict=True)]
    if len(start) == 1:
        addresses.insert(2, 0)
    _c.recurrent_backward(
        *_addresses(inputs, *_pair(start), y, *_one(cells), grads[0], *_pair(grads[1:])),
        *_numbers(inputs, start[0], recurrence), *_addresses(*tensors), *addresses,
        DTYPES[inputs.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return results


def _pair(states: Sequence[Tensor]) -> tuple[Tensor | None, Tensor | None]:
    return states[0], states[1] if len(states) > 1 else None


def _one(cells: Sequence[Tensor]) -> tuple[Tensor | None]:
    return (cells[0] if cells else None,)


def _addresses(*tensors: Tensor | None) -> list[int]:
    return [0 if t is None else t.data_ptr() for t in tensors]


def _numbers(inputs: Tensor, h0: Tensor, recurrence: Recurrence) -> tuple[int | float, ...]:
    """Return sizes and other numbers of a call in the order of the C."""
    cell, sizes, gates, reverse = recurrence
    (kind, bank, mode, level), layout = gates.transform, gates.layout
    rows, (batch, hidden) = inputs.shape[0], h0.shape
    steps = rows // batch if sizes is None else sizes.shape[0]
    return (
        0 if sizes is None else sizes.data_ptr(), rows, steps, batch, hidden, CELLS[cell], reverse, layout.wrap_outputs,
        layout.n, HADAMARD if kind == "hadamard" else MODES[mode], level, 0 if bank[0] is None else bank[0].shape[-1],
        gates.scale,
    )  # fmt: skip
