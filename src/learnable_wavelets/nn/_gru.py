"""`GRU` and `GRUCell` with any layer as recurrent matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from .._checks import check_flag
from ._fuse import SequenceContext
from ._linear import WaveletLinear
from ._recurrent import Cell, Gated, Inputs, LayerFactory, State, Step
from ._sequence import Recurrent


class _GRUStep(Gated):
    GATES = ("reset", "update", "state")
    reset_after: bool

    def _step(self, suffix: str, context: SequenceContext) -> Step:
        if self.reset_after:
            products = self._products(suffix, self.GATES, context)

            def step(inputs: Inputs, states: State) -> State:
                (h,) = states
                (reset, update, new), from_h = inputs, products(h)
                r, z = torch.sigmoid(reset + from_h[0]), torch.sigmoid(update + from_h[1])
                n = torch.tanh(torch.addcmul(new, r, from_h[2]))
                return (torch.lerp(n, h, z),)

            return step

        gates, candidate = (self._products(suffix, names, context) for names in (self.GATES[:2], self.GATES[2:]))

        def published_step(inputs: Inputs, states: State) -> State:
            (h,) = states
            (reset, update, new), from_h = inputs, gates(h)
            r, z = torch.sigmoid(reset + from_h[0]), torch.sigmoid(update + from_h[1])
            n = torch.tanh(new + candidate(r * h)[0])
            return (torch.lerp(h, n, z),)

        return published_step

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")


class GRU(_GRUStep, Recurrent):
    r"""`nn.GRU` with compressed recurrent matrices, or any other layer in place of each gate's matrix.

    $r = \sigma(W_{ir} x + b_{ir} + W_{hr} h + b_{hr})$, $z = \sigma(W_{iz} x + b_{iz} + W_{hz} h + b_{hz})$,
    $n = \tanh(W_{in} x + b_{in} + r (W_{hn} h + b_{hn}))$, $h' = (1 - z)\, n + z\, h$. The matrices $W_{h\cdot}$ of the
    gates named in `gates` are `recurrent_layer(hidden_size, hidden_size, bias=..., device=..., dtype=...)`; all others
    are dense.

    Args:
        input_size: size of the input at each step.
        hidden_size: size of the state.
        num_layers: number of layers, each reading the outputs of the one before.
        bias: learn the biases.
        batch_first: input and output are `(batch, steps, features)`; the states are not affected.
        dropout: probability of zeroing an output of every layer but the last.
        bidirectional: run over the sequence in both directions and concatenate the outputs.
        device: where the parameters live.
        dtype: their dtype.
        recurrent_layer: builds a recurrent matrix: a class like `nn.Linear` or a function with its signature, such as
            `functools.partial(WaveletLinear, wavelet="db6")`. A `WaveletFilter` in it is shared by all gates.
            Gate number g of its `WaveletLinear` and `Fastfood` layers has their seed plus g and starts with `ones`.
        gates: the gates that it replaces, of `reset`, `update` and `state`; `None` for all.
        reset_after: the reset gate acts after the recurrent product, as in torch. If false, the form of the paper:
            $n = \tanh(W_{in} x + b_{in} + W_{hn} (r h))$, $h' = (1 - z)\, h + z\, n$, no bias on recurrent matrices.

    Shape:
        `forward(input, hx=None)`: input `(steps, batch, input_size)`, `(steps, input_size)` without a batch, or a
        `PackedSequence`; `hx` `(num_layers * directions, batch, hidden_size)`, zeros by default. Returns output
        `(steps, batch, directions * hidden_size)` and the last states, of the shape of `hx`.

    Attributes:
        weight_ih_l0: $W_{ir}, W_{iz}, W_{in}$, `(3 * hidden_size, input_size)`; so for every layer `_l1`, ... and
            direction `_l0_reverse`.
        weight_hh_l0: the dense ones of $W_{hr}, W_{hz}, W_{hn}$, `(dense gates * hidden_size, hidden_size)`.
        bias_ih_l0: `(3 * hidden_size,)`.
        bias_hh_l0: `(dense gates * hidden_size,)`.
        reset_l0: the module in place of $W_{hr}$; likewise `update_l0` and `state_l0`.

    Raises:
        ValueError: sizes below 1, an unknown gate, dropout outside [0, 1), input or state of the wrong shape.
        TypeError: arguments of the wrong type, a `recurrent_layer` that returns no module.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> layer = lw.nn.GRU(10, 512)
        >>> output, h_n = layer(torch.randn(20, 8, 10))
        >>> output.shape, h_n.shape
        (torch.Size([20, 8, 512]), torch.Size([1, 8, 512]))
        >>> [sum(p.numel() for p in rnn.parameters()) for rnn in (layer, torch.nn.GRU(10, 512))]
        [23088, 804864]

        Fastfood for two gates, in the form of the paper:

        >>> layer = lw.nn.GRU(10, 64, recurrent_layer=lw.Fastfood, gates=("reset", "update"), reset_after=False)

        Without compressed gates it is `nn.GRU`, whose parameters it loads:

        >>> dense = lw.nn.GRU(3, 5, num_layers=2, bidirectional=True, gates=())
        >>> theirs = torch.nn.GRU(3, 5, num_layers=2, bidirectional=True)
        >>> dense.load_state_dict(theirs.state_dict())
        <All keys matched successfully>
        >>> x = torch.randn(7, 2, 3)
        >>> torch.allclose(dense(x)[0], theirs(x)[0], atol=1e-6)
        True

    Notes:
        Where gates are `WaveletLinear` or `Fastfood`, one CPU kernel runs the whole sequence in float32 or float64
        ([speed](../speed.md#recurrent)); others may be dense up to 256. A loop over the steps serves everything else.
        Computed once per call, not per step: the input products, the filter banks (a shared one only once) and the
        dropout masks of the diagonals. The paper draws new masks at each step, as `GRUCell` in a loop does.
        Modules with hooks are called at every step, and then compute their filters at every step.
        Under autocast states keep full precision from step to step; results have the dtype that torch returns.
        A compressed matrix starts orthogonal, which keeps the length of the state; a dense one starts at about 0.58
        times an orthogonal one. [More](../theory.md#recurrent).

    References:
        Cho et al., 2014, [arXiv 1406.1078](https://arxiv.org/abs/1406.1078). Compressed: Wolter, Lin and Yao, 2020,
        [arXiv 2004.09569](https://arxiv.org/abs/2004.09569). One dropout mask per sequence: Gal and Ghahramani, 2016,
        [arXiv 1512.05287](https://arxiv.org/abs/1512.05287).
    """

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
        reset_after: bool = True,
    ) -> None:
        recurrent_bias = check_flag("reset_after", reset_after) and bias
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype,
            recurrent_bias=recurrent_bias, recurrent_layer=recurrent_layer, gates=gates,
        )  # fmt: skip
        self.reset_after = reset_after

    @property
    def _cell(self) -> str:
        return "gru" if self.reset_after else "gru_published"


class GRUCell(_GRUStep, Cell):
    """One step of `GRU`: `nn.GRUCell` with any layer as recurrent matrix.

    Args:
        input_size: size of the input.
        hidden_size: size of the state.
        bias: learn the biases.
        device: where the parameters live.
        dtype: their dtype.
        recurrent_layer: builds a recurrent matrix, as in `GRU`.
        gates: the gates that it replaces, of `reset`, `update` and `state`; `None` for all.
        reset_after: as in `GRU`.

    Shape:
        `forward(input, hx=None)`: input `(batch, input_size)` or `(input_size,)`, `hx` `(batch, hidden_size)` or
        `(hidden_size,)`, zeros by default; returns the next state, of the shape of `hx`.

    Attributes:
        weight_ih: as in `GRU`, without a suffix; so are `weight_hh`, `bias_ih` and `bias_hh`.
        reset: the module in place of the dense matrix; likewise `update` and `state`.

    Raises:
        ValueError: as for `GRU`.
        TypeError: as for `GRU`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> cell = lw.nn.GRUCell(10, 64, gates=["state"])
        >>> h = torch.zeros(8, 64)
        >>> for x in torch.randn(20, 8, 10):
        ...     h = cell(x, h)
        >>> h.shape, cell.state.to_dense().shape
        (torch.Size([8, 64]), torch.Size([64, 64]))

    Notes:
        Each call computes the filters and draws dropout masks anew. Over whole sequences `GRU` is faster.
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
        reset_after: bool = True,
    ) -> None:
        recurrent_bias = check_flag("reset_after", reset_after) and bias
        super().__init__(input_size, hidden_size, bias, recurrent_bias, recurrent_layer, gates, device, dtype)
        self.reset_after = reset_after

    def forward(self, input: Tensor, hx: Any = None) -> Tensor:
        """Return the next state."""
        return self._forward(input, hx)[0]
