"""Optimisers live through a conversion, and groups know what must not decay."""

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adagrad, Adam, AdamW

import learnable_wavelets as lw

from .models import CONFIGS, Tied, perceptron


def step(model, *optimizers):
    (model(torch.randn(8, 64)).square().mean() + lw.wavelet_regularizer(model)).backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_are_exchanged_in_their_group_and_place(name):
    model = perceptron()
    groups = [{"params": [model[4].weight, model[0].weight, model[0].bias], "lr": 0.1}, {"params": [model[2].weight]}]
    optimizer = Adam(groups, lr=0.01)
    step(model, optimizer)
    removed, kept = [model[0].weight, model[2].weight], {p: optimizer.state[p] for p in (model[0].bias,)}
    lw.compress_(model, CONFIGS[name], lambda module, name: name in "02", optimizers=optimizer)
    first, second = optimizer.param_groups
    assert (first["lr"], second["lr"]) == (0.1, 0.01)
    new = [p for n, p in model[0].named_parameters() if n != "bias"]
    assert [id(p) for p in first["params"]] == [id(p) for p in (model[4].weight, *new, model[0].bias)]
    shared = {id(p) for p in new}
    assert [id(p) for p in second["params"]] == [id(p) for p in model[2].parameters() if id(p) not in shared]
    assert not any(weight in optimizer.state for weight in removed)
    assert all(optimizer.state[p] is state for p, state in kept.items())
    before = [p.detach().clone() for p in model.parameters()]
    for _ in range(2):
        step(model, optimizer)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for p, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(p, old) != (id(p) in held)
    optimizer.load_state_dict(optimizer.state_dict())


def test_named_parameters_and_several_optimizers():
    model = perceptron()
    named = SGD(model.named_parameters(), lr=0.1, momentum=0.9)
    other = AdamW([model[0].weight])
    lw.compress_(model, CONFIGS["wavelet"], optimizers=[named, other])
    assert named.param_groups[0].get("param_names") == [n for n, _ in _in_order(model)]
    assert [id(p) for p in named.param_groups[0]["params"]] == [id(p) for _, p in _in_order(model)]
    assert len(other.param_groups[0]["params"]) == 7
    step(model, named, other)


def test_a_shared_filter_is_stepped_once():
    model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(3)))
    held = [[1, 0], [2], [0]]
    optimizers = [SGD([model[i].weight for i in places], lr=0.1) for places in held]
    lw.compress_(model, CONFIGS["shared"], optimizers=optimizers)
    filters, found = {id(p) for p in model[0].filter.parameters()}, []
    for optimizer, places in zip(optimizers, held, strict=True):
        ids = {id(p) for p in optimizer.param_groups[0]["params"]}
        assert len(ids - filters) == 3 * len(places)
        found.append(len(ids & filters))
    assert found == [4, 0, 0]  # where the first of its layers is, and in no other


def test_a_shared_filter_goes_wherever_its_first_layer_is():
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    optimizers = [SGD(model.parameters(), lr=0.1), SGD([model[0].weight], lr=0.1), SGD([model[1].weight], lr=0.1)]
    lw.compress_(model, CONFIGS["shared"], optimizers=optimizers)
    filters = {id(p) for p in model[0].filter.parameters()}
    assert [sum(id(p) in filters for p in o.param_groups[0]["params"]) for o in optimizers] == [4, 4, 0]


def _in_order(model):
    """The diagonals and filters where the weight was, before the bias."""
    for name, module in model.named_children():
        pairs = [(f"{name}.{n}", p) for n, p in module.named_parameters()]
        yield from sorted(pairs, key=lambda pair: pair[0].endswith(".bias"))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: torch.optim.LBFGS(p), ValueError, "cannot exchange parameters of LBFGS: make it after"),
        (lambda p: [Adam(p), Adagrad(p)], ValueError, "cannot exchange parameters of Adagrad"),
        (lambda p: [*p], TypeError, "`optimizers` must be an optimiser or a list of them, got list"),
        (lambda p: 3, TypeError, "`optimizers` must be an optimiser or a list of them, got int"),
    ],
)
def test_optimizers_that_are_refused(make, error, message):
    model = perceptron()
    optimizers, before = make([*model.parameters()]), repr(model)
    with pytest.raises(error, match=message):
        lw.compress_(model, CONFIGS["wavelet"], optimizers=optimizers)
    assert repr(model) == before


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="of torch 2.9")
def test_muon_takes_matrices_alone():
    model = nn.Sequential(nn.Linear(64, 64, bias=False), nn.Linear(64, 48, bias=False))
    before, muon = repr(model), torch.optim.Muon([model[0].weight])
    with pytest.raises(ValueError, match="`optimizers` cannot exchange parameters of Muon"):
        lw.compress_(model, CONFIGS["wavelet"], optimizers=muon)
    assert repr(model) == before
    adam = Adam([model[1].weight])
    lw.compress_(model, CONFIGS["wavelet"], lambda module, name: name == "1", optimizers=[muon, adam])
    step(model, muon)


def test_parametrised_diagonals_do_not_decay():
    model = nn.Sequential(lw.WaveletLinear(64, 200), lw.nn.Stack(64, 64, depth=1, rank=2))
    for module, name in ((model[0], "diag_mid"), (model[0].filter, "dec_lo"), (model[1], "up")):
        nn.utils.parametrize.register_parametrization(module, name, nn.Identity())
    decayed, _ = lw.parameter_groups(model, 0.01, 0.1)
    names = {id(p): n for n, p in model.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == {"1.down", "1.parametrizations.up.original"}


def test_parameter_groups():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 64), nn.LayerNorm(64), lw.WaveletLinear(64, 64),
        lw.Fastfood(64, 200), lw.nn.Stack(200, 64, depth=2, rank=2), lw.nn.GRU(64, 64),
    )  # fmt: skip
    model[2].bias.requires_grad_(False)
    decayed, rest = lw.parameter_groups(model, 0.01, 0.1)
    names = {id(p): n for n, p in model.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == {
        "0.weight", "2.weight", "6.down", "6.up", "7.weight_ih_l0",
    }  # fmt: skip
    assert len(decayed["params"]) + len(rest["params"]) == len([*model.parameters()]) - 1
    assert (decayed["lr"], decayed["weight_decay"], rest["lr"], rest["weight_decay"]) == (0.01, 0.1, 0.01, 0)
    AdamW([decayed, rest])
    (only,) = lw.parameter_groups(lw.Fastfood(8, 8), 0.01, 0.1)
    assert only["weight_decay"] == 0
    assert len(lw.parameter_groups(Tied(), 0.01, 0.1)[0]["params"]) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, 0.1, 0.1), TypeError, "`model` must be a torch.nn.Module, got int"),
        ((perceptron(), -1, 0.1), ValueError, "`lr` must be at least 0, got -1"),
        ((perceptron(), 0.1, float("nan")), ValueError, "`weight_decay` must be at least 0, got nan"),
        ((perceptron(), "fast", 0.1), TypeError, "`lr` must be a number"),
        ((nn.ReLU(), 0.1, 0.1), ValueError, "`model` must have parameters that need gradients"),
    ],
)
def test_bad_groups(arguments, error, message):
    with pytest.raises(error, match=message):
        lw.parameter_groups(*arguments)
