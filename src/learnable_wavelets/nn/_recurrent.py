"""The base of cells and recurrent layers: parameters by gate, and the products of a state with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from .._checks import check_dtype, check_flag, check_input, check_size, shown
from ._fuse import SequenceContext, fuse
from ._numbering import numbered

LayerFactory = Callable[..., nn.Module]
State = tuple[Tensor, ...]
Inputs = tuple[Tensor, ...]  # the input product of each gate
Step = Callable[[Inputs, State], State]


class Gated(nn.Module, ABC):
    """Base of the cells and, through `Recurrent`, of the layers; a suffix names the parameters of each cell."""

    GATES: ClassVar[tuple[str, ...]]
    STATES: ClassVar[int] = 1
    AUTOCAST: ClassVar[bool] = False  # under autocast, return the dtype of autocast
    _OWN_PARAMETER: ClassVar[str]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        recurrent_bias: bool,
        recurrent_layer: LayerFactory,
        gates: Iterable[str] | None,
    ) -> None:
        super().__init__()
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.bias = check_flag("bias", bias)
        self.gates = check_gates(gates, self.GATES)
        kind = recurrent_layer if isinstance(recurrent_layer, type) else type(recurrent_layer)
        makes = issubclass(kind, nn.Module) if kind is recurrent_layer else callable(recurrent_layer)
        if not makes or isinstance(recurrent_layer, nn.Module):
            kinds = "a class such as WaveletLinear or a function that makes a layer"
            raise TypeError(f"`recurrent_layer` must be {kinds}, got {kind.__name__}")
        self._recurrent_bias = recurrent_bias
        self._dense = tuple(gate for gate in self.GATES if gate not in self.gates)

    def _add_cell(
        self,
        input_size: int,
        suffix: str,
        recurrent_layer: LayerFactory,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        number: int = 0,
    ) -> None:
        """Add the parameters of cell `number`; the dense ones have torch's names."""
        check_dtype(dtype)
        hidden = self.hidden_size
        rows, dense = len(self.GATES) * hidden, len(self._dense) * hidden
        shapes = {
            "weight_ih": (rows, input_size),
            "weight_hh": (dense, hidden) if dense else None,
            "bias_ih": (rows,) if self.bias else None,
            "bias_hh": (dense,) if dense and self._recurrent_bias else None,
        }
        for name, shape in shapes.items():
            values = None if shape is None else nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
            self.register_parameter(name + suffix, values)
        for gate in self.gates:
            with numbered(number * len(self.GATES) + self.GATES.index(gate)):
                layer = recurrent_layer(hidden, hidden, bias=self._recurrent_bias, device=device, dtype=dtype)
            if not isinstance(layer, nn.Module):
                raise TypeError(f"`recurrent_layer` must make a torch.nn.Module, got {type(layer).__name__}")
            self.add_module(gate + suffix, layer)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        r"""Start the dense matrices and the biases again, uniform in $\pm 1/\sqrt{\text{hidden\_size}}$ as in torch.

        The modules from `recurrent_layer` stay as they are: they have a `reset_parameters` of their own.
        """
        bound = self.hidden_size**-0.5
        for parameter in self.parameters(recurse=False):
            parameter.uniform_(-bound, bound)

    @abstractmethod
    def _step(self, suffix: str, context: SequenceContext) -> Step:
        """Return the step of a cell as a function, with the present filters and dropout masks."""

    @property
    def _own(self) -> Tensor:
        """Return the parameter whose device and dtype the inputs must have; replicas of DataParallel list none."""
        return getattr(self, self._OWN_PARAMETER)  # type: ignore[no-any-return]

    def _input_weights(self, suffix: str) -> tuple[Tensor, Tensor | None]:
        """Return the input matrices of all gates, concatenated, and their biases."""
        return getattr(self, "weight_ih" + suffix), getattr(self, "bias_ih" + suffix)

    def _products(
        self, suffix: str, gates: tuple[str, ...], context: SequenceContext
    ) -> Callable[[Tensor], list[Tensor]]:
        """Return a function of h that computes its products with the recurrent matrices of these gates, in order."""
        parts: list[tuple[list[int], Callable[[Tensor], Tensor]]] = []
        dense = [index for index, gate in enumerate(gates) if gate in self._dense]
        if dense:
            parts.append((dense, self._dense_product(suffix, [gates[index] for index in dense])))
        modular = [index for index, gate in enumerate(gates) if gate in self.gates]
        modules = [self.get_submodule(gates[index] + suffix) for index in modular]
        parts += [([modular[i] for i in group], function) for group, function in fuse(modules, context)]

        def products(h: Tensor) -> list[Tensor]:
            found: dict[int, Tensor] = {}
            for indices, function in parts:
                y = function(h)
                if not isinstance(y, Tensor):
                    raise TypeError(f"`recurrent_layer` must make layers that return a tensor, got {type(y).__name__}")
                if y.shape[-1] != len(indices) * h.shape[-1]:
                    expected = f"{len(indices) * h.shape[-1]} outputs from {h.shape[-1]} inputs"
                    raise ValueError(f"`recurrent_layer` must make layers with {expected}, got {y.shape[-1]}")
                # a chunk of the whole would cost a copy in the backward pass
                y = y.to(h.dtype)  # of autocast, whose half type may not mix with that of the states
                found.update(zip(indices, y.chunk(len(indices), dim=-1) if len(indices) > 1 else (y,), strict=True))
            return [found[index] for index in range(len(gates))]

        return products

    def _dense_product(self, suffix: str, gates: list[str]) -> Callable[[Tensor], Tensor]:
        """Return one product for several dense gates with adjacent rows."""
        weight: Tensor = getattr(self, "weight_hh" + suffix)
        bias: Tensor | None = getattr(self, "bias_hh" + suffix)
        if len(gates) < len(self._dense):
            start, length = self._dense.index(gates[0]) * self.hidden_size, len(gates) * self.hidden_size
            weight = weight.narrow(0, start, length)
            bias = None if bias is None else bias.narrow(0, start, length)
        return lambda h: linear(h, weight, bias)

    def _read_state(self, hx: Any, shape: tuple[int, ...]) -> State:
        """Return the initial state as tensors of this shape; zeros for `None`."""
        own = self._own
        if hx is None:
            return (own.new_zeros(shape),) * self.STATES
        if self.STATES == 1:
            named = {"hx": hx}
        elif isinstance(hx, (tuple, list)) and len(hx) == self.STATES:
            named = {f"hx[{index}]": state for index, state in enumerate(hx)}
        else:
            raise TypeError(f"`hx` must be a pair of tensors (h_0, c_0), got {type(hx).__name__}")
        for name, state in named.items():
            check_dense(state, own, name)
            if state.shape != shape:
                raise ValueError(f"`{name}` must have shape {shape}, got {tuple(state.shape)}")
        return tuple(state.to(own.dtype) for state in named.values())

    def _result_dtype(self, input: Tensor, hx: Any, autocast: torch.dtype) -> torch.dtype:
        """Return torch's dtype of outputs and states: under autocast only `nn.LSTM` takes that of autocast."""
        if self.AUTOCAST:
            return autocast
        first = hx[0] if isinstance(hx, (tuple, list)) and hx else hx
        dtype: torch.dtype = input.dtype if first is None else getattr(first, "dtype", input.dtype)
        return dtype

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        return text + ("" if self.bias else ", bias=False") + f", gates={self.gates}"


class Cell(Gated):
    """Base of `GRUCell` and `LSTMCell`: one step."""

    _OWN_PARAMETER = "weight_ih"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        recurrent_bias: bool,
        recurrent_layer: LayerFactory,
        gates: Iterable[str] | None,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, recurrent_bias, recurrent_layer, gates)
        self._add_cell(input_size, "", recurrent_layer, device, dtype)
        self.reset_parameters()

    def _forward(self, input: Tensor, hx: Any) -> State:
        x = input
        dtype = self._result_dtype(x, hx, check_dense(x, self._own))
        if x.dim() not in (1, 2) or x.shape[-1] != self.input_size:
            expected = f"1-D (unbatched) or 2-D with a last dimension of {self.input_size}"
            raise ValueError(f"`input` must be {expected}, got shape {tuple(x.shape)}")
        state = self._read_state(hx, (*x.shape[:-1], self.hidden_size))
        weight, bias = self._input_weights("")
        # under autocast the products have a half dtype, and the states must not
        inputs = linear(x, weight, bias).to(weight.dtype).chunk(len(self.GATES), dim=-1)
        return tuple(s.to(dtype) for s in self._step("", SequenceContext(state[0], {}))(inputs, state))


def check_dense(value: Any, own: Tensor, name: str = "input") -> torch.dtype:
    """Check an input or a state as every layer does, and refuse nested tensors; `PackedSequence` is for ragged ones."""
    dtype = check_input(value, own, name)
    if value.is_nested:
        raise TypeError(f"`{name}` must be a dense tensor or a PackedSequence, got a nested tensor")
    return dtype


def check_gates(gates: Iterable[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the gates of `known` that are in `gates`, in the order of `known`; all of them for `None`."""
    if gates is None:
        return known
    try:
        given = None if isinstance(gates, str) else list(gates)
    except TypeError:  # no iterable, or one that refuses: an array without a dimension
        given = None
    if given is None:
        raise TypeError(f"`gates` must be a collection of some of {', '.join(known)}; got {shown(gates)}")
    for gate in given:
        if not isinstance(gate, str) or gate not in known:
            raise ValueError(f"`gates` must be some of {', '.join(known)}; got {shown(gate)}")
    return tuple(gate for gate in known if gate in given)
