import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from learnable_wavelets._output import write_atomic
from learnable_wavelets.experiments import report
from learnable_wavelets.experiments.engine import _records
from learnable_wavelets.experiments.report import _folder, _summary


def run(error: float | None, seed: int, layer: str = "dense", loss: float | None = 0.0, **other: Any) -> dict[str, Any]:
    same = {"experiment": "mnist", "layer": layer, "settings": "", "protocol": "paper", "data": "full", "epochs": 2}
    size = {"interval": 4, "parameters": 1234, "seed": seed, "seconds": 3.0}
    history = [{"epoch": 1, "train_loss": 0.5, "seconds": 1.0}, {"epoch": 2, "train_loss": None, "seconds": 3.0}]
    found = {"last": {"error": error}, "chosen": None, "wavelet_loss": loss, "history": history}
    return {**same, **size, **found, **other}


def test_each_line_is_whole_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "a.jsonl"
    with _records.JsonLines(path) as lines:
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
    rows = report.summarise([run(1.0, 1), run(0.5, 0), run(0.7, 0, "wavelet", 1e-6), run(1.5, 2)])
    assert [(row["layer"], row["seeds"]) for row in rows] == [("dense", [0, 1, 2]), ("wavelet", [0])]
    assert rows[0]["last"]["error"]["mean"] == pytest.approx(1.0)
    assert rows[0]["last"]["error"]["std"] == pytest.approx(0.5)  # of a sample: divided by n - 1
    assert rows[1]["last"]["error"]["std"] is None


def test_paired_differences() -> None:
    """Seed by seed: what all runs of a seed have in common does not count."""
    hard = {0: 10.0, 1: 20.0, 2: 60.0}
    dense = [run(error, seed) for seed, error in hard.items()]
    better = [run(error - 2 - seed / 10, seed, "wavelet") for seed, error in hard.items()]
    difference = report.paired(better, dense, "error")
    assert difference is not None
    assert difference["seeds"] == 3
    assert difference["mean"] == pytest.approx(-2.1)
    assert difference["std"] == pytest.approx(0.1)
    assert report.paired(better[1:], dense[:2], "error") == {"seeds": 1, "mean": pytest.approx(-2.1), "std": None}
    assert report.paired(better[2:], dense[:2], "error") is None
    broken = report.paired([run(None, 0)], dense, "error")
    assert broken is not None
    assert broken["mean"] is None


def test_ahead_takes_three_seeds_and_more_than_the_spread() -> None:
    dense = [run(10.0, seed) for seed in range(3)]
    better = [run(8.0 + seed / 10, seed) for seed in range(3)]
    assert report.ahead(better, dense, "error")
    assert not report.ahead(dense, better, "error")
    assert not report.ahead(better[:2], dense, "error")
    assert not report.ahead([run(9.0, 0), run(9.9, 1), run(9.95, 2)], dense, "error")
    for group, value in ((dense, 0.5), (better, 0.6)):
        for one in group:
            one["last"] = {"accuracy": value}
    assert report.ahead(better, dense, "accuracy")


def test_a_pause_is_no_part_of_the_seconds() -> None:
    ends = [1.0, 2.0, 603.0, 604.5]
    paused = run(1.0, 0, epochs=4, seconds=604.5) | {"history": [{"seconds": end} for end in ends]}
    assert _summary.typical_seconds(paused) == pytest.approx(1.25 * 4)
    assert report.summarise([paused])[0]["seconds"]["mean"] == pytest.approx(5.0)


@pytest.mark.parametrize("key", ["protocol", "epochs", "interval", "settings", "parameters", "data", "experiment"])
def test_what_differs_is_another_row(key: str) -> None:
    first = run(1.0, 0)
    other = first[key] + ("x" if isinstance(first[key], str) else 1)
    assert len(report.summarise([first, {**first, key: other}])) == 2


def test_markdown() -> None:
    rows = report.summarise([run(1.0, 0), run(0.5, 1), run(0.7, 0, "wavelet", 1e-6), run(90.2, 0, "z", None)])
    assert report.markdown(rows).splitlines()[:5] == [
        "| layer | protocol | data | epochs | seeds | parameters | test error % | wavelet loss | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| dense | paper | full | 2 | 2 | 1,234 | 0.75 ± 0.35 | 0.0e+00 | 3 |",
        "| wavelet | paper | full | 2 | 1 | 1,234 | 0.70 | 1.0e-06 | 3 |",
        "| z | paper | full | 2 | 1 | 1,234 | 90.20 | not finite | 3 |",
    ]


def test_chosen_epoch_stands_beside_the_last() -> None:
    rows = report.summarise([run(1.0, seed, chosen={"epoch": 3 + seed, "error": 0.5 + seed}) for seed in (0, 1)])
    line = report.markdown(rows).splitlines()[2]
    assert line == "| dense | paper | full | 2 | 2 | 1,234 | 1.00 ± 0.00 | 1.00 ± 0.71 | 0.0e+00 | 3 |"


def test_figure_that_is_not_finite() -> None:
    rows = report.summarise([run(1.0, 0), run(None, 1)])
    assert "| not finite |" in report.markdown(rows)


def test_experiments_have_tables_of_their_own() -> None:
    other = run(0.0, 0, experiment="adding", last={"mse": 1e-3, "accuracy": 0.9})
    text = report.markdown(report.summarise([run(1.0, 0), other]))
    assert "## adding" in text
    assert "| test MSE | test accuracy |" in text
    assert "| 1.00e-03 | 0.9000 |" in text
    assert text.index("## adding") < text.index("## mnist") < text.index("| test error % |")


def test_lines_of_error_over_parameters() -> None:
    settings = [(30, "db2, 1 hidden, rate 0.01"), (10, "db2, 1 hidden, rate 0.02"), (20, "db2, product of 2, 1 hidden")]
    settings += [(5, "haar in 64 taps, 1 hidden"), (50, "db2, 3 hidden"), (20, "db2, sum of 2, 1 hidden")]
    rows = report.summarise([run(1.0, 0, "wavelet", settings=words, parameters=size) for size, words in settings])
    lines = {label: [row["parameters"] for row in line] for label, line in _folder._by_layer(rows).items()}
    assert lines == {
        "wavelet, haar in 64 taps, 1 hidden, paper": [5],
        "wavelet, db2, 1 hidden, paper": [10, 20, 30],
        "wavelet, db2, sums, 1 hidden, paper": [20],
        "wavelet, db2, 3 hidden, paper": [50],
    }


def test_table_is_made_from_all_finished_runs(tmp_path: Path) -> None:
    for number in (0, 1):
        write_atomic(tmp_path / "runs" / f"{number}.json", json.dumps(run(1.0 + number, number)))
    (tmp_path / "runs" / "going.jsonl").write_text("{}\n")
    rows = report.write_all(tmp_path)
    assert rows[0]["seeds"] == [0, 1]
    assert json.loads((tmp_path / "results.json").read_text()) == rows
    assert "1.50 ± 0.71" in (tmp_path / "table.md").read_text()
    assert {path.name for path in tmp_path.glob("*.png")} == {"mnist-curves.png", "mnist-parameters.png"}


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no finished run in .*runs"):
        _records.read_runs(tmp_path)


def test_run_that_is_not_json(tmp_path: Path) -> None:
    write_atomic(tmp_path / "runs" / "x.json", "{")
    with pytest.raises(ValueError, match=r"x\.json is not JSON"):
        _records.read_runs(tmp_path)


def test_a_hundred_lines_differ_in_colour_or_marker() -> None:
    styles = [tuple(_folder.point_style(number).values()) for number in range(100)]
    assert len(set(styles)) == 100
    assert all(a != b for first, second in pairwise(styles) for a, b in zip(first, second, strict=True))
