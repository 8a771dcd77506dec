"""Recurrent cells along a sequence, in plain torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import linear

from .._precision import cat, full_precision
from .._recurrence import GATES, Inputs, Recurrence
from .._sandwich import Sandwich, sources
from ._backward import gradients
from ._sandwich import sandwich

State = tuple[Tensor, ...]
Products = tuple[Tensor, ...]
Product = Callable[[Tensor], Tensor]
Step = Callable[[Products, State], State]


def recurrent(inputs: Inputs, start: tuple[Tensor, ...], recurrence: Recurrence) -> State:
    """Return the outputs, the last states, and for an LSTM the second state after each step.

    Args:
        inputs: the inputs and their dense matrix, or the input products of all gates, side by side.
        start: h, and c of an LSTM, `(batch, hidden)`.
        recurrence: the cell and its gates.
    """
    gates, (x, weight, bias, *_) = _products(inputs, recurrence), inputs
    with full_precision(x):
        products = x if weight is None else linear(x, weight, bias)
        steps = torch.split(products, recurrence.steps(x, start[0]))
        parts = [step.chunk(GATES[recurrence.cell], dim=-1) for step in steps]
        states, last = scan(
            lambda x, state: _STEPS[recurrence.cell](gates, x, state), parts, start,
            reverse=recurrence.reverse, kept=len(start),
        )  # fmt: skip
    return (states[0], *last, *states[1:])


def recurrent_backward(
    grads: Sequence[Tensor],
    inputs: Inputs,
    start: tuple[Tensor, ...],
    recurrence: Recurrence,
    found: Sequence[Tensor],
    needs: Sequence[bool],
) -> State:
    """Return the gradients of the inputs, the first states, B, G, S, bias and the filters; nothing stored is read."""
    gates, count = recurrence.gates, len(start)
    constants, permutation = gates.constants(), gates.permutation

    def function(*tensors: Tensor) -> Tensor:
        dense, rest = tensors[: len(inputs)], tensors[len(inputs) :]
        diag_in, *others = rest[count:]
        replaced = Sandwich.from_flat((diag_in, permutation, *others, *constants))
        results = recurrent(Inputs(*dense), rest[:count], recurrence._replace(gates=replaced))
        return torch.cat([t.reshape(-1) for t in results[: 1 + count]])

    leaves = (*inputs, *start, *sources(inputs.data, gates.tensors())[1:])
    return gradients(function, leaves, torch.cat([g.reshape(-1) for g in grads]), needs)


def scan(step: Step, inputs: Sequence[Products], start: State, *, reverse: bool, kept: int = 1) -> tuple[State, State]:
    """Return the first `kept` states after all steps, each concatenated, and the last states.

    The number of rows may fall along the sequence, as in a `PackedSequence`, which holds the longest sequences first:
    rows whose sequence has ended keep their state; in reverse, rows join where their sequence begins.
    """
    order = inputs[::-1] if reverse else inputs
    first = order[0][0].shape[0]
    state = tuple(s[:first] for s in start)
    ended: list[State] = []
    outputs: list[State] = []
    for x in order:
        rows, batch = state[0].shape[0], x[0].shape[0]
        if batch < rows:
            ended.append(tuple(s[batch:] for s in state))
            state = tuple(s[:batch] for s in state)
        elif batch > rows:
            state = tuple(cat([s, s0[rows:batch]]) for s, s0 in zip(state, start, strict=True))
        state = step(x, state)
        outputs.append(state[:kept])
    for rest in reversed(ended):
        state = tuple(cat([s, r]) for s, r in zip(state, rest, strict=True))
    columns = zip(*(outputs[::-1] if reverse else outputs), strict=True)
    return tuple(cat(column) for column in columns), state


def _products(inputs: Inputs, recurrence: Recurrence) -> list[Product]:
    """Return the product of each gate with a state."""
    products: list[Product] = [partial(sandwich, operands=gate) for gate in _split_gates(recurrence.gates)]
    weight, bias, count = inputs.weight_hh, inputs.bias_hh, len(recurrence.dense)
    if weight is not None:
        biases = [None] * count if bias is None else bias.chunk(count)
        for gate, w, b in zip(recurrence.dense, weight.chunk(count), biases, strict=True):
            products[gate] = partial(linear, weight=w, bias=b)
    return products


def _split_gates(gates: Sandwich) -> list[Sandwich]:
    """Return the sandwich of each gate."""
    rows = zip(*(_rows(t, gates.diag_in.shape[0]) for t in gates.tensors()), strict=True)
    constants = gates.constants()
    return [
        Sandwich.from_flat((diag_in[None], permutation[None], diag_mid[None], *rest, *constants))
        for diag_in, permutation, diag_mid, *rest in rows
    ]


def _rows(tensor: Tensor | None, count: int) -> Sequence[Tensor | None]:
    return [None] * count if tensor is None else tensor.unbind()


def _gru(gates: list[Product], x: Products, state: State) -> State:
    (h,) = state
    r, z = (torch.sigmoid(x[g] + gates[g](h)) for g in (0, 1))
    n = torch.tanh(x[2] + r * gates[2](h))
    return ((1 - z) * n + z * h,)


def _gru_published(gates: list[Product], x: Products, state: State) -> State:
    (h,) = state
    r, z = (torch.sigmoid(x[g] + gates[g](h)) for g in (0, 1))
    n = torch.tanh(x[2] + gates[2](r * h))
    return ((1 - z) * h + z * n,)


def _lstm(gates: list[Product], x: Products, state: State) -> State:
    h, c = state
    i, f, g, o = (part + gate(h) for part, gate in zip(x, gates, strict=True))
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


_STEPS = {"gru_published": _gru_published, "gru": _gru, "lstm": _lstm}
