import json
import sys
from pathlib import Path
from typing import Any

import pytest

from learnable_wavelets import _command_line, cli
from learnable_wavelets.experiments import _command
from learnable_wavelets.experiments.models import LAYERS
from learnable_wavelets.experiments.paper import EXPERIMENTS, mnist
from learnable_wavelets.experiments.paper.shootout import EXPERIMENT as SHOOTOUT
from learnable_wavelets.experiments.spec import Case, Options, cases, parse
from learnable_wavelets.experiments.tasks import Images, as_maps

from .conftest import CPU


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Exit status of `learnable-wavelets WORDS`."""
    monkeypatch.setattr(sys, "argv", ["learnable-wavelets", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code or 0


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("runs/*.json"))]


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_reproduce_writes_lines_records_table_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "reproduce", "mnist", "--seeds", 2, "--epochs", 2, "--out", tmp_path) == 0
    out = capsys.readouterr().out
    assert "sample inside the package" in out
    assert "35,996" in out
    assert "seed 1: epoch 2 of 2, training loss" in out
    for path in sorted(tmp_path.glob("runs/*.json")):
        record = json.loads(path.read_text())
        lines = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
        assert [{"run": record["run"], **epoch} for epoch in record["history"]] == lines
        assert [line["epoch"] for line in lines] == [1, 2]
        assert 0 < record["last"]["error"] < 95
        assert record["chosen"] is None
        (banks,) = record["filters"].values()
        assert banks["start"]["dec_lo"] != banks["learned"]["dec_lo"]
        assert (tmp_path / f"{record['run']}.png").exists()
    names = [record["run"] for record in records(tmp_path)]
    assert len(names) == 2
    left = {name + end for name in names for end in (".json", ".jsonl")}
    assert {path.name for path in tmp_path.glob("runs/*")} == left
    assert (tmp_path / "mnist-curves.png").exists()


@pytest.mark.usefixtures("small")
def test_a_network_is_built_once_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names come from the options."""
    build, built = Case.network, []

    def network(case: Case, seed: int) -> object:
        built.append((case.layer, seed))
        return build(case, seed)

    monkeypatch.setattr(Case, "network", network)
    words = ("--layer", "removed,diagonal", "--seeds", 2, "--epochs", 1, "--out", tmp_path)
    assert command(monkeypatch, "reproduce", "mnist", *words) == 0
    assert built == [("removed", 0), ("removed", 1), ("diagonal", 0), ("diagonal", 1)]


@pytest.mark.usefixtures("small")
def test_our_protocol_chooses_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--protocol", "ours", "--layer", "removed", "--epochs", 3)
    assert command(monkeypatch, "reproduce", "mnist", *words, "--out", tmp_path) == 0
    (record,) = records(tmp_path)
    errors = [epoch["validation_error"] for epoch in record["history"]]
    assert record["chosen"]["epoch"] == 1 + errors.index(min(errors))
    assert "at chosen epoch" in (tmp_path / "table.md").read_text()


@pytest.mark.slow
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


def test_shootout_has_one_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "reproduce", "shootout", "--protocol", "ours", "--out", tmp_path) == 2
    assert "--protocol" in capsys.readouterr().err


def test_all_runs_every_experiment_into_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []
    monkeypatch.setattr(_command, "run_experiment", lambda experiment, values: seen.append((experiment, values)) or 0)
    assert command(monkeypatch, "reproduce", "all", "--layer", "dense,removed", "--out", tmp_path, "--seeds", 2) == 0
    assert [experiment for experiment, _ in seen] == list(EXPERIMENTS)
    for experiment, values in seen:
        assert values["out"] == tmp_path / experiment.name
        options = parse(experiment, values)
        assert options.layer == ("dense", "removed")
        assert options.seeds == (0, 1)
        assert options.protocol == experiment.protocols[0]
    assert parse(*seen[5]).gates == ("reset", "state")  # of sequential MNIST
    assert command(monkeypatch, "reproduce", "all", "--layer", "circulant") == 2
    assert (
        "`layer` must be one of dense, narrow, fastfood, wavelet, wavelet-paper, frozen, diagonal, removed, all"
        in capsys.readouterr().err
    )


def test_all_stops_with_the_experiment_that_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(_command, "run_experiment", lambda experiment, values: seen.append(experiment.name) or 130)
    assert command(monkeypatch, "reproduce", "all", "--out", tmp_path) == 130
    assert seen == [EXPERIMENTS[0].name]


def test_an_interrupt_outside_of_a_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(values: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(_command, "run_all", interrupted)
    assert command(monkeypatch, "reproduce", "all") == 130
    assert capsys.readouterr().err == "\nStopped.\n"


BAD = [
    (
        ["--layer", "sparse"],
        "`layer` must be one of dense, narrow, fastfood, wavelet, wavelet-paper, frozen, diagonal, removed, all",
    ),
    (["--layer", ""], "`layer` must be one of"),
    (["--seeds", "0"], "`seeds` must be a count of at least 1"),
    (["--seeds", "1,x"], "got '1,x'"),
    (["--seeds", ""], "`seeds` must be a count"),
    (["--preset", "long"], "`preset` must be one of quick, paper; got 'long'"),
    (["--protocol", "mine"], "`protocol` must be one of paper, ours; got 'mine'"),
    (["--data", "half"], "`data` must be one of auto, full, sample; got 'half'"),
    (["--device", "toaster"], "`device` must be usable here, got 'toaster'"),
    (["--device", "meta"], "`device` must be usable here, got 'meta'"),
    (["--device", "privateuseone"], "`device` must be usable here, got 'privateuseone'"),
    (["--wavelet", "db99"], "db99"),
    (["--mode", "mirror"], "periodization"),
    (["--taps", "5"], "`taps`"),
    (["--layer", "fastfood", "--taps", "6"], "--taps is for the layers wavelet, frozen, got --layer fastfood"),
    (["--constraint", "biorthogonal", "--taps", "8"], "`taps` must not be given with constraint biorthogonal"),
    (["--level", "-1"], "level"),
    (["--constraint", "hard"], "`constraint` must be one of soft, orthogonal, biorthogonal; got 'hard'"),
    (["--constraint", "orthogonal", "--wavelet", "bior2.2"], "orthonormal"),
    (["--layer", "dense", "--mode", "zero"], "--mode is for the layers wavelet, frozen, got --layer dense"),
    (["--published-slicing"], "--published-slicing is for the layer wavelet-paper, got --layer wavelet"),
    (["--validation", "999999"], "`validation` must be between 0 and"),
    (["--epochs", "0"], "--epochs"),
    (["--unknown"], "--unknown"),
    (["--epoch", "1"], "--epoch"),  # no abbreviations
    (["--epochs", "x"], "--epochs: invalid int value: 'x'"),
    (["--resume", "--overwrite"], "--resume goes on with a run, --overwrite starts it again"),
    (["--gates", "reset"], "--gates"),
    (["--layer", "dense", "--level", "0"], "--level is for the layers wavelet, frozen, got --layer dense"),
    (["--seeds", "9999999999"], "`seeds` must be at most 1,000,000, got 9999999999"),
    (
        ["--seeds", "99999999999999999999,"],
        "`seeds` must be at most 9,223,372,036,854,775,807, got 9999",
    ),
    (["--learning-rate", "inf"], "`learning_rate` must be finite, got inf"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
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


def test_help_names_layers_and_presets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert command(monkeypatch, "reproduce", "mnist", "--help") == 0
    out = capsys.readouterr().out
    assert "Of dense, narrow, fastfood, wavelet, wavelet-paper, frozen, diagonal, removed, or all" in out
    assert "quick: 3000 steps; paper: 20 epochs" in out
    assert "Train the paper's LeNet-5 on MNIST" in out


@pytest.mark.parametrize(
    ("text", "seeds"), [("1", (0,)), ("3", (0, 1, 2)), ("4,7", (4, 7)), ("7,", (7,)), ("0,", (0,)), ("1,1", (1,))]
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert _command_line.parse_seeds("seeds", text) == seeds


def test_layers() -> None:
    known = mnist.EXPERIMENT.layers
    assert _command_line.parse_names("layer", ["wavelet,dense", "dense"], known) == ("wavelet", "dense")
    assert _command_line.parse_names("layer", ["all"], known) == known
    assert set(known) <= set(LAYERS)


@pytest.mark.parametrize("text", ["", "0", "1,x", "-1"])
def test_counts(text: str) -> None:
    assert _command_line.parse_counts("depth", "3,1,3") == (3, 1)
    with pytest.raises(ValueError, match="`depth` must be whole numbers of at least 1, such as 1,3; got"):
        _command_line.parse_counts("depth", text)


def test_cases_of_the_shootout(vectors: Images) -> None:
    values = {"layer": ["dense,wavelet,low-rank"], "depth": "1,3", "blocks": "1,4", "combine": "sum"}
    found = [
        (case.layer, case.options.depth, case.options.blocks)
        for case in cases(SHOOTOUT, parse(SHOOTOUT, values), vectors)
    ]
    each = [("dense", 1), ("wavelet", 1), ("wavelet", 4), ("low-rank", 1), ("low-rank", 4)]
    assert found == [(layer, (depth,), (blocks,)) for depth in (1, 3) for layer, blocks in each]


def test_quick_preset_keeps_the_steps(sample) -> None:
    task = Images(sample, as_maps, 64, 0, CPU)
    assert mnist.recipe("wavelet", Options(preset="paper"), task).epochs == 20
    assert 0.9 * mnist.QUICK_STEPS < mnist.recipe("wavelet", Options(), task).steps <= mnist.QUICK_STEPS


@pytest.mark.parametrize("epochs", [3, 20])
def test_learning_rate_ends_where_the_published_one_does(epochs: int, maps: Images) -> None:
    gamma = mnist.recipe("wavelet", Options(epochs=epochs), maps).gamma
    assert gamma**epochs == pytest.approx(0.8**20)
