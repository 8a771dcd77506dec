"""`plan`: exact numbers, a reason for each layer that stays, a model left as it is."""

import json

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import learnable_wavelets as lw
from learnable_wavelets.compress import _cost, _report

from . import models
from .models import CONFIGS, Conv1D, OtherReader, Reader, Shared, Tied, perceptron

SMALL = CONFIGS["wavelet"]


def costs(model):
    return sum(p.numel() for p in model.parameters()), sum(p.numel() * p.element_size() for p in model.parameters())


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_parameters_and_bytes_are_exact_on_meta_too(name, dtype):
    model = perceptron().to(dtype)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    report = lw.plan(model, CONFIGS[name])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert report == lw.plan(perceptron().to("meta", dtype), CONFIGS[name])
    assert (report.parameters[0], report.bytes[0]) == costs(model)
    assert lw.compress_(model, CONFIGS[name]) == report
    assert (report.parameters[1], report.bytes[1]) == costs(model)
    for entry in report.layers:
        if not CONFIGS[name].shared_filter:
            assert (entry.parameters[1], entry.bytes[1]) == costs(model.get_submodule(entry.name))


def test_multiply_adds():
    (entry,) = lw.plan(nn.Sequential(nn.Linear(64, 64)), lw.Compression(wavelet="db2", taps=None, level=2)).layers
    assert entry.multiply_adds == (64 * 64, 2 * 4 * (64 + 32) + 3 * 64)
    (entry,) = lw.plan(nn.Sequential(nn.Linear(64, 64)), lw.Compression(layer="fastfood")).layers
    assert entry.multiply_adds[1] == 2 * 64 * 6 + 3 * 64
    (entry,) = lw.plan(nn.Sequential(nn.Linear(64, 32)), lw.Compression(depth=0, rank=3)).layers
    assert entry.multiply_adds[1] == 3 * (64 + 32)


def quantised():
    class Linear4bit(nn.Linear):
        def forward(self, input):
            return super().forward(input)

    return Linear4bit(64, 64)


def with_hook():
    layer = nn.Linear(64, 64)
    layer.register_forward_hook(lambda *args: None)
    return layer


class Int8Linear(nn.Module):
    """As `torch.ao.nn.quantized.Linear`: the weight is a method."""

    in_features = out_features = 64

    def weight(self):
        return None

    def forward(self, input):
        return input


def with_sparse_weight():
    layer = nn.Linear(64, 64)
    layer.weight = nn.Parameter(layer.weight.detach().to_sparse())
    return layer


def pruned():
    return prune.identity(nn.Linear(64, 64), "weight")


REASONS = {
    "its parameters would not fall": lambda: nn.Linear(2, 2),
    "already compressed, a WaveletLinear": lambda: lw.WaveletLinear(64, 64),
    "lazy": lambda: nn.LazyLinear(64),
    "pruned, parametrised": lambda: nn.utils.parametrizations.orthogonal(nn.Linear(64, 64)),
    "weight-normed": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(64, 64)),
    "pruned": pruned,
    "quantised or has a forward of its own": quantised,
    "a Int8Linear, which is quantised or has a forward of its own": Int8Linear,
    "it has hooks": with_hook,
    "its weight has layout torch.sparse_coo": with_sparse_weight,
    "its weight is torch.complex64": lambda: nn.Linear(64, 64, dtype=torch.complex64),
    "strides, pads or has groups": lambda: nn.Conv2d(64, 64, 1, stride=2),
    "the configuration does not fit: `level`": lambda: nn.Linear(64, 1),
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_for_each_layer_that_stays(reason):
    config = lw.Compression(wavelet="db2", taps=None, level=1)
    report = lw.plan(nn.Sequential(REASONS[reason](), nn.Linear(64, 64)), config)
    assert report.replaced == ("1",)
    assert reason in report.layers[0].reason
    assert "\n" not in report.layers[0].reason
    assert report.layers[0].layer is None
    assert report.layers[0].parameters[0] == report.layers[0].parameters[1]


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        (Tied, {"head": "tied: its weight is held by 'embed' and 'head'"}),
        (models.RootTied, {"head": "tied: its weight is held by the model itself and 'head'"}),
        (Reader, {"wo": "Reader reads its `weight`"}),
        (OtherReader, {"wo": "OtherReader reads its `weight`"}),  # whatever its `self` is called
        (models.IndexReader, dict.fromkeys(["net.0", "net.2", "parts.a"], "IndexReader reads its `weight`")),
        (models.HelperReader, {"fc": "HelperReader reads its `weight`", "wo": "HelperReader reads its `weight`"}),
        (models.Initialised, {}),
        (lambda: nn.Sequential(nn.MultiheadAttention(64, 2), nn.Linear(64, 64)), {"0.out_proj": "MultiheadAttention"}),
        (Shared, {}),
    ],
)
def test_ties_and_readers(model, reasons):
    report = lw.plan(model(), SMALL)
    stay = {entry.name: entry.reason for entry in report.layers if not entry.replaced}
    assert stay.keys() == reasons.keys()
    assert all(text in stay[name] for name, text in reasons.items())
    assert report.replaced


def test_kinds():
    model = nn.Sequential(nn.Conv2d(64, 64, 1), nn.Conv1d(64, 64, 1), Conv1D(64, 64), nn.Conv2d(64, 64, 3))
    report = lw.plan(model, SMALL)
    assert report.replaced == ("0", "1", "2")
    assert [entry.kind for entry in report.layers] == ["Conv2d", "Conv1d", "Conv1D"]


def test_filter_fn_sees_module_and_name():
    seen = []
    model = perceptron()
    report = lw.plan(model, SMALL, lambda module, name: seen.append((module, name)) or name == "0")
    assert seen == [(model[0], "0"), (model[2], "2"), (model[4], "4")]
    assert report.replaced == ("0",)
    assert report.layers[1].reason == "excluded by `filter_fn`"


def test_a_shared_bank_counts_once():
    report, own = lw.plan(perceptron(), CONFIGS["shared"]), lw.plan(perceptron(), SMALL)
    assert report.parameters[1] == own.parameters[1] - 16
    config = lw.Compression(wavelet="haar", taps=4096, level=1, shared_filter=True)
    with pytest.raises(ValueError, match="the shared bank costs what all layers save"):
        lw.plan(perceptron(), config)


def test_min_speedup(monkeypatch):
    report = lw.plan(perceptron(), lw.Compression(**{**SMALL.to_dict(), "min_speedup": 1e-6}))
    assert report.replaced == ("0", "2")
    assert report.layers[0].speedup > 0
    assert f"{report.layers[0].speedup:.2f}" in str(report)
    monkeypatch.setattr(_cost, "_seconds", lambda call: 1.0)
    with pytest.raises(ValueError, match=r"1\.00 times as fast, not 2"):
        lw.plan(perceptron(), lw.Compression(**{**SMALL.to_dict(), "min_speedup": 2}))
    with pytest.raises(ValueError, match="one on the meta device"):
        lw.plan(perceptron().to("meta"), lw.Compression(**{**SMALL.to_dict(), "min_speedup": 2}))


def test_plan_leaves_the_random_numbers_and_measures_each_shape_once(monkeypatch):
    seconds, calls = _cost._seconds, []
    monkeypatch.setattr(_cost, "_seconds", lambda call: calls.append(call) or seconds(call))
    model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(3)))
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    lw.plan(model, lw.Compression(**{**SMALL.to_dict(), "min_speedup": 1e-6}))
    assert torch.equal(torch.rand(3), expected)
    assert len(calls) == 2


def test_hooks_of_all_modules_are_nobodys():
    handle = nn.modules.module.register_module_forward_hook(lambda *args: None)
    try:
        assert lw.plan(perceptron(), SMALL).replaced == ("0", "2")
    finally:
        handle.remove()


def test_the_report_prints_and_travels(monkeypatch):
    report = lw.plan(Tied(), SMALL)
    values = json.loads(json.dumps(report.to_dict()))
    assert values["config"] == SMALL.to_dict()
    assert values["parameters"] == [*report.parameters]
    assert [layer["name"] for layer in values["layers"]] == ["body", "head"]
    assert [layer["replaced"] for layer in values["layers"]] == [True, False]
    rich = str(report)
    monkeypatch.setattr(_report.importlib.util, "find_spec", lambda name: None)
    plain = str(report)
    for text in (rich, plain):
        for part in ("body", "32 x 32", "WaveletLinear", "starts anew", "tied", f"{report.parameters[1]:,} parameters"):
            assert part in text
    assert rich != plain
