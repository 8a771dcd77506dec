"""Recurrent layers of compressed matrices: state, gradients, compilation, transforms, dtypes, devices."""

import copy
import pickle
from functools import partial

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from learnable_wavelets import (
    OrthogonalWaveletFilter,
    WaveletLinear,
    wavelet_regularizer,
)
from learnable_wavelets.nn import GRU, LSTM, GRUCell, LSTMCell

from ..banks import assert_same, signal, whole_graph
from ..layers import scramble
from .recurrent import HIDDEN, INPUT, KINDS, assert_all_same, flat


@pytest.fixture(params=KINDS)
def make(request):
    return KINDS[request.param]


def through_torch(layer, other, path):
    torch.save(layer.state_dict(), path)
    other.load_state_dict(torch.load(path, weights_only=True))
    return other


WAYS = {
    "torch": through_torch,
    "pickle": lambda layer, other, path: pickle.loads(pickle.dumps(layer)),
    "deepcopy": lambda layer, other, path: copy.deepcopy(layer),
}


@pytest.mark.parametrize("way", WAYS)
def test_state_round_trip(make, way, tmp_path):
    torch.manual_seed(1)
    layer = scramble(make(INPUT, HIDDEN))
    torch.manual_seed(2)
    other = make(INPUT, HIDDEN)
    x = torch.randn(5, 4, INPUT)
    assert not torch.equal(other(x)[0], layer(x)[0])
    other = WAYS[way](layer, other, tmp_path / "state")
    assert all(torch.equal(a, b) for a, b in zip(flat(other(x)), flat(layer(x)), strict=True))
    storages = [p.data_ptr() for p in (*layer.parameters(), *other.parameters())]
    assert len(set(storages)) == len(storages)


def test_the_seed_decides_everything(make):
    layers = []
    for _ in range(2):
        torch.manual_seed(4)
        layers.append(make(INPUT, HIDDEN))
    states = [layer.state_dict() for layer in layers]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_reset_parameters_leaves_the_compressed_matrices_alone():
    layer = GRU(INPUT, HIDDEN, gates=["state"])
    before = copy.deepcopy(layer.state_dict())
    layer.reset_parameters()
    for name, value in layer.state_dict().items():
        assert torch.equal(value, before[name]) == ("." in name)


def test_every_parameter_gets_a_gradient(make):
    layer = make(INPUT, HIDDEN)
    sum(
        signal(*y.shape, seed=i).float().mul(y).sum() for i, y in enumerate(flat(layer(torch.randn(5, 4, INPUT))))
    ).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in layer.parameters())


def test_training_lowers_the_loss(make):
    layer, x = make(INPUT, HIDDEN), torch.randn(6, 8, INPUT)
    target = torch.randn_like(layer(x)[0]).tanh()
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.02)
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = (layer(x)[0] - target).square().mean() + wavelet_regularizer(layer)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_repr():
    layer = LSTM(INPUT, HIDDEN, 2, False, True, 0.5, True, gates=["cell"])
    text = "(3, 16, bias=False, gates=('cell',), num_layers=2, batch_first=True, dropout=0.5, bidirectional=True"
    assert text[1:] in repr(layer)
    assert "(cell_l1_reverse): WaveletLinear(" in repr(layer)
    assert "gates=('reset', 'update', 'state'), reset_after=False" in repr(GRUCell(INPUT, HIDDEN, reset_after=False))


# --- gradients, compilation, transforms


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["GRU", "GRU paper", "GRU fastfood", "GRU two gates", "LSTM", "GRU lattice"])
def test_gradcheck(kind):
    lattice = partial(WaveletLinear, wavelet=OrthogonalWaveletFilter("db2", dtype=torch.float64))
    kinds = {**KINDS, "GRU lattice": partial(GRU, recurrent_layer=lattice)}
    layer = scramble(kinds[kind](2, 8, dtype=torch.float64))
    names = [name for name, _ in layer.named_parameters()]
    assert any(".filter." in name for name in names) or "fastfood" in kind
    x = signal(3, 2, 2).requires_grad_()
    state = tuple(signal(1, 2, 8, seed=seed).requires_grad_() for seed in range(2, 2 + layer.STATES))

    def function(x, *tensors):
        hx, parameters = tensors[: layer.STATES], dict(zip(names, tensors[layer.STATES :], strict=True))
        return tuple(flat(functional_call(layer, parameters, (x, hx if layer.STATES == 2 else hx[0]))))

    parameters = [p.detach().clone().requires_grad_() for p in layer.parameters()]
    assert torch.autograd.gradcheck(function, (x, *state, *parameters))


def test_double_backward(make):
    layer, x = make(INPUT, HIDDEN, dtype=torch.float64), signal(3, 2, INPUT).requires_grad_()
    (first,) = torch.autograd.grad(layer(x)[0].pow(3).sum(), x, create_graph=True)
    first.square().sum().backward()
    assert x.grad.abs().min() > 0
    assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_compile_whole_graph(name):
    layer, x = scramble(KINDS[name](INPUT, HIDDEN, dtype=torch.float64)), signal(2, 4, INPUT)
    compiled = whole_graph(copy.deepcopy(layer))
    compiled(x)[0].square().sum().backward()
    layer(x)[0].square().sum().backward()
    assert_all_same(compiled(x), layer(x))
    for ours, expected in zip(compiled.parameters(), layer.parameters(), strict=True):
        assert_same(ours.grad, expected.grad)


@pytest.mark.slow
def test_compile_with_inductor():
    layer, x = GRU(INPUT, HIDDEN, gates=("reset", "state")), torch.randn(3, 4, INPUT)
    compiled = whole_graph(copy.deepcopy(layer), "inductor")
    compiled(x)[0].square().sum().backward()
    layer(x)[0].square().sum().backward()
    assert_all_same(compiled(x), layer(x), 1e-5)
    for ours, expected in zip(compiled.parameters(), layer.parameters(), strict=True):
        assert_same(ours.grad, expected.grad, 1e-5)


@pytest.mark.slow
def test_compile_the_cell():
    cell, x = GRUCell(INPUT, HIDDEN), torch.randn(4, INPUT)
    assert_same(whole_graph(copy.deepcopy(cell))(x), cell(x), 1e-6)


# torch has no batching rule for the gradient of `unfold`: right, but one sample at a time
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize("name", ["GRU", "GRU paper", "LSTM"])
def test_per_sample_gradients(name):
    layer, x = scramble(KINDS[name](INPUT, HIDDEN, dtype=torch.float64)), signal(3, 5, INPUT)
    parameters = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(parameters, x):
        return functional_call(layer, parameters, (x,))[0].square().sum()

    found = vmap(grad(loss), in_dims=(None, 0))(parameters, x)
    for i in range(3):
        layer.zero_grad()
        layer(x[i])[0].square().sum().backward()
        for name, parameter in layer.named_parameters():
            assert_same(found[name][i], parameter.grad)


def test_batched_backward_pass(make):
    layer, x = (
        make(INPUT, HIDDEN, dtype=torch.float64),
        torch.randn(3, 2, INPUT, dtype=torch.float64, requires_grad=True),
    )
    y = layer(x)[0]
    wanted, directions = [x, *layer.parameters()], torch.randn(2, *y.shape, dtype=torch.float64)
    found = torch.autograd.grad(y, wanted, directions, is_grads_batched=True, retain_graph=True)
    for place, direction in enumerate(directions):
        for ours, expected in zip(found, torch.autograd.grad(y, wanted, direction, retain_graph=True), strict=True):
            assert_same(ours[place], expected)


# --- dtypes and devices


def test_half_types(make):
    layer = make(INPUT, HIDDEN)
    x = torch.randn(6, 4, INPUT)
    exact = layer(x)[0]
    for dtype in (torch.bfloat16, torch.float16):
        half = copy.deepcopy(layer).to(dtype)
        results = flat(half(x.to(dtype)))
        assert {y.dtype for y in results} == {dtype}
        assert_same(results[0].float(), exact, 16 * torch.finfo(dtype).eps)
        results[0].float().square().sum().backward()
        assert {p.grad.dtype for p in half.parameters()} == {dtype}
        assert all(torch.isfinite(p.grad).all() for p in half.parameters())


@pytest.mark.parametrize("inputs", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", [*KINDS, "GRU dense", "LSTM dense"])
def test_autocast_computes_states_in_full_precision(name, inputs):
    dense = {"GRU dense": partial(GRU, gates=()), "LSTM dense": partial(LSTM, recurrent_layer=nn.Linear)}
    layer, x = (KINDS | dense)[name](INPUT, HIDDEN), torch.randn(6, 4, INPUT).to(inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        results = flat(layer(x))
        again = layer(x, layer(x)[1])
    expected = torch.bfloat16 if isinstance(layer, LSTM) else inputs
    assert {y.dtype for y in (*results, *flat(again))} == {expected}
    assert_same(results[0].float(), layer(x.float())[0], 0.05)
    results[0].float().square().sum().backward()
    assert {p.grad.dtype for p in layer.parameters()} == {torch.float32}


@pytest.mark.parametrize(("own", "cast"), [(torch.float16, torch.bfloat16), (torch.bfloat16, torch.float16)])
@pytest.mark.parametrize("name", [*KINDS, "GRU dense"])
def test_half_types_under_autocast_to_the_other(name, own, cast):
    """`torch.cat` refuses the pair; `nn.GRU` computes."""
    layer = (KINDS | {"GRU dense": partial(GRU, gates=())})[name](INPUT, HIDDEN).to(own)
    for x in (torch.randn(6, 4, INPUT), nn.utils.rnn.pack_sequence([torch.randn(n, INPUT) for n in (5, 3, 3, 1)])):
        with torch.autocast("cpu", dtype=cast):
            found, end = layer(x.to(own))
        exact = layer.float()(x.to(own).to(torch.float32))
        layer.to(own)
        for a, b in zip(
            flat((getattr(found, "data", found), end)),
            flat((getattr(exact[0], "data", exact[0]), exact[1])),
            strict=True,
        ):
            assert a.dtype == (cast if isinstance(layer, LSTM) else own)
            assert_same(a.float(), b, 0.05)


PAIRS = [(GRU, nn.GRU), (LSTM, nn.LSTM), (GRUCell, nn.GRUCell), (LSTMCell, nn.LSTMCell)]


def of_torch(module, x, hx):
    """Return what torch gives where the processor has bfloat16; elsewhere its LSTM fails, or keeps the state's type."""
    if not isinstance(module, nn.LSTM) or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return module(x, hx)
    with torch.autocast("cpu", enabled=False):
        y, state = module(x.float(), hx and tuple(t.float() for t in hx))
    return y.bfloat16(), tuple(t.bfloat16() for t in state)


@pytest.mark.parametrize("state", [None, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("inputs", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("gates", [None, ()])
def test_autocast_gives_the_dtypes_of_torch(ours, theirs, inputs, state, gates):
    cell = "Cell" in ours.__name__
    x, hx = torch.randn(5, 4, INPUT).to(inputs), None
    if state is not None:
        hx = torch.zeros(4, HIDDEN, dtype=state) if cell else torch.zeros(1, 4, HIDDEN, dtype=state)
        hx = (hx, hx) if "LSTM" in ours.__name__ else hx
    layer, reference = ours(INPUT, HIDDEN, gates=gates), theirs(INPUT, HIDDEN)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, expected = (flat(apply(x[0] if cell else x, hx)) for apply in (layer, partial(of_torch, reference)))
    assert [y.dtype for y in found] == [y.dtype for y in expected]
    if gates == ():
        layer.load_state_dict(reference.state_dict())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = flat(layer(x[0] if cell else x, hx))
        for a, b in zip(found, expected, strict=True):
            assert_same(a.float(), b.float(), 0.05)


def test_meta_device(make):
    layer = make(INPUT, HIDDEN, device="meta")
    assert all(t.is_meta for t in (*layer.parameters(), *layer.buffers()))
    y = layer(torch.empty(5, 4, INPUT, device="meta"))[0]
    assert y.is_meta
    assert y.shape == (5, 4, HIDDEN * (1 + layer.bidirectional))
    with torch.device("meta"):
        assert all(p.is_meta for p in make(INPUT, HIDDEN).parameters())


def test_meta_then_empty_then_reset_is_a_fresh_layer(make):
    layer = make(INPUT, HIDDEN, device="meta").to_empty(device="cpu")
    for tensor in (*layer.parameters(), *layer.buffers()):
        tensor.data.fill_(torch.nan if tensor.is_floating_point() else -1)
    for module in layer.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    assert all(torch.isfinite(p).all() for p in layer.parameters())
    assert torch.isfinite(layer(torch.randn(5, 4, INPUT))[0]).all()


def test_replicas_without_registered_parameters():
    """As DataParallel makes them: tensors as plain attributes."""
    layer, x = GRU(INPUT, HIDDEN, gates=["reset"]), torch.randn(5, 4, INPUT)
    replica = copy.copy(layer)
    replica.__dict__.update(dict(layer._parameters), _parameters={})
    assert torch.equal(replica(x)[0], layer(x)[0])
