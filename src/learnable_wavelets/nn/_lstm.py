"""`LSTM` and `LSTMCell` with any layer as recurrent matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ._fuse import SequenceContext
from ._linear import WaveletLinear
from ._recurrent import Cell, Gated, Inputs, LayerFactory, State, Step
from ._sequence import Recurrent


class _LSTMStep(Gated):
    GATES = ("input", "forget", "cell", "output")
    STATES = 2

    def _step(self, suffix: str, context: SequenceContext) -> Step:
        products = self._products(suffix, self.GATES, context)

        def step(inputs: Inputs, states: State) -> State:
            h, c = states
            i, f, g, o = (x + from_h for x, from_h in zip(inputs, products(h), strict=True))
            c = torch.addcmul(torch.sigmoid(f) * c, torch.sigmoid(i), torch.tanh(g))
            return torch.sigmoid(o) * torch.tanh(c), c

        return step


class LSTM(_LSTMStep, Recurrent):
    r"""`nn.LSTM` with compressed recurrent matrices, or any other layer in place of each gate's matrix.

    $i, f, o = \sigma(W_{i\cdot} x + b_{i\cdot} + W_{h\cdot} h + b_{h\cdot})$, $g = \tanh(W_{ig} x + b_{ig} + W_{hg} h +
    b_{hg})$, $c' = f c + i g$, $h' = o \tanh(c')$. The matrices $W_{h\cdot}$ of the gates named in `gates` are
    `recurrent_layer(hidden_size, hidden_size, bias=..., device=..., dtype=...)`; all others are dense.

    Args:
        input_size: size of the input at each step.
        hidden_size: size of the two states.
        num_layers: number of layers, each reading the outputs of the one before.
        bias: learn the biases.
        batch_first: input and output are `(batch, steps, features)`; the states are not affected.
        dropout: probability of zeroing an output of every layer but the last.
        bidirectional: run over the sequence in both directions and concatenate the outputs.
        device: where the parameters live.
        dtype: their dtype.
        recurrent_layer: builds a recurrent matrix, as in `GRU`.
        gates: the gates that it replaces, of `input`, `forget`, `cell` (torch's g) and `output`; `None` for all.

    Shape:
        `forward(input, hx=None)`: input `(steps, batch, input_size)`, `(steps, input_size)` without a batch, or a
        `PackedSequence`; `hx` a pair `(h_0, c_0)`, each `(num_layers * directions, batch, hidden_size)`, zeros by
        default. Returns output `(steps, batch, directions * hidden_size)` and the pair `(h_n, c_n)`.

    Attributes:
        weight_ih_l0: the four input matrices, `(4 * hidden_size, input_size)`; so for every layer and direction.
        weight_hh_l0: the dense ones of the four recurrent matrices, `(dense gates * hidden_size, hidden_size)`.
        bias_ih_l0: `(4 * hidden_size,)`.
        bias_hh_l0: `(dense gates * hidden_size,)`.
        input_l0: the module in place of a dense matrix; likewise `forget_l0`, `cell_l0` and `output_l0`.

    Raises:
        ValueError: sizes below 1, an unknown gate, dropout outside [0, 1), input or state of the wrong shape.
        TypeError: arguments of the wrong type, a `recurrent_layer` that returns no module.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> layer = lw.nn.LSTM(10, 512, gates=["input", "forget", "output"])
        >>> output, (h_n, c_n) = layer(torch.randn(20, 8, 10))
        >>> output.shape, c_n.shape
        (torch.Size([20, 8, 512]), torch.Size([1, 8, 512]))
        >>> [sum(p.numel() for p in rnn.parameters()) for rnn in (layer, torch.nn.LSTM(10, 512))]
        [291376, 1073152]

    Notes:
        As for `GRU`. With `gates=()` it has the parameters of `nn.LSTM`, under the same names. `proj_size` of `nn.LSTM`
        has no counterpart.

    References:
        Hochreiter and Schmidhuber, *Long short-term memory*, 1997,
        [doi 10.1162/neco.1997.9.8.1735](https://doi.org/10.1162/neco.1997.9.8.1735).
    """

    AUTOCAST = True
    _cell = "lstm"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        recurrent_layer: LayerFactory = WaveletLinear,
        gates: Iterable[str] | None = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype,
            recurrent_bias=bias, recurrent_layer=recurrent_layer, gates=gates,
        )  # fmt: skip


class LSTMCell(_LSTMStep, Cell):
    """One step of `LSTM`: `nn.LSTMCell` with any layer as recurrent matrix.

    Args:
        input_size: size of the input.
        hidden_size: size of the two states.
        bias: learn the biases.
        device: where the parameters live.
        dtype: their dtype.
        recurrent_layer: builds a recurrent matrix, as in `GRU`.
        gates: the gates that it replaces, of `input`, `forget`, `cell` and `output`; `None` for all.

    Shape:
        `forward(input, hx=None)`: input `(batch, input_size)` or `(input_size,)`, `hx` a pair `(h_0, c_0)`, each
        `(batch, hidden_size)` or `(hidden_size,)`, zeros by default; returns the pair `(h_1, c_1)`.

    Attributes:
        weight_ih: as in `LSTM`, without a suffix; so are `weight_hh`, `bias_ih` and `bias_hh`.
        input: the module in place of a dense matrix; likewise `forget`, `cell` and `output`.

    Raises:
        ValueError: as for `LSTM`.
        TypeError: as for `LSTM`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> cell = lw.nn.LSTMCell(10, 64, recurrent_layer=lw.Fastfood)
        >>> h, c = cell(torch.randn(8, 10))
        >>> h.shape, c.shape
        (torch.Size([8, 64]), torch.Size([8, 64]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        recurrent_layer: LayerFactory = WaveletLinear,
        gates: Iterable[str] | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, bias, recurrent_layer, gates, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Tensor]:
        """Return the next pair of states."""
        h, c = self._forward(input, hx)
        return h, c
