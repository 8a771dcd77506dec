"""Cells along a sequence: layers, directions, padding-free batches, with the signature of torch's."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import dropout as drop
from torch.nn.functional import linear
from torch.nn.utils.rnn import PackedSequence

from .._checks import check_dropout, check_flag, check_size
from ..kernels import _dispatch as kernels
from ..kernels._precision import cat, stack
from ..kernels._recurrence import Inputs as KernelInputs
from ..kernels._recurrence import Recurrence
from ..kernels.reference import is_exporting_onnx, scan
from ._fuse import SequenceContext
from ._gates import stack_gates
from ._recurrent import Gated, Inputs, LayerFactory, State, check_dense

NARROW = 32  # inputs that the kernel multiplies itself: measured; more are faster as one large product


class Steps(NamedTuple):
    """The steps of a batch of sequences."""

    steps: int
    batch: int
    """Rows of the first step."""
    sizes: Tensor | None = None
    """Rows of each step; `None` if all have as many."""

    def to_list(self) -> list[int]:
        """Return the rows of each step."""
        return [self.batch] * self.steps if self.sizes is None else list(map(int, self.sizes.tolist()))


class Recurrent(Gated):
    """Base of `GRU` and `LSTM`."""

    _OWN_PARAMETER = "weight_ih_l0"

    @property
    @abstractmethod
    def _cell(self) -> str:
        """Return the name of the cell among `kernels._recurrence.GATES`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        *,
        recurrent_bias: bool,
        recurrent_layer: LayerFactory,
        gates: Iterable[str] | None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, recurrent_bias, recurrent_layer, gates)
        self.num_layers = check_size("num_layers", num_layers)
        self.batch_first = check_flag("batch_first", batch_first)
        self.dropout = check_dropout(dropout)
        self.bidirectional = check_flag("bidirectional", bidirectional)
        if dropout and num_layers == 1:
            message = f"`dropout` acts between layers: {dropout} has no effect with num_layers=1"
            warnings.warn(message, UserWarning, stacklevel=3)
        for layer in range(num_layers):
            size = input_size if layer == 0 else hidden_size * self._directions
            for reverse, suffix in enumerate(self._suffixes(layer)):
                number = layer * self._directions + reverse
                self._add_cell(size, suffix, recurrent_layer, device, dtype, number)
        self.reset_parameters()

    def flatten_parameters(self) -> None:
        """Do nothing. Kept for programs written for `torch.nn.GRU`."""

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: self._directions]

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        """Return the output of the last layer at every step, and the last state of every layer and direction."""
        if is_exporting_onnx():
            name = type(self).__name__
            raise RuntimeError(
                f"`{name}` would be one ONNX node a step and operation: export `{name}Cell` and loop over it"
            )
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        x = input
        dtype = self._result_dtype(x, hx, check_dense(x, self._own))
        if x.dim() not in (2, 3) or x.shape[-1] != self.input_size:
            expected = f"2-D (unbatched) or 3-D with a last dimension of {self.input_size}"
            raise ValueError(f"`input` must be {expected}, got shape {tuple(x.shape)}")
        unbatched = x.dim() == 2
        time_first = unbatched or not self.batch_first
        x = x.unsqueeze(1) if unbatched else x if time_first else x.transpose(0, 1)
        steps, batch = x.shape[:2]
        if steps == 0:
            raise ValueError(f"`input` must have at least one step, got shape {tuple(input.shape)}")
        cells = self.num_layers * self._directions
        state = self._read_state(hx, (cells, self.hidden_size) if unbatched else (cells, batch, self.hidden_size))
        if unbatched:
            state = tuple(s.unsqueeze(1) for s in state)
        y, last = self._run(x.reshape(steps * batch, self.input_size), Steps(steps, batch), state, dtype)
        y = y.view(steps, batch, y.shape[-1])
        y = y.squeeze(1) if unbatched else y if time_first else y.transpose(0, 1)
        return y, self._wrap_state(tuple(s.squeeze(1) for s in last) if unbatched else last)

    def _forward_packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        data, sizes, sorted_indices, unsorted_indices = packed
        x = data
        dtype = self._result_dtype(x, hx, check_dense(x, self._own))
        if x.dim() != 2 or x.shape[-1] != self.input_size:
            raise ValueError(f"`input` must hold vectors of {self.input_size} entries, got shape {tuple(x.shape)}")
        sizes_list = sizes.tolist()
        state = self._read_state(hx, (self.num_layers * self._directions, sizes_list[0], self.hidden_size))
        if sorted_indices is not None:
            state = tuple(s.index_select(1, sorted_indices) for s in state)
        y, last = self._run(x, Steps(len(sizes_list), sizes_list[0], sizes), state, dtype)
        if unsorted_indices is not None:
            last = tuple(s.index_select(1, unsorted_indices) for s in last)
        return PackedSequence(y, sizes, sorted_indices, unsorted_indices), self._wrap_state(last)

    def _wrap_state(self, state: State) -> Any:
        """Return the states as torch does: a tensor for a GRU, a pair for an LSTM."""
        return state[0] if self.STATES == 1 else state

    def _run(self, x: Tensor, steps: Steps, state: State, dtype: torch.dtype) -> tuple[Tensor, State]:
        """Run all layers on rows ordered by step; states are `(cells, batch, hidden)`."""
        starts = list(zip(*(s.unbind() for s in state), strict=True))
        ends: list[State] = []
        context = SequenceContext(state[0], {})
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                x = drop(x, self.dropout)
            outputs = []
            for reverse, suffix in enumerate(self._suffixes(layer)):
                y, end = self._run_cell(x, steps, starts[len(ends)], suffix, bool(reverse), context)
                outputs.append(y)
                ends.append(end)
            x = outputs[0] if len(outputs) == 1 else cat(outputs, dim=-1)
        return x.to(dtype), tuple(stack(states).to(dtype) for states in zip(*ends, strict=True))

    def _run_cell(
        self, x: Tensor, steps: Steps, start: State, suffix: str, reverse: bool, context: SequenceContext
    ) -> tuple[Tensor, State]:
        """Run one cell along the sequence: in one kernel where one serves it, else step by step."""
        modules = [getattr(self, gate + suffix) if gate in self.gates else None for gate in self.GATES]
        gates = stack_gates(modules, self.hidden_size, context) if steps.batch else None
        if gates is not None:
            dense = tuple(index for index, module in enumerate(modules) if module is None)
            recurrence = Recurrence(self._cell, steps.sizes, gates, reverse, dense)
            return kernels.recurrent(self._kernel_inputs(x, suffix), start, recurrence)
        outputs, end = scan(
            self._step(suffix, context), self._inputs(x, steps.to_list(), suffix), start, reverse=reverse
        )
        return outputs[0], end

    def _kernel_inputs(self, x: Tensor, suffix: str) -> KernelInputs:
        """Return the inputs of a kernel with the dense matrices of the cell."""
        weight, bias = self._input_weights(suffix)
        recurrent = getattr(self, "weight_hh" + suffix), getattr(self, "bias_hh" + suffix)
        if x.shape[-1] <= NARROW and x.dtype == weight.dtype:
            return KernelInputs(x, weight, bias, *recurrent)
        return KernelInputs(linear(x, weight, bias).to(weight.dtype), None, None, *recurrent)

    def _inputs(self, x: Tensor, sizes: list[int], suffix: str) -> list[Inputs]:
        """Return the input products of the gates, step by step, computed for the whole sequence at once.

        One product for each gate: the gradient of a joint product would cost one more copy.
        """
        weight, bias = self._input_weights(suffix)
        count = len(self.GATES)
        biases = (None,) * count if bias is None else bias.chunk(count)
        # under autocast the products have a half dtype, and the states must not
        gates = [linear(x, w, b).to(weight.dtype) for w, b in zip(weight.chunk(count), biases, strict=True)]
        return list(zip(*(torch.split(gate, sizes) for gate in gates), strict=True))

    def extra_repr(self) -> str:
        text = super().extra_repr()
        defaults = {"num_layers": 1, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        changed = {name: getattr(self, name) for name, default in defaults.items() if getattr(self, name) != default}
        return text + "".join(f", {name}={value}" for name, value in changed.items())
