"""Contract 6: files of every release load for ever, and compute what they computed."""

import hashlib
import json
import re

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import learnable_wavelets as lw

from .models import ADAPTER, CONFIG, HERE, LAYERS, PROGRAM, output, perceptron

SHA256 = {
    "0.1": {
        "adapted.pt": "a03734ee5d105ebe959de7ae2a6fb2a7715177f21ce237607f6fa20e4fbe973d",
        "adapter.safetensors": "6b8d92884a12aa35f3456be0b2e96c043b9447dae56bf9d1be332953676b82b6",
        "config.json": "c06f0a37fb1108efb856526854c4c7334ec8655ba5b7f8f054a5b53f53de7b51",
        "expected.safetensors": "5ee6e9e3df8a3082014fd639a167d2e7fc812ff0c0da2e0717057be828c93ae6",
        "fastfood.pt2": "234bbb11d457ac5f87c265bd81aabb5d726b741fb49b57489562fbc59b90a685",
        "model.safetensors": "72ae720fe50c9a3ce367de97118a4cdee256b0e5796f64995e5f656d4f7bbb6a",
        "states.pt": "2269674163facc753900685797a3744d3eba02cdb5e48ab5dd379dd25780b332",
        "states.safetensors": "cde3a1823a207f44b17cffbf3e4e85873e908a028eff876f12cc15711eeff036",
        "wavelet.pt2": "1f1abab2128b023d4d53a79e848e00f1a64bf52ac1a945946b3d6b4c83452d2d",
    },
}
FILES = [(release, name) for release, names in SHA256.items() for name in names]
RELEASES = list(SHA256)
BACKENDS = [name for name in lw.kernels.available_backends() if name != "triton"]


@pytest.fixture(params=RELEASES)
def folder(request):
    return HERE / request.param


@pytest.fixture(params=BACKENDS, autouse=True)
def backend(request):
    with lw.kernels.use_backend(request.param):
        yield


def compare(model, name, folder):
    expected = load_file(folder / "expected.safetensors")
    y = expected[f"{name}.output"]
    assert (output(model.eval(), expected[f"{name}.input"]) - y).abs().max() <= 1e-6 * max(1, y.abs().max())


def needs_the_torch_of(folder):
    """Programs are torch's files: it reads those of older versions of itself, and no newer ones."""
    with safe_open(folder / "expected.safetensors", "pt") as file:
        made = file.metadata()["torch"]
    numbers = [tuple(map(int, re.findall(r"\d+", version)[:2])) for version in (torch.__version__, made)]
    if numbers[0] < numbers[1]:
        pytest.skip(f"the program was written by torch {made}, this is the older {torch.__version__}")


@pytest.mark.parametrize(("release", "name"), FILES)
def test_files_are_as_they_were_released(release, name):
    assert hashlib.sha256((HERE / release / name).read_bytes()).hexdigest() == SHA256[release][name]


def test_no_file_is_left_out(folder):
    assert {path.name for path in folder.iterdir()} == set(SHA256[folder.name])


@pytest.mark.parametrize("name", LAYERS)
def test_states(name, folder):
    fresh = LAYERS[name][0]()
    fresh.load_state_dict(torch.load(folder / "states.pt", weights_only=True)[name])
    compare(fresh, name, folder)


@pytest.mark.parametrize("name", LAYERS)
def test_states_in_safetensors(name, folder):
    fresh, tensors = LAYERS[name][0](), load_file(folder / "states.safetensors")
    prefix = f"{name}/"
    fresh.load_state_dict({key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)})
    compare(fresh, name, folder)


def test_a_saved_model(folder):
    model = lw.load(perceptron(), folder / "model.safetensors")
    compare(model, "model", folder)
    assert isinstance(model[0], lw.nn.Stack)
    assert model[0].factors[0].lr_multiplier == CONFIG.lr_multiplier


def test_an_adapter(folder):
    model = perceptron()
    model.load_state_dict(torch.load(folder / "adapted.pt", weights_only=True))
    assert "0" in lw.load_adapter(model, folder / "adapter.safetensors")
    compare(model, "adapter", folder)
    assert isinstance(model[0].update, lw.Fastfood)
    assert model[0].update.seed == ADAPTER.seed


def test_a_configuration(folder):
    assert lw.Compression.from_dict(json.loads((folder / "config.json").read_text())) == CONFIG


@pytest.mark.parametrize("name", PROGRAM)
def test_an_exported_program(name, folder):
    needs_the_torch_of(folder)
    expected = load_file(folder / "expected.safetensors")
    module, y = torch.export.load(folder / f"{name}.pt2").module(), expected[f"{name}.output"]
    assert (module(expected[f"{name}.input"]) - y).abs().max() <= 1e-6 * y.abs().max()
