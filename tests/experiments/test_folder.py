"""The results folder: nothing in it is lost, mixed up or taken for something else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from learnable_wavelets.experiments.engine import Trainer, _tuning
from learnable_wavelets.experiments.paper.shootout import EXPERIMENT as SHOOTOUT

from .test_cli import command, records


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_interrupt_leaves_whole_lines_and_resume_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("reproduce", "mnist", "--epochs", 3, "--checkpoint-seconds", 0, "--out")
    assert command(monkeypatch, *words, tmp_path / "whole") == 0
    advance, calls = Trainer.advance, iter(range(100))

    def interrupted(self: Trainer) -> Any:
        if next(calls) == 6:  # in the second epoch
            raise KeyboardInterrupt
        return advance(self)

    monkeypatch.setattr(Trainer, "advance", interrupted)
    assert command(monkeypatch, *words, tmp_path / "cut") == 130
    assert "Stopped. The finished epochs are in" in capsys.readouterr().out
    (lines,) = tmp_path.glob("cut/runs/*.jsonl")
    assert json.loads(lines.read_text())["epoch"] == 1
    with lines.open("a") as file:
        file.write('{"epoch": 2, "written": "after the checkpoint')
    monkeypatch.setattr(Trainer, "advance", advance)
    assert command(monkeypatch, *words, tmp_path / "cut", "--resume") == 0
    assert [json.loads(line)["epoch"] for line in lines.read_text().splitlines()] == [1, 2, 3]
    (whole,), (resumed,) = records(tmp_path / "whole"), records(tmp_path / "cut")
    assert whole["state_sha256"] == resumed["state_sha256"]
    assert whole["last"] == resumed["last"]
    assert not list(tmp_path.glob("cut/runs/*.checkpoint*"))


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_resume_does_not_repeat_finished_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("reproduce", "mnist", "--layer", "removed", "--epochs", 1, "--out", tmp_path, "--resume")
    assert command(monkeypatch, *words) == 0
    (first,) = records(tmp_path)
    assert command(monkeypatch, *words, "--seeds", 2) == 0
    assert records(tmp_path)[0] == first
    assert len(records(tmp_path)) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_resume_of_another_recipe_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("reproduce", "mnist", "--layer", "removed", "--epochs", 1, "--out", tmp_path)
    assert command(monkeypatch, *words) == 0
    (path,) = tmp_path.glob("runs/*.json")
    path.write_text(path.read_text().replace('"adadelta"', '"adam"'))
    for more in ((), ("--resume",)):
        assert command(monkeypatch, *words, *more) == 2
        error = capsys.readouterr().err
        assert "is of another run (recipe: " in error
        assert "--overwrite replaces it, another --out keeps it" in error
    assert command(monkeypatch, *words, "--overwrite") == 0


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_tuning_chooses_on_the_validation_split_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("reproduce", "shootout", "--layer", "removed", "--epochs", 2, "--out", tmp_path)
    assert command(monkeypatch, *words, "--tune") == 0
    tried = records(tmp_path / "tuning")
    assert sorted(record["recipe"]["learning_rate"] for record in tried) == sorted(SHOOTOUT.grid)
    assert all(record["last"] == {} and record["seed"] == _tuning.SEED for record in tried)
    best = min(tried, key=lambda record: record["history"][-1]["validation_error"])["recipe"]["learning_rate"]
    (kept,) = tmp_path.glob("rates/*.json")
    validation = json.loads(kept.read_text())["validation"]
    assert json.loads(kept.read_text())["learning_rate"] == best == float(min(validation, key=validation.get))
    (record,) = records(tmp_path)
    assert record["recipe"]["learning_rate"] == best
    assert command(monkeypatch, *words, "--seeds", "5,") == 0  # a later command uses what was found
    assert {record["recipe"]["learning_rate"] for record in records(tmp_path)} == {best}
    assert command(monkeypatch, "table", tmp_path / "tuning") == 0  # a table without test figures


@pytest.mark.usefixtures("small")
def test_tuning_needs_a_validation_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "reproduce", "shootout", "--tune", "--validation", 0, "--out", tmp_path) == 2
    assert "--tune chooses on held-out images, got --validation 0" in capsys.readouterr().err


MNIST = ("reproduce", "mnist", "--layer", "removed", "--epochs", 2, "--checkpoint-seconds", 0, "--out")


def stop_in_the_second_epoch(monkeypatch: pytest.MonkeyPatch, out: Path, *more: str) -> Path:
    """Interrupt a command as Ctrl-C does; return its checkpoint."""
    advance = Trainer.advance

    def interrupted(self: Trainer) -> Any:
        if self.history:
            raise KeyboardInterrupt
        return advance(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", interrupted)
        assert command(monkeypatch, *MNIST, out, *more) == 130
    (checkpoint,) = out.glob("runs/*.checkpoint")
    return checkpoint


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_unfinished_run_is_not_begun_anew_by_a_forgotten_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = stop_in_the_second_epoch(monkeypatch, tmp_path)
    content = checkpoint.read_bytes()
    assert command(monkeypatch, *MNIST, tmp_path) == 2
    assert "is of an unfinished run: --resume goes on with it, --overwrite starts it anew" in capsys.readouterr().err
    assert checkpoint.read_bytes() == content
    checkpoint.unlink()
    assert command(monkeypatch, *MNIST, tmp_path) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_finished_run_is_kept_unless_it_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, *MNIST, tmp_path) == 0
    (finished,) = tmp_path.glob("runs/*.json")
    content = finished.read_bytes()
    capsys.readouterr()
    assert command(monkeypatch, *MNIST, tmp_path) == 0
    out = capsys.readouterr().out
    assert f"removed, seed 0: finished before, {finished}; --overwrite trains again" in out
    assert "33,580" in out  # the table all the same
    assert finished.read_bytes() == content
    assert command(monkeypatch, *MNIST, tmp_path, "--overwrite") == 0
    assert "finished before" not in capsys.readouterr().out
    first, second = json.loads(content), json.loads(finished.read_text())
    assert second["state_sha256"] == first["state_sha256"]
    assert second["seconds"] != first["seconds"]


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_interrupted_overwrite_keeps_the_old_record_and_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, *MNIST, tmp_path) == 0
    (finished,) = tmp_path.glob("runs/*.json")
    content = finished.read_bytes()
    checkpoint = stop_in_the_second_epoch(monkeypatch, tmp_path, "--overwrite")
    assert finished.read_bytes() == content
    assert command(monkeypatch, *MNIST, tmp_path) == 2
    assert "is of an unfinished run: --resume goes on with it" in capsys.readouterr().err
    assert command(monkeypatch, *MNIST, tmp_path, "--resume") == 0
    assert json.loads(finished.read_text())["seconds"] != json.loads(content)["seconds"]
    assert not checkpoint.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_kill_between_record_and_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = stop_in_the_second_epoch(monkeypatch, tmp_path)
    content = checkpoint.read_bytes()
    assert command(monkeypatch, *MNIST, tmp_path, "--resume") == 0
    checkpoint.write_bytes(content)
    assert command(monkeypatch, *MNIST, tmp_path, "--resume") == 0
    assert not checkpoint.exists()
    assert command(monkeypatch, *MNIST, tmp_path) == 0


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_damaged_checkpoint_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = stop_in_the_second_epoch(monkeypatch, tmp_path)
    if content is None:
        torch.save({"of": "something else"}, checkpoint)
    else:
        checkpoint.write_bytes(content)
    capsys.readouterr()
    assert command(monkeypatch, *MNIST, tmp_path, "--resume") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {checkpoint} cannot be read (")
    assert error.endswith("--overwrite starts the run anew\n")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "content", ["[]", *(pytest.param(text, marks=pytest.mark.slow) for text in ("{}", '{"run": "x"}'))]
)
def test_record_of_something_else_is_named(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, *MNIST, tmp_path) == 0
    (finished,) = tmp_path.glob("runs/*.json")
    finished.write_text(content)
    for words in ((*MNIST, tmp_path, "--resume"), ("table", tmp_path)):
        assert command(monkeypatch, *words) == 2
        assert f"{finished} is not the record of a run: it has no experiment" in capsys.readouterr().err


HOLD = """
import filelock, sys
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_two_commands_are_not_at_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, *MNIST, tmp_path) == 0
    (lock,) = tmp_path.glob(".locks/*.lock")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    for more in ((), ("--resume",)):
        assert command(monkeypatch, *MNIST, tmp_path, *more) == 2
        assert f"another process is at the run {lock.stem}" in capsys.readouterr().err
    process.kill()  # nothing is left behind that would keep the run closed
    process.communicate()
    assert command(monkeypatch, *MNIST, tmp_path) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_rates_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By everything that a run is, for what is best in one epoch need not be so in two."""
    words = ("reproduce", "shootout", "--layer", "removed", "--out", tmp_path, "--epochs")
    assert command(monkeypatch, *words, 1, "--tune") == 0
    assert "adamw, the rate that --tune chooses, one-cycle" in capsys.readouterr().out
    (kept,) = tmp_path.glob("rates/*.json")
    kept.write_text('{"learning_rate": 0.125}')
    assert command(monkeypatch, *words, 1) == 0
    assert "adamw, rate 0.125," in capsys.readouterr().out
    assert command(monkeypatch, *words, 2) == 0
    assert "adamw, rate 0.003," in capsys.readouterr().out
    kept.write_text("0.125")
    assert command(monkeypatch, *words, 1) == 2
    assert f"{kept} holds no learning rate of --tune" in capsys.readouterr().err


def test_tuning_is_not_for_a_given_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("reproduce", "shootout", "--tune", "--learning-rate", 0.1, "--data", "sample", "--out", tmp_path)
    assert command(monkeypatch, *words) == 2
    assert "--tune chooses the learning rate, got --learning-rate 0.1 as well" in capsys.readouterr().err


def test_blocks_are_for_layers_that_can_be_stacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "reproduce", "shootout", "--layer", "dense", "--blocks", 2, "--out", tmp_path) == 2
    assert (
        "--blocks is for the layers fastfood, wavelet, circulant, low-rank, narrow, stack, got --layer dense"
        in capsys.readouterr().err
    )


@pytest.mark.slow
def test_one_text_is_not_taken_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = "abcdefgh"
    for name, text in (("one", letters * 400), ("two", letters[::-1] * 400)):
        (tmp_path / name).mkdir()
        for split in ("train", "valid", "test"):
            (tmp_path / name / f"{split}.txt").write_text(text)
        words = ("reproduce", "char-lm", "--layer", "removed", "--epochs", 1, "--resume", "--out", tmp_path / "out")
        assert command(monkeypatch, *words, "--text", tmp_path / name) == 0
    one, two = records(tmp_path / "out")
    assert one["data"].startswith("own-")
    assert one["data"] != two["data"]
    assert one["state_sha256"] != two["state_sha256"]
