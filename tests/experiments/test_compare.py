"""The command of the README's first line."""

import json
from pathlib import Path

import pytest

from learnable_wavelets.experiments import _compare

from .test_cli import command


@pytest.mark.usefixtures("small")
def test_compare_shows_three_networks_and_says_where_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "compare", "--epochs", 2, "--seeds", 2, "--out", tmp_path) == 0
    out = capsys.readouterr().out
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*.json")]
    assert sorted((record["layer"], record["seed"]) for record in records) == [
        (layer, seed) for layer in ("dense", "removed", "wavelet") for seed in (0, 1)
    ]
    parameters = {record["layer"]: record["parameters"] for record in records}
    assert parameters == {"dense": 1_059_850, "wavelet": 15_370, "removed": 10_250}
    mean = sum(record["last"]["error"] for record in records if record["layer"] == "wavelet") / 2
    row = next(line for line in (tmp_path / "table.md").read_text().splitlines() if "WaveletLinear" in line)
    assert f"{mean:.2f} ±" in row
    assert "1/69 of the parameters" in out
    assert out.rstrip().endswith(f"{tmp_path}: compare.png, table.md, runs/")
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("small")
def test_a_second_compare_reads_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("compare", "--epochs", 1, "--seeds", 1, "--out", tmp_path)
    assert command(monkeypatch, *words) == 0
    first = (tmp_path / "table.md").read_text()
    monkeypatch.setattr("learnable_wavelets.experiments.engine._run._train", None)  # nothing trains again
    assert command(monkeypatch, *words) == 0
    assert (tmp_path / "table.md").read_text() == first
    assert "one seed" in first


def test_a_filter_that_diverged_is_drawn(tmp_path: Path) -> None:
    bank = {name: [0.5, None] for name in ("dec_lo", "dec_hi", "rec_lo", "rec_hi")}
    spread = {"mean": None, "std": None}
    rows = [{"layer": layer, "parameters": 10, "last": {"error": spread}} for layer in _compare.LAYERS]
    _compare.report.draw_comparison(tmp_path / "a.png", rows, _compare.LAYERS, {"start": bank, "learned": bank})
    assert (tmp_path / "a.png").exists()


@pytest.mark.parametrize(("words", "expected"), [(("--seeds", "x"), "`seeds`"), (("--data", "x"), "`data`")])
def test_bad_options(
    words: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "compare", *words) == 2
    assert expected in capsys.readouterr().err
