"""Models that `plan`, `compress_` and `merge_` refuse: in one line, the model unchanged."""

import pytest
import torch
from torch import nn

import learnable_wavelets as lw

from .models import CONFIGS, perceptron

SMALL = CONFIGS["wavelet"]


class FSDPBlock(nn.Sequential):
    def _get_fsdp_state(self):
        return None


def compiled_in_place():
    model = perceptron()
    model.compile()
    return model


MODELS = {
    "convert the model first, then compile it": lambda: torch.compile(perceptron()),
    "must not be compiled": compiled_in_place,
    "must not be wrapped, got a DataParallel: convert the model first": lambda: nn.DataParallel(perceptron()),
    "must not be wrapped, got a FSDPBlock": lambda: FSDPBlock(nn.Linear(64, 64)),
    "no layer to replace: it has no nn.Linear": lambda: nn.Sequential(nn.ReLU()),
    "it is `model` itself": lambda: nn.Linear(64, 64),
    "already compressed, a Fastfood": lambda: nn.Sequential(lw.Fastfood(64, 64)),
    "its parameters would not fall": lambda: nn.Sequential(nn.Linear(2, 2)),
}


@pytest.mark.parametrize("call", [lw.plan, lw.compress_])
@pytest.mark.parametrize("message", MODELS)
def test_models_that_cannot_be_converted(call, message):
    model = MODELS[message]()
    before = repr(model)
    with pytest.raises(ValueError, match=message) as caught:
        call(model, SMALL)
    assert "\n" not in str(caught.value)
    assert repr(model) == before


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, SMALL), TypeError, "`model` must be a torch.nn.Module, got int"),
        ((perceptron(), {"depth": 1}), TypeError, "`config` must be a Compression, got dict"),
        ((perceptron(), SMALL, "0"), TypeError, "`filter_fn` must be a function"),
        ((perceptron(), SMALL, lambda module, name: False), ValueError, "excluded by `filter_fn`"),
        ((perceptron(), lw.Compression(level=9)), ValueError, "the configuration does not fit: `level`"),
    ],
)
@pytest.mark.parametrize("call", [lw.plan, lw.compress_])
def test_bad_arguments(call, arguments, error, message):
    before = repr(arguments[0])
    with pytest.raises(error, match=message):
        call(*arguments)
    assert repr(arguments[0]) == before


def test_a_second_conversion():
    model = perceptron()
    lw.compress_(model, SMALL)
    with pytest.raises(ValueError, match="'0' is WaveletLinear, already compressed"):
        lw.compress_(model, SMALL)
    model = nn.Sequential(nn.Conv2d(64, 64, 1))
    lw.compress_(model, SMALL)
    with pytest.raises(ValueError, match="'0' is Pointwise, already compressed, a WaveletLinear"):
        lw.plan(model, SMALL)


def test_an_error_half_way_leaves_the_model(monkeypatch):
    model, calls = perceptron(), []
    before = repr(model)
    build = lw.compress._convert.build

    def failing(*args):
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("out of memory")
        return build(*args)

    monkeypatch.setattr(lw.compress._convert, "build", failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        lw.compress_(model, SMALL)
    assert repr(model) == before


@pytest.mark.parametrize(
    ("model", "filter_fn", "error", "message"),
    [
        (perceptron, None, ValueError, "`model` has no compressed layer to merge"),
        (lambda: nn.Sequential(lw.Fastfood(8, 8)), lambda m, n: False, ValueError, "that `filter_fn` chooses"),
        (lambda: lw.Fastfood(8, 8), None, ValueError, "must hold compressed layers, got a Fastfood"),
        (lambda: nn.Sequential(lw.Fastfood(8, 8)), "0", TypeError, "`filter_fn` must be a function"),
        (lambda: nn.DataParallel(perceptron()), None, ValueError, "must not be wrapped"),
    ],
)
def test_merge_refuses(model, filter_fn, error, message):
    with pytest.raises(error, match=message):
        lw.merge_(model(), filter_fn)
