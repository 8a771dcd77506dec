"""`save` and `load`: the same function in a fresh process, all checks before a change."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.parameter import is_lazy

import learnable_wavelets as lw

from ..banks import random_bank
from .models import CONFIGS, Conv1D, Shared, Tied, perceptron

SMALL = CONFIGS["wavelet"]
MODELS = {
    "perceptron": (perceptron, (8, 64)),
    "tied": (Tied, None),
    "shared": (Shared, (8, 32)),
    "conv": (lambda: nn.Sequential(nn.Conv2d(64, 64, 1), nn.BatchNorm2d(64)), (2, 64, 3, 3)),
    "conv1d": (lambda: nn.Sequential(Conv1D(64, 64)), (2, 64)),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def converted(make=perceptron, config=SMALL):
    model = make()
    lw.compress_(model, config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def metadata(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["learnable_wavelets"])


def same_function(model, other, x):
    with torch.no_grad():
        assert torch.equal(model.eval()(x), other.eval()(x))


@pytest.mark.parametrize("name", CONFIGS)
def test_an_unconverted_model_is_converted_first(name, path):
    model = converted(config=CONFIGS[name])
    lw.save(model, path)
    other = perceptron()
    kept = other[0].bias
    assert lw.load(other, path) is other
    assert other[0].bias is kept
    assert repr(other) == repr(model)
    assert [n for n, _ in other.named_parameters()] == [n for n, _ in model.named_parameters()]
    same_function(model, other, torch.randn(8, 64))
    again = converted(config=CONFIGS[name])
    same_function(model, lw.load(again, path), torch.randn(8, 64))
    other[0].reset_parameters()
    assert float(lw.wavelet_regularizer(other[0]).detach()) < 1e-6 or CONFIGS[name].shared_filter


@pytest.mark.parametrize("name", MODELS)
def test_models(name, path):
    make, size = MODELS[name]
    model = converted(make)
    lw.save(model, path)
    x = torch.randint(0, 100, (2, 5)) if size is None else torch.randn(size)
    same_function(model, lw.load(make(), path), x)
    with torch.device("meta"):
        on_meta = make()
    lw.load(on_meta, path)
    same_function(model, on_meta, x)
    assert len([*on_meta.parameters()]) == len([*model.parameters()])


class Untied(Tied):
    """A head and an embedding with weights of their own."""

    def __init__(self):
        super().__init__()
        self.head.weight = nn.Parameter(self.head.weight.detach().clone())


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_tied_weights_of_a_file_are_two_in_an_untied_model(device, path):
    model = converted(Tied)
    lw.save(model, path)
    with torch.device(device):
        other = Untied()
    lw.load(other, path)
    nn.init.zeros_(other.embed.weight)
    assert torch.equal(other.head.weight, model.head.weight)


def test_two_layers_of_a_file_are_not_one(path):
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    lw.compress_(model, SMALL)
    lw.save(model, path)
    one = nn.Linear(64, 64)
    for other in (nn.Sequential(one, one), nn.Sequential(one)):
        with pytest.raises(ValueError, match=r"`model` must have a layer '1' of .*, got none"):
            lw.load(other, path)


def test_layers_by_hand(path):
    make = lambda: nn.Sequential(  # noqa: E731
        lw.WaveletLinear(64, 64, wavelet=random_bank(6)), lw.WaveletLinear(64, 10, wavelet="db3", level=2, mode="zero"),
        lw.Fastfood(10, 10, adaptive=False, seed=None),
    )  # fmt: skip
    model = make()
    lw.save(model, path)
    dense = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 10), nn.Linear(10, 10))
    lw.load(dense, path)
    same_function(model, dense, torch.randn(8, 64))
    assert [p.requires_grad for p in dense.parameters()] == [p.requires_grad for p in model.parameters()]


def test_frozen_stays_frozen(path):
    model = converted(config=CONFIGS["shared"])
    lw.save(model, path)
    other = perceptron()
    other[2].requires_grad_(False)
    lw.load(other, path)
    assert not other[2].diag_in.requires_grad
    assert other[0].filter is other[2].filter
    assert other[0].filter.dec_lo.requires_grad
    other = perceptron().requires_grad_(False)
    assert not any(p.requires_grad for p in lw.load(other, path).parameters())


def test_a_shared_filter_is_written_once_and_nothing_is_pickled(path):
    model = converted(config=CONFIGS["shared"])
    lw.save(model, path)
    assert sum(name.endswith("dec_lo") for name in load_file(path)) == 1
    values = metadata(path)
    assert values["version"] == 1
    assert len(values["filters"]) == len(values["starts"]) == 1
    assert {*values["layers"]} == {"0", "2"}


@pytest.mark.parametrize("name", ["wavelet", "shared stack", "fastfood"])
def test_the_whole_configuration_is_in_the_file(name, path):
    model = converted(config=CONFIGS[name])
    lw.save(model, path)
    values = metadata(path)
    assert [lw.Compression.from_dict(config) for config in values["compressions"]] == [CONFIGS[name]]
    again = path.with_name("again.safetensors")
    lw.save(lw.load(perceptron(), path), again)
    assert metadata(again) == values


def test_how_the_layers_came_about_does_not_matter(path):
    model = converted()
    lw.save(model, path)
    by_hand = nn.Sequential(
        lw.WaveletLinear(64, 64), nn.ReLU(), lw.WaveletLinear(64, 48, bias=False), nn.ReLU(), nn.Linear(48, 2)
    )
    same_function(model, lw.load(by_hand, path), torch.randn(8, 64))
    lw.save(by_hand, path)
    same_function(model, lw.load(converted(), path), torch.randn(8, 64))


def test_a_conv1d_is_one_after_load_and_merge(path):
    make = MODELS["conv1d"][0]
    lw.save(converted(make), path)
    model = lw.load(make(), path)
    lw.merge_(model)
    assert type(model[0]) is Conv1D


@pytest.mark.parametrize("name", ["shared", "shared stack"])
def test_a_partly_converted_model_shares_filters_as_the_file(name, path):
    model = converted(config=CONFIGS[name])
    lw.save(model, path)
    other = perceptron()
    lw.compress_(other, CONFIGS[name], lambda module, name: name == "0")
    other[0].requires_grad_(False)
    lw.load(other, path)
    banks = [part for part in other.modules() if isinstance(part, lw.WaveletFilter)]
    assert len(banks) == 1
    assert not banks[0].dec_lo.requires_grad
    same_function(model, other, torch.randn(8, 64))


def test_filters_that_are_shared_otherwise_are_refused(path):
    lw.save(converted(), path)
    shared = converted(config=CONFIGS["shared"])
    with pytest.raises(ValueError, match="`model` must share filters as the file, got others in '2'"):
        lw.load(shared, path)
    lw.save(shared, path)
    with pytest.raises(ValueError, match="`model` must share filters as the file, got others in '2'"):
        lw.load(converted(), path)


DAMAGE = {
    "`layers`, got none": lambda v: v.pop("layers"),
    "`version` must be an integer, got None": lambda v: v.pop("version"),
    "layer '0' must be of Fastfood, Stack, WaveletLinear, got Mystery": lambda v: v["layers"]["0"].update(
        {"class": "Mystery"}
    ),
    "layer '0' must have a `seed`, got 'x'": lambda v: v["layers"]["0"].update(seed="x"),
    "layer '0' must have one of 2 filters, got number 7": lambda v: v["layers"]["0"].update(filter=7),
    "a filter must be of free": lambda v: v["filters"][0].update(start=5),
    "a filter must have a `label`": lambda v: v["filters"][0].pop("label"),
    "`starts` must hold four filters": lambda v: v["starts"][0].pop(),
    "`aliases` must name tensors": lambda v: v["aliases"].update(a="b"),
    "`compressions`": lambda v: v["layers"]["0"].update(compression=9),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damaged_metadata_gives_one_line(message, path):
    lw.save(converted(), path)
    state = load_file(path)
    values = metadata(path)
    DAMAGE[message](values)
    save_file(state, path, {"learnable_wavelets": json.dumps(values)})
    model = perceptron()
    with pytest.raises(ValueError, match=message) as caught:
        lw.load(model, path)
    assert "\n" not in str(caught.value)
    assert repr(model) == repr(perceptron())
    for text, message in {"{half": "Expecting property name", "[" * 100_000: "maximum recursion depth"}.items():
        save_file(state, path, {"learnable_wavelets": text})
        with pytest.raises(ValueError, match=f"cannot be read: {message}"):
            lw.load(model, path)


def test_equal_starts_are_written_once(path):
    lw.save(converted(), path)
    values = metadata(path)
    assert (len(values["filters"]), len(values["starts"])) == (2, 1)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_model_keeps_its_dtype(path, device):
    lw.save(converted(), path)
    other = lw.load(perceptron().to(device, torch.bfloat16), path)
    assert {parameter.dtype for parameter in other.parameters()} == {torch.bfloat16}
    assert other(torch.randn(8, 64, dtype=torch.bfloat16)).isfinite().all()


@pytest.mark.slow
def test_a_fresh_process_computes_the_same(path, tmp_path):
    model = converted(config=CONFIGS["stack"]).eval()
    lw.save(model, path)
    x = torch.randn(8, 64)
    torch.save({"x": x, "y": model(x).detach()}, tmp_path / "example.pt")
    code = """
import sys, torch, learnable_wavelets as lw
from torch import nn
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 48, bias=False), nn.ReLU(), nn.Linear(48, 2))
lw.load(model, sys.argv[1])
example = torch.load(sys.argv[2], weights_only=True)
assert torch.allclose(model.eval()(example["x"]), example["y"], atol=1e-6)
print("same")
"""
    arguments = [sys.executable, "-c", code, str(path), str(tmp_path / "example.pt")]
    assert subprocess.run(arguments, capture_output=True, text=True, check=True).stdout == "same\n"


def other_shape():
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 48, bias=False), nn.ReLU(), nn.Linear(48, 2))


def with_bias():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 2))


def hooked():
    model = perceptron()
    model[0].register_forward_hook(lambda *args: None)
    return model


def last_as_well():
    model = perceptron()
    model[4] = lw.Fastfood(48, 2)
    return model


UNFIT = {
    r"`model` must have a layer '0' of \(64, 64, 0\) with bias, got Linear\(64, 32, 0\)": other_shape,
    r"`model` must have a layer '2' of \(64, 48, 0\) without bias, got Linear": with_bias,
    r"`model` must have a layer '2' of .*, got none": lambda: nn.Sequential(nn.Linear(64, 64)),
    r"that can be replaced: it has hooks": hooked,
    r"`model` must have class WaveletLinear in '0' as the file, got Fastfood": lambda: converted(
        config=CONFIGS["fastfood"]
    ),
    r"`model` must have mode periodization in '0' as the file, got zero": lambda: converted(
        config=lw.Compression(wavelet="db2", taps=None, level=None, mode="zero")
    ),
    r"must have a dense layer '4' as the file, got a Fastfood": last_as_well,
    r"which has besides 4.bias, 4.weight": lambda: perceptron()[:4],
    r"which lacks 5.bias, 5.weight": lambda: perceptron().append(nn.Linear(2, 2)),
    r"`model` must have '4.weight' of shape \(2, 48\), got \(3, 48\)": lambda: nn.Sequential(
        *perceptron()[:4], nn.Linear(48, 3)
    ),
    r"`model` must not be wrapped": lambda: nn.DataParallel(perceptron()),
    r"`model` must have shapes, got the lazy '4.weight': run it once first": lambda: perceptron()[:4].append(
        nn.LazyLinear(2)
    ),
}


@pytest.mark.parametrize("message", UNFIT)
def test_a_model_that_does_not_fit_is_left_unchanged(message, path):
    lw.save(converted(), path)
    model = UNFIT[message]()
    state, text = {k: v.clone() for k, v in model.state_dict().items() if not is_lazy(v)}, repr(model)
    with pytest.raises(ValueError, match=message) as caught:
        lw.load(model, path)
    assert "\n" not in str(caught.value)
    assert repr(model) == text
    assert all(torch.equal(model.state_dict()[name], value) for name, value in state.items())


def test_files_that_are_refused(path, tmp_path):
    model = perceptron()
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"must be a file of `lw.save`"):
        lw.load(model, path)
    save_file({"x": torch.zeros(1)}, path, {"learnable_wavelets": json.dumps({"version": 2})})
    with pytest.raises(ValueError, match=r"cannot be read: made by a newer version of learnable-wavelets \(format 2\)"):
        lw.load(model, path)
    path.write_bytes(b"no safetensors")
    with pytest.raises(ValueError, match="must be a safetensors file"):
        lw.load(model, path)
    with pytest.raises(ValueError, match="must be a regular file"):
        lw.load(model, tmp_path)
    with pytest.raises(FileNotFoundError):
        lw.load(model, tmp_path / "none")
    assert repr(model) == repr(perceptron())


class Own(lw.WaveletLinear):
    pass


class OwnFilter(lw.LearnableWaveletFilter):
    pass


class Extra(nn.Linear):
    def get_extra_state(self):
        return {"any": "thing"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: nn.Sequential(Own(8, 8)), "must have layers of this library, got '0', a Own"),
        (lambda: nn.Sequential(lw.WaveletLinear(8, 8, wavelet=OwnFilter())), "must have filters of this library"),
        (lambda: nn.Sequential(Extra(8, 8)), "must have tensors alone in its state, got '0._extra_state', a dict"),
        (lambda: perceptron().to("meta"), "must have values, got '0.weight' on the meta device"),
        (lambda: nn.Sequential(nn.LazyLinear(8)), "must have shapes, got the lazy '0.weight': run it once first"),
        (lambda: lw.Fastfood(8, 8), "must hold compressed layers, got a Fastfood"),
        (lambda: nn.DataParallel(perceptron()), "must not be wrapped"),
    ],
)
def test_models_that_cannot_be_saved(model, message, path):
    with pytest.raises(ValueError, match=message):
        lw.save(model(), path)
    assert not path.exists()


def test_without_safetensors(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    for call in (lambda: lw.save(perceptron(), path), lambda: lw.load(perceptron(), path)):
        with pytest.raises(ImportError, match="pip install 'learnable-wavelets\\[safetensors\\]'"):
            call()
