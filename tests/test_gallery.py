"""The examples of the gallery run, with few steps, and are drawn in both schemes."""

import sys
from importlib import import_module
from math import isfinite
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parent.parent
if not (ROOT / "docs" / "gallery").exists():
    pytest.skip("the docs are not here", allow_module_level=True)

FEW = {"photograph": (), "ecg": (3,), "wavelet_loss": (2,), "chirp": (), "learned_wavelet": (3,)}


@pytest.fixture
def from_the_root(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    yield
    for name in [name for name in sys.modules if name == "docs" or name.startswith("docs.")]:
        del sys.modules[name]


@pytest.mark.usefixtures("from_the_root")
def test_no_example_is_left_out():
    assert set(import_module("docs.gallery.__main__").NAMES) == FEW.keys()
    page = (ROOT / "docs" / "gallery.md").read_text()
    for name in FEW:
        for scheme in ("light", "dark"):
            assert f"gallery/{name}-{scheme}.svg" in page
            assert (ROOT / "docs" / "gallery" / f"{name}-{scheme}.svg").exists()
        assert f'--8<-- "docs/gallery/{name}.py:' in page


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] if FEW[name] else []) for name in FEW])
@pytest.mark.usefixtures("from_the_root")
def test_example(name, tmp_path):
    module, style = import_module(f"docs.gallery.{name}"), import_module("docs.figures._style")
    found = module.example(*FEW[name])
    style.write(name, lambda colours: module.draw(colours, found), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}-light.svg", f"{name}-dark.svg"}
    globals()[f"check_{name}"](module, found)


def check_photograph(module, found):
    assert (found["packed"] != 0).float().mean() > 0.9
    assert 24 < module.signal_to_noise(found["image"], found["back"]) < 27


def check_ecg(module, found):
    train_on, choose_on, test_on = module.read()
    assert [len(part) for part in (train_on, choose_on, test_on)] == [64800, 21600, 21600]
    assert found["found"]["sym4"][1] > 9  # of 6 dB
    assert found["found"]["learned"][1] > 9


def check_wavelet_loss(module, found):
    assert all(isfinite(energy) for _, _, energy in found.values())
    assert module.compare(found["held-out part"][0][None] + 0.1, found["held-out part"][0][None])[0] == pytest.approx(
        20
    )


def check_chirp(module, found):
    assert found["packets"].shape == (32, module.N // 32)
    rows = found["packets"].abs().argmax(0)  # the stronger tone rises
    assert rows[10] < rows[30] < rows[56]
    assert found["packets"].square().sum() == pytest.approx(found["x"].square().sum().item(), rel=1e-4)


def check_learned_wavelet(module, found):
    assert found["best"] in found["fixed"]
    assert 0 < found["learned"] < 2 * min(found["fixed"].values())
