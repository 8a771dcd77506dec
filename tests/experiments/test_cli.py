import json
import sys
from pathlib import Path

import pytest

from learnable_wavelets import _command_line as _options
from learnable_wavelets import cli
from learnable_wavelets.experiments import _data, _models, _train, mnist


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Exit status of `learnable-wavelets WORDS`."""
    monkeypatch.setattr(sys, "argv", ["learnable-wavelets", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code or 0


@pytest.fixture
def small(few: _data.Mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_data, "load_mnist", lambda _: few)


@pytest.mark.usefixtures("small")
def test_reproduce_writes_lines_records_table_and_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "reproduce", "mnist", "--seeds", 2, "--epochs", 2, "--out", tmp_path) == 0
    out = capsys.readouterr().out
    assert "sample inside the package" in out
    assert "35,996" in out
    for path in sorted(tmp_path.glob("runs/*.json")):
        record = json.loads(path.read_text())
        lines = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in lines] == [1, 2]
        assert lines[-1]["test_error"] == record["test_error"]
        assert record["filters"]["start"]["dec_lo"] != record["filters"]["learned"]["dec_lo"]
    assert len(list(tmp_path.glob("*.png"))) == len(list(tmp_path.glob("runs/*.json"))) == 2


@pytest.mark.usefixtures("small")
def test_commands_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for layer in ("dense", "fastfood"):
        assert command(monkeypatch, "reproduce", "mnist", "--layer", layer, "--epochs", 1, "--out", tmp_path) == 0
    rows = (tmp_path / "table.md").read_text().splitlines()[2:4]
    assert [row.split()[1] for row in rows] == ["dense", "fastfood"]
    (tmp_path / "table.md").unlink()
    assert command(monkeypatch, "table", tmp_path) == 0
    assert (tmp_path / "table.md").read_text().splitlines()[2:4] == rows
    assert "431,080" in capsys.readouterr().out


@pytest.mark.usefixtures("small")
def test_interrupt_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error, calls = _train.test_error, iter([False, True])

    def interrupted(*args: object) -> float:
        if next(calls):
            raise KeyboardInterrupt
        return error(*args)

    monkeypatch.setattr(_train, "test_error", interrupted)
    assert command(monkeypatch, "reproduce", "mnist", "--epochs", 3, "--out", tmp_path) == 130
    assert "Stopped. The finished epochs are in" in capsys.readouterr().out
    (lines,) = tmp_path.glob("runs/*")
    assert json.loads(lines.read_text())["epoch"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", "sparse"], "`layer` must be one of dense, fastfood, wavelet, wavelet-paper, all, got 'sparse'"),
        (["--layer", ""], "`layer` must be one of"),
        (["--seeds", "0"], "`seeds` must be a count of at least 1"),
        (["--seeds", "1,x"], "got '1,x'"),
        (["--seeds", ""], "`seeds` must be a count"),
        (["--preset", "long"], "`preset` must be one of quick, paper, got 'long'"),
        (["--data", "half"], "`data` must be one of auto, full, sample, got 'half'"),
        (["--device", "toaster"], "`device` must be usable here, got 'toaster'"),
        (["--device", "meta"], "`device` must be usable here, got 'meta'"),
        (["--wavelet", "db99"], "db99"),
        (["--mode", "mirror"], "periodization"),
        (["--level", "-1"], "level"),
        (["--layer", "dense", "--mode", "zero"], "--mode is for the layer wavelet, got --layer dense"),
        (["--epochs", "0"], "--epochs"),
        (["--unknown"], "--unknown"),
    ],
)
def test_bad_options_give_one_line(
    options: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    assert command(monkeypatch, "reproduce", "mnist", "--epochs", 1, "--out", tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "out").exists()


def test_damaged_data_stops_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"not gzip")
    monkeypatch.setenv("LEARNABLE_WAVELETS_DATA", str(tmp_path))
    assert command(monkeypatch, "reproduce", "mnist", "--out", tmp_path / "out") == 2
    assert "train-images-idx3-ubyte.gz is damaged" in capsys.readouterr().err


def test_table_of_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command(monkeypatch, "table", tmp_path) == 2
    assert capsys.readouterr().err.startswith("error: no finished run in ")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "pooch" else object())
    assert command(monkeypatch, "reproduce", "mnist") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert 'needs pooch for its commands: pip install "learnable-wavelets[experiments]"' in error


@pytest.mark.parametrize(
    ("text", "seeds"), [("1", (0,)), ("3", (0, 1, 2)), ("4,7", (4, 7)), ("7,", (7,)), ("0,", (0,)), ("1,1", (1,))]
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert _options.parse_seeds(text) == seeds


def test_layers() -> None:
    assert _options.parse_names("layer", ["wavelet,dense", "dense"], _models.LAYERS) == ("wavelet", "dense")
    assert _options.parse_names("layer", ["all"], _models.LAYERS) == tuple(_models.LAYERS)


def test_quick_preset_keeps_the_steps(sample: _data.Mnist) -> None:
    assert mnist.preset_epochs("paper", sample) == 20
    steps = mnist.preset_epochs("quick", sample) * _train.steps(len(sample.train_labels))
    assert 0.9 * mnist.QUICK_STEPS < steps <= mnist.QUICK_STEPS
