"""The operands of a recurrent cell along a sequence as one record."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ._sandwich import Sandwich

GATES = {"gru_published": 3, "gru": 3, "lstm": 4}
"""Cells, and how many gates they have: reset, update, state; input, forget, cell, output."""


class Inputs(NamedTuple):
    """The inputs of a cell, rows ordered by step, and its dense matrices."""

    data: Tensor
    """`(rows, input_size)`, or without a matrix the products, `(rows, gates * hidden)`."""
    weight: Tensor | None = None
    """`(gates * hidden, input_size)`."""
    bias: Tensor | None = None
    """`(gates * hidden,)`."""
    weight_hh: Tensor | None = None
    """The recurrent matrices of the dense gates, `(dense gates * hidden, hidden)`."""
    bias_hh: Tensor | None = None
    """`(dense gates * hidden,)`."""


class Recurrence(NamedTuple):
    """A cell, how it runs, and the sandwiches of all of its gates."""

    cell: str
    """One of `GATES`."""
    sizes: Tensor | None
    """Rows of each step, int64 on the CPU, as in a `PackedSequence`; `None` if all have the rows of the first state."""
    gates: Sandwich
    """Each tensor with a row for each gate, `(gates, ...)`; layout, scale and the rest are those of one gate.

    The rows of dense gates are not read.
    """
    reverse: bool
    dense: tuple[int, ...] = ()
    """The gates that have a dense matrix, by number."""

    def steps(self, data: Tensor, h0: Tensor) -> list[int]:
        """Return the rows of each step."""
        if self.sizes is None:
            return [h0.shape[0]] * (data.shape[0] // h0.shape[0])
        return [int(size) for size in self.sizes.tolist()]
