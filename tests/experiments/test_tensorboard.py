"""Event files of TensorBoard: what `add_filters` and `reproduce --tensorboard` write is what TensorBoard reads."""

import sys

import pytest
import torch

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard.writer import SummaryWriter

import learnable_wavelets as lw
from learnable_wavelets.experiments.report import _tensorboard

from .test_cli import command

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")


def read(folder):
    found = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    found.Reload()
    return found


def test_add_filters(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        for step in (1, 2):
            lw.plotting.add_filters(writer, torch.nn.Sequential(lw.WaveletLinear(16, 16)), step)
    found = read(tmp_path)
    assert [image.step for image in found.Images("filters/0.filter")] == [1, 2]
    assert [s.value for s in found.Scalars("wavelet_loss/0.filter/perfect_reconstruction")] == pytest.approx([0, 0])


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_reproduce(tmp_path, monkeypatch):
    assert command(monkeypatch, "reproduce", "mnist", "--tensorboard", "--epochs", 2, "--out", tmp_path) == 0
    (folder,) = (tmp_path / "tensorboard").iterdir()
    found = read(folder)
    (name,) = (tag for tag in found.Tags()["images"] if tag.startswith("filters/"))
    losses = found.Scalars("train_loss")
    assert len(losses) == len(found.Images(name)) == 2
    assert losses[0].step < losses[1].step
    assert "wavelet_loss" in found.Tags()["scalars"]
    assert "step" not in found.Tags()["scalars"]


def test_a_run_that_starts_again_leaves_nothing_of_the_old_one(tmp_path):
    for value in (1.0, 2.0):
        with _tensorboard.event_files(tmp_path, again=True) as write:
            write(torch.nn.Linear(2, 2), {"step": 10, "train_loss": value})
    assert [s.value for s in read(tmp_path).Scalars("train_loss")] == [2.0]
    assert len([*tmp_path.iterdir()]) == 1


def test_an_epoch_that_is_repeated_is_there_once(tmp_path):
    network = torch.nn.Linear(2, 2)
    for epochs in ((1, 2, 3), (3, 4)):  # killed after the third, resumed from the second
        with _tensorboard.event_files(tmp_path, again=False) as write:
            for epoch in epochs:
                write(network, {"step": 10 * epoch, "train_loss": float(epoch), "seconds": float("nan")})
    assert [(s.step, s.value) for s in read(tmp_path).Scalars("train_loss")] == [(10, 1), (20, 2), (30, 3), (40, 4)]


def test_without_tensorboard(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_tensorboard, "find_spec", lambda name: None)
    assert command(monkeypatch, "reproduce", "mnist", "--data", "sample", "--tensorboard", "--out", tmp_path) == 2
    assert '--tensorboard needs tensorboard: pip install "learnable-wavelets[tensorboard]"' in capsys.readouterr().err
    assert "torch.utils.tensorboard" not in sys.modules or not [*tmp_path.iterdir()]
