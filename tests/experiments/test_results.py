import json
import os
from pathlib import Path
from typing import Any

import pytest

from learnable_wavelets._command_line import write_atomic
from learnable_wavelets.experiments import _results


def run(error: float, seed: int, layer: str = "dense", loss: float | None = 0.0) -> dict[str, Any]:
    same = {"experiment": "mnist", "layer": layer, "settings": "", "data": "full", "epochs": 2, "parameters": 1234}
    return {**same, "seed": seed, "test_error": error, "wavelet_loss": loss, "seconds": 3.0}


def test_each_line_is_whole_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "a.jsonl"
    with _results.JsonLines(path) as lines:
        lines.write({"epoch": 1, "train_loss": float("nan")})
        assert path.read_text() == '{"epoch": 1, "train_loss": null}\n'
        lines.write({"epoch": 2, "train_loss": float("inf")})
    assert [json.loads(line)["epoch"] for line in path.read_text().splitlines()] == [1, 2]


def test_interrupted_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.json"
    write_atomic(path, "old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")
    assert path.read_text() == "old"


def test_summary_over_seeds() -> None:
    rows = _results.summarise([run(1.0, 1), run(0.5, 0), run(0.7, 0, "wavelet", 1e-6), run(1.5, 2)])
    assert [(row["layer"], row["seeds"]) for row in rows] == [("dense", [0, 1, 2]), ("wavelet", [0])]
    assert rows[0]["test_error_mean"] == pytest.approx(1.0)
    assert rows[0]["test_error_std"] == pytest.approx(0.5)  # of a sample: divided by n - 1
    assert rows[1]["test_error_std"] is None


def test_markdown() -> None:
    rows = _results.summarise([run(1.0, 0), run(0.5, 1), run(0.7, 0, "wavelet", 1e-6), run(90.2, 0, "z", None)])
    assert _results.markdown(rows).splitlines()[2:5] == [
        "| dense | full | 2 | 2 | 1,234 | 0.75 ± 0.35 | 0.0e+00 | 3 |",
        "| wavelet | full | 2 | 1 | 1,234 | 0.70 | 1.0e-06 | 3 |",
        "| z | full | 2 | 1 | 1,234 | 90.20 | not finite | 3 |",
    ]


def test_table_is_made_from_all_finished_runs(tmp_path: Path) -> None:
    for number in (0, 1):
        write_atomic(tmp_path / "runs" / f"{number}.json", json.dumps(run(1.0 + number, number)))
    (tmp_path / "runs" / "going.jsonl").write_text("{}\n")
    rows = _results.write_table(tmp_path)
    assert rows[0]["seeds"] == [0, 1]
    assert json.loads((tmp_path / "results.json").read_text()) == rows
    assert "1.50 ± 0.71" in (tmp_path / "table.md").read_text()


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no finished run in .*runs"):
        _results.read_runs(tmp_path)


def test_run_that_is_not_json(tmp_path: Path) -> None:
    write_atomic(tmp_path / "runs" / "x.json", "{")
    with pytest.raises(ValueError, match=r"x\.json is not JSON"):
        _results.read_runs(tmp_path)
