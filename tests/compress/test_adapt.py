"""`adapt_`, its files, its switch, and `merge_`."""

import copy
import json

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import learnable_wavelets as lw

from .models import CONFIGS, Conv1D, Shared, perceptron

SMALL = CONFIGS["wavelet"]


def body(module, name):
    return name != "4"


def trained(model, config, filter_fn=None):
    """Adapt, and move the updates away from zero."""
    report = lw.adapt_(model, config, filter_fn)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(0.1 * torch.randn_like(p))
    return report


@pytest.mark.parametrize("name", CONFIGS)
def test_adapt_save_load_switch_off_merge(name, tmp_path):
    model, x, path = perceptron().eval(), torch.randn(8, 64), tmp_path / "adapter.safetensors"
    fresh, filled, y = copy.deepcopy(model), copy.deepcopy(model), model(x)
    report = trained(model, CONFIGS[name], body)
    z = model(x)
    assert not torch.allclose(z, y, atol=1e-2)
    assert report.adapted == ("0", "2")
    assert report.skipped == {"4": "excluded by `filter_fn`"}
    own = {id(p): p.numel() for p in model.parameters() if p.requires_grad}
    assert report.trainable == sum(own.values())
    assert report.total == report.trainable + sum(p.numel() for p in fresh.parameters())
    lw.save_adapter(model, path)
    assert path.stat().st_size < 4 * report.trainable + 8000
    assert lw.load_adapter(fresh, path) == report.adapted
    assert torch.equal(fresh(x), z)
    assert sum(p.numel() for p in fresh.parameters() if p.requires_grad) == report.trainable
    trained(filled, CONFIGS[name], body)
    assert lw.load_adapter(filled, path) == report.adapted
    assert torch.equal(filled(x), z)
    with lw.disable_adapters(model):
        assert torch.equal(model(x), y)
    assert torch.equal(model(x), z)
    assert lw.merge_(model) == report.adapted
    assert all(type(module) in (nn.Sequential, nn.Linear, nn.ReLU) for module in model.modules())
    assert torch.allclose(model(x), z, atol=1e-5 * z.abs().max().item())


def test_the_report_reads_as_that_of_peft():
    report = lw.adapt_(perceptron(), SMALL, lambda module, name: name == "0")
    assert str(report) == f"trainable params: 208 || all params: {7330 + 208:,} || trainable%: {20800 / 7538:.4f}"
    assert json.loads(json.dumps(report.to_dict()))["adapted"] == ["0"]


def test_training_moves_the_updates_alone():
    model, x = perceptron(), torch.randn(32, 64)
    frozen = copy.deepcopy(model.state_dict())
    lw.adapt_(model, SMALL, body)
    optimizer = torch.optim.AdamW(lw.parameter_groups(model, 1e-2, 0.1))
    losses = []
    for _ in range(20):
        loss = model(x).square().mean() + lw.wavelet_regularizer(model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert torch.equal(model[0].layer.weight, frozen["0.weight"])
    assert torch.equal(model[4].weight, frozen["4.weight"])


@pytest.mark.parametrize("make", [
    lambda: nn.Conv1d(64, 48, 1), lambda: nn.Conv2d(64, 48, 1, bias=False), lambda: Conv1D(48, 64),
    lambda: nn.Linear(64, 48, dtype=torch.float64),
])  # fmt: skip
def test_kinds_of_layers(make, tmp_path):
    layer = make()
    model, kind, path = nn.Sequential(layer), type(layer), tmp_path / "adapter.safetensors"
    fresh = copy.deepcopy(model)
    size = {nn.Conv1d: (3, 64, 5), nn.Conv2d: (3, 64, 5, 4)}.get(kind, (3, 5, 64))
    x = torch.randn(size, dtype=layer.weight.dtype)
    trained(model, SMALL)
    y = model(x)
    lw.save_adapter(model, path)
    lw.load_adapter(fresh, path)
    assert torch.equal(fresh(x), y)
    lw.merge_(model)
    assert type(model[0]) is kind
    assert torch.allclose(model(x), y, atol=1e-4)


@pytest.mark.parametrize("change", [
    lambda layer: prune.random_unstructured(layer, "weight", 0.5),
    lambda layer: nn.utils.parametrize.register_parametrization(layer, "weight", nn.Tanh()),
])  # fmt: skip
def test_merge_refuses_a_layer_that_was_changed_later(change):
    model, x = perceptron(), torch.randn(8, 64)
    trained(model, SMALL, body)
    change(model[2].layer)
    before, y = repr(model), model(x)
    with pytest.raises(ValueError, match="`model` must have a plain layer below the adapter '2', got one that is"):
        lw.merge_(model)
    assert repr(model) == before
    assert torch.equal(model(x), y)


def test_merge_of_a_pruned_bias_below_an_adapter():
    model, x = perceptron(), torch.randn(8, 64)
    trained(model, SMALL, body)
    prune.random_unstructured(model[0].layer, "bias", 0.5)
    y = model(x)
    lw.merge_(model)
    assert torch.allclose(model(x), y, atol=1e-5)


def test_a_module_in_two_places_stays_one():
    model, x = Shared(), torch.randn(4, 32)
    assert trained(model, SMALL).adapted == ("first", "second.1")
    y = model(x)
    assert model.first is model.second[0]
    lw.merge_(model)
    assert model.first is model.second[0]
    assert torch.allclose(model(x), y, atol=1e-5)


def test_torch_transformers():
    model, x = (
        nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 96, batch_first=True), 1).eval(),
        torch.randn(2, 5, 64),
    )
    assert trained(model, SMALL).adapted == ("layers.0.linear1", "layers.0.linear2")
    y = model(x)
    with torch.no_grad():  # on the fast path, if it were on
        assert torch.allclose(model(x), y, atol=1e-5)
        lw.merge_(model)
        assert torch.allclose(model(x), y, atol=1e-5)


def test_an_adapted_model_is_not_converted_again():
    model = perceptron()
    lw.adapt_(model, SMALL, lambda module, name: name == "0")
    assert lw.plan(model, SMALL).layers[0].reason == "it has an adapter: merge that first"
    assert lw.adapt_(model, SMALL, body).adapted == ("2",)
    with pytest.raises(ValueError, match="`model` has an adapter in '0': use `save_adapter`"):
        lw.save(model, "x")


@pytest.mark.parametrize(("model", "config", "message"), [
    (nn.Sequential(nn.ReLU()), SMALL, "`model` has no layer to adapt: it has no nn.Linear"),
    (nn.Linear(64, 64), SMALL, "`model` has no layer to adapt: '' is it is `model` itself"),
    (nn.DataParallel(perceptron()), SMALL, "must not be wrapped"),
    (nn.Sequential(nn.Linear(64, 64)), lw.Compression(level=30), "the configuration does not fit"),
    (perceptron(), lw.Compression(min_speedup=1), "`min_speedup` is for `compress_`, got 1 for an adapter"),
    (perceptron(), 3, "`config` must be a Compression, got int"),
])  # fmt: skip
def test_what_cannot_be_adapted(model, config, message):
    trains = [p.requires_grad for p in model.parameters()]
    with pytest.raises((ValueError, TypeError), match=message):
        lw.adapt_(model, config)
    assert [p.requires_grad for p in model.parameters()] == trains


def other_layers():
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 48))


def other_adapters():
    model = perceptron()
    lw.adapt_(model, lw.Compression(layer="fastfood"), body)
    return model


@pytest.mark.parametrize(("make", "message"), [
    (other_layers, "`model` must have a layer '0' of"),
    (lambda: nn.Sequential(nn.ReLU()), "`model` must have a layer '0'"),
    (other_adapters, "`model` must have the adapters of the file or none, got others"),
])  # fmt: skip
def test_models_that_do_not_fit_the_file(make, message, tmp_path):
    path, model = tmp_path / "adapter.safetensors", perceptron()
    trained(model, SMALL, body)
    lw.save_adapter(model, path)
    other = make()
    before = copy.deepcopy(other.state_dict())
    trains = [p.requires_grad for p in other.parameters()]
    with pytest.raises(ValueError, match=message):
        lw.load_adapter(other, path)
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
    assert [p.requires_grad for p in other.parameters()] == trains


def test_files_that_are_none(tmp_path):
    path, model = tmp_path / "x.safetensors", perceptron()
    path.write_text("x")
    with pytest.raises(ValueError, match="must be a safetensors file"):
        lw.load_adapter(model, path)
    lw.save(model, path)
    with pytest.raises(ValueError, match="must be a file of `save_adapter`, got one without its configuration"):
        lw.load_adapter(model, path)
    with pytest.raises(ValueError, match="`model` must have adapters of `adapt_`, got none"):
        lw.save_adapter(model, path)


def test_an_adapter_in_another(tmp_path):
    inner = lw.nn.Adapter(nn.Linear(64, 64), lw.Fastfood(64, 64, bias=False))
    model = nn.Sequential(lw.nn.Adapter(inner, lw.Fastfood(64, 64, bias=False)))
    with pytest.raises(ValueError, match="`model` must have one adapter for a layer, got another inside that of '0'"):
        lw.save_adapter(model, tmp_path / "x.safetensors")


@pytest.mark.parametrize("name", ["wavelet", "shared stack"])
@pytest.mark.parametrize("adapted", [False, True])
def test_a_model_on_the_meta_device(adapted, name, tmp_path):
    path, model = tmp_path / "x.safetensors", perceptron().to(torch.bfloat16)
    trained(model, CONFIGS[name], body)
    lw.save_adapter(model, path)
    with torch.device("meta"):
        other = perceptron().to(torch.bfloat16)
        if adapted:
            lw.adapt_(other, CONFIGS[name], body)
    lw.load_adapter(other, path)
    found, wanted = other[0].update.state_dict(), model[0].update.state_dict()
    assert all(torch.equal(found[key], value) for key, value in wanted.items())
    trains = [name for name, p in other.named_parameters() if p.requires_grad]
    assert trains == [name for name, p in model.named_parameters() if p.requires_grad]
    other.load_state_dict(model.state_dict(), assign=True)  # the frozen weights, as they come
    x = torch.randn(3, 64, dtype=torch.bfloat16)
    assert torch.equal(other(x), model(x))


def test_a_newer_file(tmp_path, monkeypatch):
    from learnable_wavelets.compress import _container

    path, model = tmp_path / "x.safetensors", perceptron()
    lw.adapt_(model, SMALL)
    monkeypatch.setattr(_container, "_VERSION", 99)
    lw.save_adapter(model, path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"cannot be read: made by a newer version .* \(format 99\)"):
        lw.load_adapter(perceptron(), path)


def rewritten(path, change):
    """Change the metadata or the tensors of a file of `save_adapter`."""
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(path, "pt") as file:
        values = json.loads(file.metadata()["learnable_wavelets_adapter"])
    tensors = load_file(path)
    change(values, tensors)
    save_file(tensors, path, {"learnable_wavelets_adapter": json.dumps(values)})


@pytest.mark.parametrize(("change", "message"), [
    (lambda values, tensors: values.pop("layers"), "cannot be read: .* must have a `layers`, got none"),
    (lambda values, tensors: values["layers"]["0"].update(filter=9), "must have one of 1 filters, got number 9"),
    (lambda values, tensors: tensors.pop("2.diag_mid"), "must have the update of '2' with"),
])  # fmt: skip
@pytest.mark.parametrize("adapted", [False, True])
def test_a_damaged_file_changes_nothing(adapted, change, message, tmp_path):
    config = lw.Compression(wavelet="db2", taps=None, shared_filter=True)
    path, model = tmp_path / "adapter.safetensors", nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
    other = copy.deepcopy(model)
    for each in (model, other) if adapted else (model,):
        lw.adapt_(each, config)
    torch.nn.init.ones_(model[0].update.diag_out)
    lw.save_adapter(model, path)
    rewritten(path, change)
    before, text = copy.deepcopy(other.state_dict()), repr(other)
    with pytest.raises(ValueError, match=message):
        lw.load_adapter(other, path)
    assert repr(other) == text
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
