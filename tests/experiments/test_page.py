"""The results page and its runs."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from learnable_wavelets.experiments.conversion import METHODS
from learnable_wavelets.experiments.paper import EXPERIMENTS
from learnable_wavelets.experiments.report import METRICS

from .test_results import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_results_page", ROOT / "tools" / "make_results_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_page_is_that_of_the_committed_runs(tool: ModuleType) -> None:
    assert (ROOT / "docs" / "experiments.md").read_text() == tool.page()
    assert (ROOT / "docs" / "results" / "mnist.md").read_text() == tool.mnist_table()


def test_every_experiment_has_a_table_with_its_controls(tool: ModuleType) -> None:
    families = json.loads((ROOT / "docs" / "results" / "published.json").read_text())
    assert list(families) == [*(experiment.name for experiment in EXPERIMENTS), "conversion"]
    assert {*families["conversion"]["layers"], *families["conversion"]["if_measured"]} == {*METHODS}
    for experiment in EXPERIMENTS:
        family = families[experiment.name]
        assert (
            {"dense", "fastfood", "wavelet", "diagonal", "removed"} <= set(family["layers"]) <= set(experiment.layers)
        )
        assert set(family["metrics"]) <= set(METRICS)


def test_new_runs_are_taken_in(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    published = {
        "title": "T",
        "metrics": ["mse", "accuracy"],
        "layers": ["dense", "removed"],
        "protocols": ["ours"],
        "rows": [{"model": "theirs", "parameters": 9900, "mse": 1.02e-3, "accuracy": 0.9164}],
        "note": "N.",
    }
    (tmp_path / "published.json").write_text(json.dumps({"adding": published}))
    theirs = "| theirs | published | 9,900 | 1.02e-03 | 0.9164 |  |  |  |  |"
    rows = f"{theirs}\n{{}}\n| removed | ours |  | not measured |  |  |  |  |  |"
    assert rows.format("| dense | ours |  | not measured |  |  |  |  |  |") in tool.page()
    for seed, error in ((0, 1e-3), (1, 3e-3), (1, 2e-3)):  # the last in the place of the one before
        record = run(None, seed, experiment="adding", protocol="ours", data="synthetic", run=f"r{seed} {error}")
        record |= {"last": {"mse": error, "accuracy": 0.5}, "chosen": {"epoch": 1, "mse": 5e-4, "accuracy": 0.5}}
        folder = tmp_path / "results" / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{seed}.json").write_text(json.dumps(record))
        tool.add(tmp_path / "results")
    measured = "| dense | ours | 1,234 | 1.50e-03 ± 7.07e-04 | 0.5000 ± 0.0000 | 5.00e-04 ± 0.00e+00 | 2 | 2 | 3 |"
    assert rows.format(measured) in tool.page()


CONDITIONS = {
    "title": "T",
    "metrics": ["error"],
    "layers": ["dense", "wavelet", "removed"],
    "protocols": ["equal"],
    "tables": [
        {"title": "A", "data": "d", "epochs": 2, "with": ["dropout 0.3"], "without": [], "hidden": ["dropout 0.3"]},
        {
            "title": "B",
            "data": "d",
            "with": [],
            "without": ["dropout 0.3"],
            "hidden": [],
            "rows": [{"model": "theirs", "error": 9}],
        },
        {"title": "C", "data": "none", "with": [], "without": [], "hidden": []},
    ],
    "note": "N.",
}


def test_conditions_have_tables_of_their_own_with_comparisons(tool: ModuleType, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    found = []
    for layer, errors in (("dense", (4.0, 5.0, 6.0)), ("wavelet", (2.0, 3.1, 3.9)), ("removed", (8.0, 9.0, 10.0))):
        same = {"layer": layer, "experiment": "shl", "protocol": "equal", "data": "d"}
        settings = "4 taps, dropout 0.3" if layer == "wavelet" else "dropout 0.3"
        found += [run(error, seed, settings=settings, **same) for seed, error in enumerate(errors)]
    found.append(run(1.0, 0, experiment="shl", protocol="equal", data="d"))
    found.append(run(0.0, 0, experiment="shl", protocol="equal", data="d", settings="dropout 0.3", epochs=9))
    # one seed does not keep a row with three from being the best
    found.append(run(2.5, 0, "wavelet", experiment="shl", protocol="equal", data="d", settings="8 taps, dropout 0.3"))
    (tmp_path / "shl.json").write_text(json.dumps(found))
    text = tool.section("shl", CONDITIONS)
    assert "| layer | protocol | parameters | error % | minus dense | kept % | at chosen epoch |" in text
    assert "| dense | equal | 1,234 | 5.00 ± 1.00 |  |  |  | 2 | 3 | 3 |" in text
    assert "| wavelet (4 taps) | equal | 1,234 | **3.00 ± 0.95** | -2.00 ± 0.10 | 150 |  | 2 | 3 | 3 |" in text
    assert "| removed | equal | 1,234 | 9.00 ± 1.00 | +4.00 ± 0.00 |  |  | 2 | 3 | 3 |" in text
    assert (
        text.index("### A")
        < text.index("| wavelet")
        < text.index("### B")
        < text.index("| theirs | published |  | 9.00 |")
    )
    assert "| dense | equal | 1,234 | 1.00 |  |  |  | 2 | 1 | 3 |" in text
    assert "### C" not in text
    assert text.endswith("\nN.\n")


def test_nothing_is_bold_without_three_seeds(tool: ModuleType, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    same = {"experiment": "shl", "protocol": "equal", "data": "d", "settings": "dropout 0.3"}
    found = [run(5.0, seed, **same) for seed in range(3)] + [run(1.0, seed, "wavelet", **same) for seed in range(2)]
    (tmp_path / "shl.json").write_text(json.dumps(found))
    assert "**" not in tool.section("shl", CONDITIONS)
