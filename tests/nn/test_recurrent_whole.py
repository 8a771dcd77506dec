"""Recurrent layers whose sequences run in one kernel: the same as the loop over the steps, and when it is taken."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from learnable_wavelets import Fastfood, LearnableWaveletFilter, WaveletLinear
from learnable_wavelets.kernels import _dispatch, available_backends, use_backend
from learnable_wavelets.nn import GRU, LSTM, _sequence

from ..banks import signal
from ..layers import scramble
from .recurrent import assert_all_same, flat

pytestmark = pytest.mark.skipif("cpu" not in available_backends(), reason="the C extension was not built")

INPUT, HIDDEN = 3, 14
LAYERS = {
    "paper": partial(GRU, reset_after=False),
    "torch": GRU,
    "no bias": partial(GRU, bias=False),
    "zero": partial(GRU, recurrent_layer=partial(WaveletLinear, wavelet="db3", mode="zero", level=2)),
    "shared filter": partial(LSTM, recurrent_layer=partial(WaveletLinear, wavelet=LearnableWaveletFilter("db2"))),
    "fastfood": partial(LSTM, recurrent_layer=Fastfood),
    "fixed": partial(GRU, recurrent_layer=partial(Fastfood, adaptive=False)),
    "lstm": LSTM,
    "a dense gate": partial(GRU, gates=("reset", "state"), reset_after=False),
    "dense gates": partial(LSTM, gates=("forget",), num_layers=2),
    "stacked": partial(GRU, num_layers=2, bidirectional=True, batch_first=True),
}
PACKED = pack_sequence([signal(n, INPUT, seed=n).float() for n in (2, 5, 1, 5)], enforce_sorted=False)


def loop(monkeypatch):
    monkeypatch.setattr(_dispatch, "serves_sequences", lambda *_: False)


def steps_of_the_loop(monkeypatch):
    """Count the scans from here on."""
    seen = []
    monkeypatch.setattr(
        _sequence, "scan", lambda *args, original=_sequence.scan, **kw: seen.append(1) or original(*args, **kw)
    )
    return seen


def results_and_gradients(layer, x):
    data = x.data if isinstance(x, nn.utils.rnn.PackedSequence) else x
    data.requires_grad_()
    results = flat(layer(x))
    results = [r for r in results if r.is_floating_point()]
    live = [p for p in layer.parameters() if p.requires_grad]
    loss = sum((r * torch.linspace(-1, 1, r.numel(), dtype=r.dtype).view(r.shape)).sum() for r in results)
    return results, torch.autograd.grad(loss, [data, *live])


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_equals_the_loop(name, wide, monkeypatch):
    inputs = 40 if wide else INPUT  # the kernel multiplies narrow inputs itself
    layer = scramble(LAYERS[name](inputs, HIDDEN, dtype=torch.float64))
    for x in (signal(4, 3, inputs), signal(1, 18, inputs), signal(5, inputs)):
        with monkeypatch.context() as patch:
            seen = steps_of_the_loop(patch)
            whole = results_and_gradients(layer, x)
            assert not seen
            loop(patch)
            stepped = results_and_gradients(layer, x)
            assert seen
        assert_all_same(whole, stepped, 1e-10)


@pytest.mark.parametrize("name", ["paper", "lstm", "stacked"])
def test_packed_sequences_equal_the_loop(name, monkeypatch):
    layer = scramble(LAYERS[name](INPUT, HIDDEN))
    whole = results_and_gradients(layer, PACKED)
    loop(monkeypatch)
    assert_all_same(whole, results_and_gradients(layer, PACKED), 1e-5)


def test_dropout_of_diagonals_draws_the_masks_of_the_loop(monkeypatch):
    layer, x = GRU(INPUT, HIDDEN, recurrent_layer=partial(WaveletLinear, dropout=0.5)), torch.randn(4, 3, INPUT)
    torch.manual_seed(1)
    whole = layer(x)
    loop(monkeypatch)
    torch.manual_seed(1)
    assert_all_same(whole, layer(x), 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_keeps_full_states(dtype, monkeypatch):
    x = torch.randn(4, 3, INPUT).to(dtype)
    for kind in (GRU, LSTM):
        layer = kind(INPUT, HIDDEN)
        with torch.autocast("cpu", dtype=torch.bfloat16), monkeypatch.context() as patch:
            whole = layer(x)
            loop(patch)
            stepped = layer(x)
        assert [t.dtype for t in flat(whole)] == [t.dtype for t in flat(stepped)]
        assert_all_same([t.float() for t in flat(whole)], [t.float() for t in flat(stepped)], 1e-2)


def hooked():
    layer = GRU(INPUT, HIDDEN)
    layer.state_l0.register_forward_hook(lambda *_: None)
    return layer


STEPPED = {
    "a wide dense gate": lambda: GRU(INPUT, 260, gates=("reset", "state")),
    "dense gates": lambda: GRU(INPUT, HIDDEN, gates=()),
    "dense layers": lambda: GRU(INPUT, HIDDEN, recurrent_layer=nn.Linear),
    "hooks": hooked,
    "half": lambda: GRU(INPUT, HIDDEN, dtype=torch.bfloat16),
    "long filters": lambda: GRU(INPUT, 64, recurrent_layer=partial(WaveletLinear, wavelet="db20", level=1)),
}


@pytest.mark.parametrize("name", STEPPED)
def test_the_loop_serves_the_rest(name, monkeypatch):
    layer, seen = STEPPED[name](), steps_of_the_loop(monkeypatch)
    layer(torch.randn(4, 3, INPUT, dtype=layer.weight_ih_l0.dtype))
    assert seen


def test_the_loop_serves_the_reference_and_empty_batches(monkeypatch):
    layer, seen = GRU(INPUT, HIDDEN), steps_of_the_loop(monkeypatch)
    with use_backend("reference"):
        layer(torch.randn(4, 3, INPUT))
    assert layer(torch.randn(4, 0, INPUT))[0].shape == (4, 0, HIDDEN)
    assert len(seen) == 2
    with use_backend("cpu"):
        layer(torch.randn(4, 3, INPUT))
    assert len(seen) == 2


@pytest.mark.parametrize("kind", [GRU, LSTM, LAYERS["paper"]])
def test_second_derivatives(kind):
    layer, x = kind(2, 4, dtype=torch.float64), signal(2, 2, 2).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, w: _with_weight(layer, x, w), (x, layer.weight_ih_l0))


def _with_weight(layer, x, weight):
    return torch.func.functional_call(layer, {"weight_ih_l0": weight}, (x,))[0]


@pytest.mark.parametrize("name", ["torch", "lstm"])
def test_one_operator_when_compiled_or_exported(name):
    layer, x = LAYERS[name](INPUT, HIDDEN), torch.randn(4, 3, INPUT)
    exported = torch.export.export(layer, (x,))
    operators = [str(node.target) for node in exported.graph.nodes if "learnable_wavelets" in str(node.target)]
    assert operators == [f"learnable_wavelets.{'lstm' if name == 'lstm' else 'gru'}.default"]
    assert_all_same(exported.module()(x), layer(x), 1e-6)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert_all_same(results_and_gradients(compiled, x), results_and_gradients(layer, x), 1e-5)


def test_only_inputs_and_outputs_are_kept_for_backward():
    kept = []
    layer, x = GRU(INPUT, HIDDEN), torch.randn(50, 8, INPUT)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        layer(x)
    assert sum(n for n in kept if n >= 50 * 8) == x.numel() + 50 * 8 * HIDDEN
