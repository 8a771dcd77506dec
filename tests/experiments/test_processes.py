"""Real processes: killed ones, and two that train one model."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from learnable_wavelets.experiments.paper import mnist

from . import few
from .test_cli import command

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}


def python(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_killed_runs_leave_what_an_undisturbed_run_leaves(tmp_path: Path) -> None:
    """A few kills; `tools/kill_run.py` with its defaults does twenty."""
    words = ("--", "shootout", "--data", "sample", "--layer", "fastfood", "--epochs", "6", "--threads", "1")
    out = python("tools/kill_run.py", "--kills", 2, "--window", 0.2, "--early", 0, "--folder", tmp_path, *words)
    assert "2 kills, 2 files: the same" in out


def record(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("runs/*.json")
    return json.loads(path.read_text())


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same loss curve to float tolerance, though the last batch of a pass is odd and shared unequally."""
    words = ("reproduce", "mnist", "--epochs", 4, "--validation", 40, "--threads", 1)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2)
    together = python(*torchrun, Path(few.__file__), *words, "--out", tmp_path / "two")
    data = few.little()
    monkeypatch.setattr(mnist, "load_mnist", lambda _: data)
    assert command(monkeypatch, *words, "--out", tmp_path / "one") == 0
    one, two = record(tmp_path / "one"), record(tmp_path / "two")
    assert (one["processes"], two["processes"]) == (1, 2)
    # A thread that frees a tensor while the interpreter ends aborts the process: now and then, so the cause is tested.
    assert together.count("threads of gloo at the end: 0") == 2
    assert together.count("Table and pictures of all runs so far") == 1  # one of them writes
    for epoch, (single, shared) in enumerate(zip(one["history"], two["history"], strict=True)):
        # sums in another order: a rounding of float32 at first, which every step of the training then magnifies
        tolerance = 1e-5 if epoch == 0 else 1e-4
        for name in ("train_loss", "validation_cross_entropy"):
            assert shared[name] == pytest.approx(single[name], rel=tolerance), name
        # a small rest of sums of one: it is as exact as they are, not as itself
        assert shared["wavelet_loss"] == pytest.approx(single["wavelet_loss"], rel=0, abs=tolerance / 100)
    assert two["last"]["cross_entropy"] == pytest.approx(one["last"]["cross_entropy"], rel=1e-4)
