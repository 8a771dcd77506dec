"""The operators `gru` and `lstm` in flat form, checked, as `_flat` has the others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from torch import Tensor

from ._backend import BACKENDS, REFERENCE
from ._recurrence import Inputs, Recurrence
from ._sandwich import CONSTANTS, INDEX, TENSORS, Sandwich
from ._supports import Backend, RecurrentBackend
from ._validate import check_needs, check_operand, check_permutation
from ._validate_recurrent import check_recurrence, check_sizes, contiguous

TWIN = cast(RecurrentBackend, REFERENCE)
_OPERANDS = ", ".join(f"{kind} {name}" for name, kind in {**TENSORS, **CONSTANTS}.items())


class Call(NamedTuple):
    """The arguments of an operator: inputs and first states, then how they run."""

    inputs: Inputs
    start: tuple[Tensor, ...]
    recurrence: Recurrence

    def flat(self) -> tuple[Any, ...]:
        """Return the arguments in the order of the schema."""
        cell, sizes, gates, reverse, dense = self.recurrence
        kind = () if cell == "lstm" else (cell == "gru",)
        return (*self.inputs, *self.start, sizes, *gates.tensors(), *gates.constants(), list(dense), *kind, reverse)


class Cell(NamedTuple):
    """An operator: its name, its states, and the argument that not all have."""

    name: str
    states: tuple[str, ...]
    option: str

    @property
    def schema(self) -> str:
        states = ", ".join(f"Tensor {name}" for name in self.states)
        inputs = "Tensor inputs, Tensor? weight_ih, Tensor? bias_ih, Tensor? weight_hh, Tensor? bias_hh"
        return f"{inputs}, {states}, Tensor? sizes, {_OPERANDS}, int[] dense, {self.option}bool reverse"

    @property
    def schemas(self) -> dict[str, str]:
        """The schemas of the operator and its gradients."""
        results = 2 * len(self.states)
        grads, found = ", ".join(f"Tensor grad{i}" for i in range(1 + len(self.states))), "Tensor y"
        if len(self.states) > 1:
            found += ", Tensor cells"
        count = 4 + len(self.states) + len(TENSORS)
        return {
            self.name: f"({self.schema}) -> ({', '.join(['Tensor'] * results)})",
            f"{self.name}_backward": f"({grads}, {self.schema}, {found}, bool[] needs) -> "
            f"({', '.join(['Tensor'] * count)})",
        }

    @property
    def tensors(self) -> int:
        return 6 + len(self.states) + len(TENSORS)

    @property
    def places(self) -> list[int]:
        """Arguments that have a gradient: all tensors but `sizes` and the permutation."""
        first = 6 + len(self.states)
        return [p for p in range(self.tensors) if p not in (first - 1, first + INDEX)]

    def parse(self, arguments: Sequence[Any]) -> Call:
        inputs, rest = Inputs(*arguments[:5]), arguments[5:]
        count = len(self.states)
        start, sizes, operands = tuple(rest[:count]), rest[count], rest[count + 1 :]
        own = len(TENSORS) + len(CONSTANTS)
        dense, *options, reverse = operands[own:]
        cell = self.name if not options or options[0] else "gru_published"
        gates = Sandwich.from_flat(operands[:own])
        return Call(inputs, start, Recurrence(cell, sizes, gates, reverse, tuple(dense)))

    def split(self, arguments: Sequence[Any]) -> tuple[Sequence[Tensor], Call, Sequence[Tensor], list[bool]]:
        """Return gradients, the call, what it had stored, and which gradients are needed."""
        count = len(self.states)
        call = self.parse(arguments[1 + count : -1 - count])
        leaves = [arguments[1 + count + place] for place in self.places]
        return arguments[: 1 + count], call, arguments[-1 - count : -1], check_needs(arguments[-1], leaves)


GRU = Cell("gru", ("h0",), "bool reset_after, ")
LSTM = Cell("lstm", ("h0", "c0"), "")
CELLS = {cell.name: cell for cell in (GRU, LSTM)}
SCHEMAS = GRU.schemas | LSTM.schemas


def checked(backend: Backend, call: Call) -> tuple[RecurrentBackend, Call]:
    """Return a back end that serves the call, and the call, as kernels take it."""
    inputs, start, recurrence = call
    check_recurrence(inputs, start, recurrence)
    _, dtypes, devices = backend.RECURRENT
    if inputs.data.dtype not in dtypes or inputs.data.device.type not in devices:
        return TWIN, call
    return cast(RecurrentBackend, backend), Call(*contiguous(inputs, start, recurrence))


def _run(cell: Cell, backend: Backend, *arguments: Any) -> tuple[Tensor, ...]:
    runner, call = checked(backend, cell.parse(arguments))
    _check_values(runner, call)
    return runner.recurrent(*call)


def run_backward(cell: Cell, backend: Backend, *arguments: Any) -> tuple[Tensor, ...]:
    grads, call, found, needs = cell.split(arguments)
    runner, call = checked(backend, call)
    _check_values(runner, call)
    data = call.inputs.data
    shape = (data.shape[0], call.start[0].shape[1])
    shapes = [shape, *(s.shape for s in call.start)]
    for name, tensor, expected in zip(("grad0", "grad1", "grad2"), grads, shapes, strict=False):
        check_operand(name, tensor, tuple(expected), data.dtype, data)
    for name, tensor in zip(("y", "cells"), found, strict=False):
        check_operand(name, tensor, shape, data.dtype, data)
    grads, found = [g.contiguous() for g in grads], [f.contiguous() for f in found]
    return tuple(runner.recurrent_backward(grads, *call, found, needs))


def _check_values(backend: Backend, call: Call) -> None:
    check_sizes(call.inputs.data, call.start[0], call.recurrence.sizes)
    if backend is not BACKENDS["cpu"]:  # the C checks each entry of its own copy
        check_permutation(call.recurrence.gates.permutation)


def _fake(cell: Cell, *arguments: Any) -> tuple[Tensor, ...]:
    inputs, start, recurrence = cell.parse(arguments)
    check_recurrence(inputs, start, recurrence)
    data = inputs.data
    shape = (data.shape[0], start[0].shape[1])
    return (data.new_empty(shape), *(s.new_empty(s.shape) for s in start), *(data.new_empty(shape) for _ in start[1:]))


def _fake_backward(cell: Cell, *arguments: Any) -> tuple[Tensor, ...]:
    _, call, _, needs = cell.split(arguments)
    leaves = [call.flat()[place] for place in cell.places]
    return tuple(
        t.new_empty(t.shape) if needed else call.inputs.data.new_empty((0,))
        for t, needed in zip(leaves, needs, strict=True)
    )


def reference_recurrent_backward(cell: Cell, *arguments: Any) -> tuple[Tensor, ...]:
    """Return the gradients in plain torch, unchecked."""
    grads, call, found, needs = cell.split(arguments)
    return tuple(TWIN.recurrent_backward(grads, *call, found, needs))


gru, lstm = partial(_run, GRU), partial(_run, LSTM)
gru_backward, lstm_backward = partial(run_backward, GRU), partial(run_backward, LSTM)
fake_gru, fake_lstm = partial(_fake, GRU), partial(_fake, LSTM)
fake_gru_backward, fake_lstm_backward = partial(_fake_backward, GRU), partial(_fake_backward, LSTM)
