"""Bad input of the recurrent layers: one clear error that names the argument, what was expected and what came."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from learnable_wavelets.nn import GRU, LSTM, Fastfood, GRUCell, LSTMCell, WaveletLinear

LAYERS = {"GRU": GRU, "LSTM": LSTM}
CELLS = {"GRUCell": GRUCell, "LSTMCell": LSTMCell}
ALL = LAYERS | CELLS
x = torch.ones(5, 2, 3)
NOT_A_MODULE = r"`recurrent_layer` must make a torch.nn.Module, got tuple"


def one_line(caught) -> bool:
    return "\n" not in str(caught.value)


SIZES = [(kind, argument) for kind in ALL for argument in ("input_size", "hidden_size")]


@pytest.mark.parametrize(("kind", "argument"), [*SIZES, *((kind, "num_layers") for kind in LAYERS)])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "must be at least 1 .*, got 0"),
        (2.0, TypeError, "must be an int, got float"),
        (None, TypeError, "must be an int, got NoneType"),
    ],
)
def test_size(kind, argument, value, error, message):
    with pytest.raises(error, match=f"`{argument}` {message}"):
        ALL[kind](**{"input_size": 4, "hidden_size": 4, argument: value})


class Pair(nn.Linear):
    def forward(self, x):
        return super().forward(x), None


@pytest.mark.parametrize("kind", ALL)
def test_a_layer_that_returns_no_tensor(kind):
    layer = ALL[kind](3, 4, recurrent_layer=Pair)
    with pytest.raises(TypeError, match="`recurrent_layer` must make layers that return a tensor, got tuple"):
        layer(x if kind in LAYERS else x[0])


@pytest.mark.parametrize("kind", ALL)
def test_float64_under_autocast(kind):
    """Autocast leaves float64 alone, and so do we."""
    layer, given = ALL[kind](3, 4), x.double() if kind in LAYERS else x[0].double()
    why = "`input` must have the layer's dtype torch.float32, got torch.float64"
    with pytest.raises(TypeError, match=why), torch.autocast("cpu", dtype=torch.bfloat16):
        layer(given)


FLAGS = {
    "GRU": ["bias", "batch_first", "bidirectional", "reset_after"],
    "LSTM": ["bias", "batch_first", "bidirectional"],
    "GRUCell": ["bias", "reset_after"],
    "LSTMCell": ["bias"],
}


@pytest.mark.parametrize(("kind", "argument"), [(kind, flag) for kind in ALL for flag in FLAGS[kind]])
def test_flag(kind, argument):
    with pytest.raises(TypeError, match=f"`{argument}` must be a bool, got int"):
        ALL[kind](4, 4, **{argument: 1})


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("value", [1.0, -0.1])
def test_dropout(kind, value):
    with pytest.raises(ValueError, match=f"`dropout` must be at least 0 and less than 1, got {value}"):
        LAYERS[kind](4, 4, 2, dropout=value)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("gates", "error", "message"),
    [
        (["reset", "forget"], ValueError, "`gates` must be some of {known}; got '{foreign}'"),
        ([3], ValueError, "`gates` must be some of {known}; got 3"),
        ("update", TypeError, "`gates` must be a collection of some of {known}; got 'update'"),
        (3, TypeError, "`gates` must be a collection of some of {known}; got 3"),
        (np.array(3), TypeError, r"`gates` must be a collection of some of {known}; got array\(3\)"),
        ([np.ones(2)], ValueError, r"`gates` must be some of {known}; got array\(.1., 1..\)"),
    ],
)
def test_gates(kind, gates, error, message):
    known, foreign = ("reset, update, state", "forget") if "GRU" in kind else ("input, forget, cell, output", "reset")
    with pytest.raises(error, match=message.format(known=known, foreign=foreign)) as caught:
        ALL[kind](4, 4, gates=gates)
    assert one_line(caught)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (
            "WaveletLinear",
            "`recurrent_layer` must be a class such as .* or a function that makes a layer, got str",
        ),
        (None, "`recurrent_layer` must be a class .*, got NoneType"),
        (torch.nn.Linear(4, 4), "`recurrent_layer` must be a class .*, got Linear"),
        (int, "`recurrent_layer` must be a class .*, got int"),
        (lambda *size, **keywords: size, NOT_A_MODULE),
    ],
)
def test_factory(kind, factory, message):
    with pytest.raises(TypeError, match=message):
        ALL[kind](4, 4, recurrent_layer=factory)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (nn.Linear(4, 1), ValueError, "`recurrent_layer` must make layers with 4 outputs from 4 inputs, got 1"),
        (Fastfood(4, 8), ValueError, "`recurrent_layer` must make layers with 4 outputs from 4 inputs, got 8"),
        (Fastfood(8, 4), ValueError, r"`input` must have a last dimension of 8, got shape"),
        (Fastfood(8, 8), ValueError, r"`input` must have a last dimension of 8, got shape"),
        (
            nn.Sequential(Fastfood(4, 8), Fastfood(4, 4)),
            ValueError,
            r"`input` must have a last dimension of 4, got shape",
        ),
        (
            WaveletLinear(4, 4).double(),
            TypeError,
            "`input` must have the layer's dtype torch.float64, got torch.float32",
        ),
        (Fastfood(4, 4, device="meta"), ValueError, "`input` must be on the layer's device meta, got cpu"),
    ],
)
def test_layers_that_do_not_fit(kind, layer, error, message):
    for gates in (None, ALL[kind].GATES[:1]):
        module = ALL[kind](3, 4, gates=gates, recurrent_layer=lambda *size, **keywords: layer)
        with pytest.raises(error, match=message) as caught, torch.no_grad():
            module(x[0])
        assert one_line(caught)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([1.0], TypeError, "`input` must be a torch.Tensor, got list"),
        (x.long(), TypeError, "`input` must be real floating point, got torch.int64"),
        (x.cfloat(), TypeError, "`input` must be real floating point, got torch.complex64"),
        (x.double(), TypeError, "`input` must have the layer's dtype torch.float32, got torch.float64"),
        (x.to("meta"), ValueError, "`input` must be on the layer's device cpu, got meta"),
        (torch.ones(1, 5, 2, 3), ValueError, r"`input` must be \d-D .* last dimension of 3, got shape \(1, 5, 2, 3\)"),
        (torch.ones(()), ValueError, r"`input` must be \d-D .* last dimension of 3, got shape \(\)"),
        (torch.ones(2, 4), ValueError, r"`input` must be \d-D .* last dimension of 3, got shape \(2, 4\)"),
    ],
)
def test_input(kind, given, error, message):
    with pytest.raises(error, match=message) as caught:
        ALL[kind](3, 4)(given)
    assert one_line(caught)


@pytest.mark.parametrize("kind", LAYERS)
def test_shape_of_a_sequence(kind):
    layer = LAYERS[kind](3, 4)
    with pytest.raises(ValueError, match=r"`input` must be 2-D \(unbatched\) or 3-D with .* got shape \(3,\)"):
        layer(torch.ones(3))
    with pytest.raises(ValueError, match=r"`input` must have at least one step, got shape \(0, 2, 3\)"):
        layer(torch.ones(0, 2, 3))
    with pytest.raises(ValueError, match=r"`input` must hold vectors of 3 entries, got shape \(7, 4\)"):
        layer(pack_sequence([torch.ones(4, 4), torch.ones(3, 4)]))
    with pytest.raises(TypeError, match=r"`input` must have the layer's dtype torch.float32, got torch.float64"):
        layer(pack_sequence([torch.ones(4, 3).double()]))


@pytest.mark.parametrize("kind", CELLS)
def test_shape_of_a_step(kind):
    with pytest.raises(ValueError, match=r"`input` must be 1-D \(unbatched\) or 2-D with .* got shape \(5, 2, 3\)"):
        CELLS[kind](3, 4)(x)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (torch.ones(2, 4), ValueError, r"`hx` must have shape \(1, 2, 4\), got \(2, 4\)"),
        (torch.ones(1, 3, 4), ValueError, r"`hx` must have shape \(1, 2, 4\), got \(1, 3, 4\)"),
        (torch.ones(1, 2, 4).double(), TypeError, "`hx` must have the layer's dtype torch.float32, got torch.float64"),
        (torch.ones(1, 2, 4).to("meta"), ValueError, "`hx` must be on the layer's device cpu, got meta"),
        (0, TypeError, "`hx` must be a torch.Tensor, got int"),
    ],
)
def test_state(given, error, message):
    with pytest.raises(error, match=message):
        GRU(3, 4)(x, given)
    with pytest.raises(error, match=message.replace("`hx`", r"`hx\[1\]`")):
        LSTM(3, 4)(x, (torch.ones(1, 2, 4), given))


def test_state_of_other_layouts():
    with pytest.raises(ValueError, match=r"`hx` must have shape \(4, 5, 4\), got \(4, 2, 4\)"):
        GRU(3, 4, 2, batch_first=True, bidirectional=True)(x, torch.ones(4, 2, 4))
    with pytest.raises(ValueError, match=r"`hx` must have shape \(1, 4\), got \(1, 1, 4\)"):
        GRU(3, 4)(x[0], torch.ones(1, 1, 4))
    with pytest.raises(ValueError, match=r"`hx` must have shape \(2, 4\), got \(4,\)"):
        GRUCell(3, 4)(x[0], torch.ones(4))
    with pytest.raises(ValueError, match=r"`hx\[0\]` must have shape \(4,\), got \(1, 4\)"):
        LSTMCell(3, 4)(x[0, 0], (torch.ones(1, 4), torch.ones(4)))
    with pytest.raises(ValueError, match=r"`hx` must have shape \(1, 2, 4\), got \(1, 3, 4\)"):
        GRU(3, 4)(pack_sequence([torch.ones(4, 3), torch.ones(1, 3)]), torch.ones(1, 3, 4))


@pytest.mark.parametrize("given", [torch.ones(2, 2, 4), (torch.ones(1, 2, 4),), 0])
def test_states_of_an_lstm_are_a_pair(given):
    kind = type(given).__name__
    with pytest.raises(TypeError, match=rf"`hx` must be a pair of tensors \(h_0, c_0\), got {kind}"):
        LSTM(3, 4)(x, given)


def test_a_state_that_does_not_fit_is_refused():
    layer = GRU(3, 4, gates=["state"])
    with pytest.raises(RuntimeError, match=r"size mismatch for weight_hh_l0"):
        layer.load_state_dict(OrderedDict(nn.GRU(3, 4).state_dict()))
