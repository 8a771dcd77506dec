"""Recurrent layers of compressed matrices: the same as dense ones, and what is made once per sequence."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.func import functional_call

from learnable_wavelets import (
    Fastfood,
    LearnableWaveletFilter,
    OrthogonalWaveletFilter,
    WaveletLinear,
    wavelet_losses,
    wavelet_regularizer,
)
from learnable_wavelets.kernels import _dispatch
from learnable_wavelets.kernels._prepared import PreparedCall
from learnable_wavelets.nn import GRU, LSTM, GRUCell, LSTMCell

from ..banks import assert_same, signal
from ..layers import scramble
from .recurrent import HIDDEN, INPUT, KINDS, assert_all_same


@pytest.fixture(params=KINDS)
def make(request):
    return KINDS[request.param]


def dense_twin(layer: nn.Module) -> nn.Module:
    """Torch's layer with the matrices of `layer`, in the form of torch."""
    kind = nn.GRU if isinstance(layer, GRU) else nn.LSTM
    twin = kind(
        layer.input_size, layer.hidden_size, layer.num_layers, bidirectional=layer.bidirectional, dtype=torch.float64
    )
    for name, target in twin.named_parameters():
        if "_ih" in name:
            target.data = getattr(layer, name).data
            continue
        kind, suffix = name.split("_hh")
        dense = getattr(layer, name)
        rows = iter(() if dense is None else dense.chunk(len(layer.GATES) - len(layer.gates)))
        parts = []
        for gate in layer.GATES:
            made = getattr(layer, gate + suffix, None)
            parts.append(next(rows) if made is None else made.to_dense() if kind == "weight" else made.bias)
        target.data = torch.cat(parts).detach()
    return twin


@pytest.mark.parametrize("name", [name for name in KINDS if "paper" not in name])
def test_equals_torch_with_the_dense_matrices(name):
    layer, x = scramble(KINDS[name](INPUT, HIDDEN, dtype=torch.float64)), signal(6, 4, INPUT)
    assert_all_same(layer(x), dense_twin(layer)(x))


# --- once per sequence


class Counted(OrthogonalWaveletFilter):
    """A bank that counts how often it is made."""

    made = 0

    def forward(self):
        type(self).made += 1
        return super().forward()


def own_bank(*size, **keywords):
    return WaveletLinear(*size, wavelet=Counted("db2", dtype=keywords["dtype"]), **keywords)


def stacked(*size, **keywords):
    return nn.Sequential(own_bank(*size, **keywords), nn.Tanh(), own_bank(*size, **keywords))


@pytest.mark.parametrize("kind", [GRU, partial(GRU, reset_after=False), LSTM])
@pytest.mark.parametrize("steps", [1, 7])
def test_filters_are_made_once_per_sequence(kind, steps):
    shared = partial(WaveletLinear, wavelet=Counted("db2"))
    one = kind(INPUT, HIDDEN).GATES[:1]
    count = len(kind(INPUT, HIDDEN).GATES)
    cases = [
        (kind(INPUT, HIDDEN, gates=one, recurrent_layer=own_bank), 1),
        (kind(INPUT, HIDDEN, recurrent_layer=own_bank), count),
        (kind(INPUT, HIDDEN, recurrent_layer=own_bank, num_layers=2, bidirectional=True), 4 * count),
        (kind(INPUT, HIDDEN, recurrent_layer=shared), 1),
        (kind(INPUT, HIDDEN, recurrent_layer=shared, num_layers=2, bidirectional=True), 1),
        (kind(INPUT, HIDDEN, gates=one, recurrent_layer=stacked), 2),
    ]
    for layer, expected in cases:
        Counted.made = 0
        layer(torch.randn(steps, 2, INPUT))[0].sum().backward()
        assert Counted.made == expected


def count_calls(monkeypatch) -> list[int]:
    """Outputs of every call of the sandwich from here on; no kernel takes whole sequences."""
    calls = []
    monkeypatch.setattr(_dispatch, "serves_sequences", lambda *_: False)
    original, prepared = _dispatch.sandwich, PreparedCall.__call__

    def counting(x, operands):
        calls.append(operands.layout.out_features)
        return original(x, operands)

    def counting_prepared(self, *arguments):
        y = prepared(self, *arguments)
        calls.extend([] if y is None else [self.layout.out_features])
        return y

    monkeypatch.setattr(_dispatch, "sandwich", counting)
    monkeypatch.setattr(PreparedCall, "__call__", counting_prepared)
    return calls


FILTER = LearnableWaveletFilter("db2", dtype=torch.float64)


@pytest.mark.parametrize(
    ("factory", "calls"),
    [
        (Fastfood, [48]),
        (partial(WaveletLinear, wavelet=FILTER), [48]),
        (partial(WaveletLinear, wavelet=FILTER, mode="zero"), [48]),
        (partial(WaveletLinear, wavelet="db2"), [16, 16, 16]),
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_gates_with_one_transform_are_one_call(factory, calls, bias, monkeypatch):
    layer = scramble(GRU(INPUT, HIDDEN, recurrent_layer=factory, dtype=torch.float64, bias=bias))
    cell = GRUCell(INPUT, HIDDEN, recurrent_layer=factory, dtype=torch.float64, bias=bias)
    cell.load_state_dict({name.replace("_l0", ""): value for name, value in layer.state_dict().items()})
    for gate in cell.gates:  # hooks keep modules apart
        getattr(cell, gate).register_forward_hook(lambda *_: None)
    x, h = signal(4, INPUT), signal(4, HIDDEN, seed=2)
    found = count_calls(monkeypatch)
    together = layer(x[None], h[None])[0][0]
    assert found == calls
    found.clear()
    apart = cell(x, h)
    assert found == [16, 16, 16]
    assert_same(together, apart)
    weights = signal(4, HIDDEN, seed=3)
    grads = [
        torch.autograd.grad((weights * y).sum(), list(m.parameters())) for y, m in ((together, layer), (apart, cell))
    ]
    for a, b in zip(*grads, strict=True):
        assert_same(a, b)


@pytest.mark.parametrize("hidden", [12, 13])
def test_gates_whose_width_is_padded_stay_apart(hidden, monkeypatch):
    layer = scramble(GRU(INPUT, hidden, recurrent_layer=Fastfood, dtype=torch.float64))
    found = count_calls(monkeypatch)
    x = signal(1, 4, INPUT)
    y = layer(x)[0]
    assert found == [hidden] * 3
    monkeypatch.undo()
    assert_same(y, dense_twin(layer)(x)[0])


def test_gates_of_several_shapes():
    """Different transforms behind one factory: each gate is computed by its own."""
    made = []

    def factory(*size, **keywords):
        made.append(len(made))
        options = [{"mode": "zero"}, {"level": 2}, {"wavelet": FILTER}, {"wavelet": FILTER}][len(made) - 1]
        return WaveletLinear(*size, **{"wavelet": FILTER, **options}, **keywords)

    layer = scramble(LSTM(INPUT, HIDDEN, recurrent_layer=factory, dtype=torch.float64))
    x = signal(5, 4, INPUT)
    assert_all_same(layer(x), dense_twin(layer)(x))


def test_hooks_and_overridden_forwards_are_honoured():
    class Doubled(WaveletLinear):
        def forward(self, input):
            return 2 * super().forward(input)

    x = torch.randn(5, 4, INPUT)
    plain = GRU(INPUT, HIDDEN, bias=False)
    doubled, hooked = GRU(INPUT, HIDDEN, bias=False, recurrent_layer=Doubled), copy.deepcopy(plain)
    doubled.load_state_dict(plain.state_dict())
    for gate in hooked.gates:
        getattr(hooked, gate + "_l0").register_forward_hook(lambda module, args, y: 2 * y)
    assert torch.equal(doubled(x)[0], hooked(x)[0])
    assert not torch.allclose(doubled(x)[0], plain(x)[0])
    patched = copy.deepcopy(plain)
    for gate in patched.gates:  # as libraries do that wrap modules
        layer = getattr(patched, gate + "_l0")
        layer.forward = lambda x, before=layer.forward: 2 * before(x)
    assert torch.equal(doubled(x)[0], patched(x)[0])
    seen = []
    with torch.nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(type(module))):
        plain(x)
    assert seen.count(WaveletLinear) == 3 * 5


def test_dropout_of_diagonals_is_one_mask_per_sequence():
    layer = GRU(1, HIDDEN, bias=False, recurrent_layer=partial(Fastfood, dropout=0.5), gates=["state"])
    with torch.no_grad():  # h' = tanh(W h) / 2 + h / 2: the same function at every step
        layer.weight_ih_l0.zero_()
        layer.weight_hh_l0.zero_()
    h = torch.randn(1, 1, HIDDEN)
    ys, _ = layer(torch.zeros(6, 1, 1), h)
    hs = torch.cat([h, ys[:-1]])
    torch.manual_seed(1)
    ys, _ = layer(torch.zeros(6, 1, 1), h)
    hs = torch.cat([h, ys[:-1]])
    torch.manual_seed(1)
    *masked, bias = layer.state_l0._read()
    assert (masked[1] == 0).any()
    assert bias is None
    names = ("diag_in", "diag_mid", "diag_out")
    state = layer.state_l0.eval()
    products = functional_call(state, dict(zip(names, masked, strict=True)), (hs,))
    state.train()
    assert_same(ys, (torch.tanh(products / 2) + hs) / 2, 1e-6)
    assert not torch.equal(layer(torch.zeros(6, 1, 1), h)[0], ys)
    layer.eval()
    assert torch.equal(layer(torch.zeros(6, 1, 1), h)[0], layer(torch.zeros(6, 1, 1), h)[0])


# --- banks, state


def test_the_regularizer_sees_the_banks():
    shared = LearnableWaveletFilter("db2")
    cases = [
        (GRU(INPUT, HIDDEN), 3),
        (GRU(INPUT, HIDDEN, gates=["update"]), 1),
        (LSTM(INPUT, HIDDEN, num_layers=2), 8),
        (GRU(INPUT, HIDDEN, recurrent_layer=partial(WaveletLinear, wavelet=shared)), 1),
        (GRU(INPUT, HIDDEN, recurrent_layer=Fastfood), 0),
        (GRUCell(INPUT, HIDDEN), 3),
        (LSTMCell(INPUT, HIDDEN, gates=["cell"]), 1),
    ]
    for layer, banks in cases:
        assert len(wavelet_losses(layer)) == banks
        scramble(layer)
        assert (wavelet_regularizer(layer) > 0) == (banks > 0)
    assert list(wavelet_losses(cases[1][0])) == ["update_l0.filter"]
