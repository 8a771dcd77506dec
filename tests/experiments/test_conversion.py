"""`reproduce conversion`: methods, budgets, records."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets.compress import _project
from learnable_wavelets.experiments import conversion
from learnable_wavelets.experiments.conversion import _command, _methods, _run
from learnable_wavelets.experiments.models import Perceptron
from learnable_wavelets.experiments.tasks import Images, Mnist, as_vectors

from .test_cli import command, records


@pytest.fixture
def quick(few: Mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_command, "load_mnist", lambda _: few)
    monkeypatch.setattr(_project, "STEPS", 2)


def weights(parts: conversion.Split) -> int:
    with torch.device("meta"):
        layer = lw.nn.Stack(784, 784, False, depth=max(1, parts.depth), rank=parts.rank, wavelet="haar", level=1)
    own = sum(p.numel() for factor in layer.factors for n, p in factor.named_parameters() if n.startswith("diag"))
    low = 0 if layer.up is None or layer.down is None else layer.up.numel() + layer.down.numel()
    return (own + parts.depth * 4 * 64 if parts.depth else 0) + low


@pytest.mark.parametrize("ratio", [200, 100, 45, 24, 12, 8])
def test_budgets_are_kept_and_used(ratio: int) -> None:
    for low_rank in (False, True):
        parts = conversion.split(ratio, low_rank)
        assert weights(parts) <= 784**2 / ratio
        assert low_rank == (parts.depth == 0)
    assert conversion.split(45, False) == (4, 2)
    assert conversion.split(8, True) == (0, 49)
    with pytest.raises(ValueError, match="`budgets` must allow for 1568 weights of a layer, got 1/400"):
        conversion.split(400, True)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("reproduce", "conversion", "--budgets", "100", "--data", "sample", "--out", tmp_path)
    assert command(monkeypatch, *words) == 0
    found = {record["layer"]: record for record in records(tmp_path)}
    assert {*found} == {*conversion.METHODS}
    assert len({record["teacher_error"] for record in found.values()}) == 1
    for record in found.values():
        assert record["budget"] == 100
        assert 0 < record["last"]["zero_shot"] <= 100
        assert len(record["history"]) == 1
        assert (record["fit_error"] is not None) == record["layer"].startswith("fitted")
    assert found["fitted-svd"]["last"]["zero_shot"] < found["stack-from-scratch"]["last"]["zero_shot"]
    assert "zero-shot error %" in (tmp_path / "table.md").read_text()
    assert {path.name for path in tmp_path.glob("*.png")} >= {"conversion-parameters.png", "conversion-zero-shot.png"}
    for path in tmp_path.glob("runs/*.json"):  # finished runs are only read
        path.write_text(json.dumps({**json.loads(path.read_text()), "seconds": 1234.0}))
    assert command(monkeypatch, *words) == 0
    assert {record["seconds"] for record in records(tmp_path)} == {1234.0}
    assert "after an epoch" in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_damaged_files_are_named(
    few: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("reproduce", "conversion", "--layer", "svd", "--budgets", "100", "--out", tmp_path)
    settings = conversion.Settings(out=tmp_path)
    task = Images(few, as_vectors, _run.BATCH, 0, torch.device("cpu"))
    record = tmp_path / "runs" / f"{conversion.run_name(task, settings, 'svd', 100, 0)}.json"
    teacher = tmp_path / "teachers" / f"{task.data}-{_run.interval(task, settings)}-s0.pt"
    for path, content, message in (
        (record, "{}", "is not the record of a run: it has no experiment"),
        (record, '{"run": ', "is not JSON"),
        (teacher, "PK damaged", "cannot be read ("),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        assert command(monkeypatch, *words) == 2
        error = capsys.readouterr().err
        assert f"{path} {message}" in error
        assert error.count("\n") == 1
        path.unlink()


def test_plain_svd_is_the_best_of_its_rank() -> None:
    network = Perceptron([nn.Linear(784, 784)], 784, 10)
    matrix = network.hidden[0].weight.detach().double()  # type: ignore[union-attr, operator]
    _methods.plain_svd(network, conversion.Split(0, 20), torch.empty(0))
    stack = network.hidden[0]
    assert isinstance(stack, lw.nn.Stack)
    left = (stack.to_dense().double() - matrix).norm()
    assert left.item() == pytest.approx(torch.linalg.svdvals(matrix)[20:].norm().item(), rel=1e-4)


def test_from_scratch_starts_everything_anew() -> None:
    network = Perceptron([nn.Linear(784, 784)], 784, 10)
    before = network.classifier.weight.clone(), network.hidden[0].bias.clone()  # type: ignore[operator, union-attr]
    _methods.scratch(network, conversion.Split(2, 0), torch.empty(0))
    assert not torch.equal(network.classifier.weight, before[0])
    assert not torch.equal(network.hidden[0].bias, before[1])  # type: ignore[arg-type]


def test_options_that_are_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("--budgets", "0"), ("--layer", "x"), ("--preset", "y"), ("--budgets", "500"), ("--seeds", "0")):
        assert command(monkeypatch, "reproduce", "conversion", *words, "--out", tmp_path) == 2
        assert capsys.readouterr().err.startswith("error: ")
