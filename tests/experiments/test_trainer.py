"""The engine: what a step does, what an epoch reports, and that a run goes on to the same bits."""

import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets.experiments.engine import Checkpoint, Record, Trainer, evaluate
from learnable_wavelets.experiments.engine._optimizer import SCHEDULES, make_optimizer
from learnable_wavelets.experiments.engine._run import digest
from learnable_wavelets.experiments.models import LeNet5
from learnable_wavelets.experiments.paper import mnist
from learnable_wavelets.experiments.spec import Options, Recipe
from learnable_wavelets.experiments.tasks import Images

from .conftest import same_state

PUBLISHED = Recipe(epochs=3, interval=4, batch=50, optimizer="adadelta", learning_rate=1.0, schedule="step", gamma=0.8)
RECIPES = {
    "published": PUBLISHED,
    "ours": replace(PUBLISHED, optimizer="adamw", learning_rate=3e-3, schedule="one-cycle", clip=1.0),
    "recurrent": replace(PUBLISHED, optimizer="rmsprop", learning_rate=1e-3, schedule="halving"),
}


def lenet(seed: int = 0, layer: str = "wavelet", protocol: str = "ours") -> nn.Module:
    """Under `ours` with dropout, so that its random numbers are part of what is tested."""
    torch.manual_seed(seed)
    task: Images = None  # type: ignore[assignment]  # not used
    return mnist.build(layer, Options(protocol=protocol), task)


def run(trainer: Trainer, steps: int | None = None) -> list[Record]:
    """Return the records of `steps` steps, or of all that are left."""
    records = []
    while not trainer.done and (steps is None or steps > 0):
        record = trainer.advance()
        if record is not None:
            records.append(record)
        steps = None if steps is None else steps - 1
    return records


def untimed(records: list[Record]) -> list[Record]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def test_training_learns_and_reports(maps: Images) -> None:
    trainer = Trainer(lenet(), maps, replace(RECIPES["ours"], epochs=6), seed=0)
    history = run(trainer)
    assert [record["epoch"] for record in history] == [1, 2, 3, 4, 5, 6]
    assert [record["step"] for record in history] == [4, 8, 12, 16, 20, 24]
    assert history[-1]["train_loss"] < 0.6 * history[0]["train_loss"]
    assert history[-1]["validation_error"] < 60
    assert history[-1]["choose"] == history[-1]["validation_error"]
    assert history == trainer.history
    assert 0 < history[0]["seconds"] < history[-1]["seconds"] == trainer.seconds


def test_seed_decides_everything(maps: Images) -> None:
    first, again, other = (Trainer(lenet(seed), maps, PUBLISHED, seed) for seed in (0, 0, 1))
    records = [untimed(run(trainer)) for trainer in (first, again, other)]
    assert records[0] == records[1] != records[2]
    assert digest(first.network) == digest(again.network) != digest(other.network)


def test_seed_leaves_the_other_order(maps: Images) -> None:
    """The same network, another order of the images."""
    one, other = (run(Trainer(lenet(), maps, PUBLISHED, seed)) for seed in (0, 1))
    assert one[-1]["train_loss"] != other[-1]["train_loss"]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("stop", [6, *(pytest.param(stop, marks=pytest.mark.slow) for stop in (1, 4, 11))])
def test_goes_on_to_the_same_bits(recipe: Recipe, stop: int, maps: Images, tmp_path: Path) -> None:
    whole = Trainer(lenet(), maps, recipe, seed=3)
    run(whole)
    killed = Trainer(lenet(), maps, recipe, seed=3)
    run(killed, stop)
    Checkpoint(tmp_path / "c", {"seed": 3}, 0.0).save(killed)
    run(killed, 1)  # what came after the checkpoint is lost
    torch.manual_seed(99)  # and nothing depends on this process's generators
    resumed = Trainer(lenet(seed=7), maps, recipe, seed=3)
    assert Checkpoint(tmp_path / "c", {"seed": 3}, 0.0).load(resumed)
    assert resumed.step == stop
    run(resumed)
    assert same_state(whole.network, resumed.network)
    assert untimed(whole.history) == untimed(resumed.history)
    assert whole.test() == resumed.test()
    assert whole.chosen is not None
    assert resumed.chosen is not None
    assert whole.chosen["epoch"] == resumed.chosen["epoch"]


def test_time_is_that_of_all_pieces(maps: Images, tmp_path: Path) -> None:
    trainer = Trainer(lenet(), maps, PUBLISHED, seed=0)
    run(trainer, 2)
    trainer.seconds = 100.0
    Checkpoint(tmp_path / "c", {}, 0.0).save(trainer)
    resumed = Trainer(lenet(), maps, PUBLISHED, seed=0)
    Checkpoint(tmp_path / "c", {}, 0.0).load(resumed)
    assert run(resumed)[-1]["seconds"] > 100


def test_validation_chooses_and_the_last_state_comes_back(maps: Images) -> None:
    trainer = Trainer(lenet(), maps, PUBLISHED, seed=0)
    run(trainer, 4)
    at_one = evaluate(trainer.network, maps, "test")
    trainer.history[0]["choose"] = -1.0  # nothing later can be better
    assert trainer.chosen is not None
    trainer.chosen["value"] = -1.0
    run(trainer)
    before = digest(trainer.network)
    last, chosen = trainer.test()
    assert chosen == {"epoch": 1, **at_one}
    assert last == evaluate(trainer.network, maps, "test") != at_one
    assert digest(trainer.network) == before


def test_without_validation_no_epoch_is_chosen(few) -> None:
    task = Images(few, lambda images: images.unsqueeze(1), 50, 0, torch.device("cpu"))
    trainer = Trainer(lenet(), task, replace(PUBLISHED, epochs=1), seed=0)
    (record,) = run(trainer)
    assert record["choose"] is None
    assert "validation_error" not in record
    assert trainer.test()[1] is None


def test_validation_that_is_not_finite_is_never_better(maps: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([math.nan, 2.0, math.nan])
    monkeypatch.setattr(
        "learnable_wavelets.experiments.engine._trainer.evaluate",
        lambda *_: {"error": next(values), "cross_entropy": 0.0},
    )
    trainer = Trainer(lenet(), maps, PUBLISHED, seed=0)
    run(trainer)
    assert trainer.chosen is not None
    assert (trainer.chosen["epoch"], trainer.chosen["value"]) == (2, 2.0)


def test_evaluation_is_without_dropout(maps: Images) -> None:
    layer = nn.Linear(800, 800)
    network = LeNet5(layer, 800, dropout=(0.9, 0.9))
    network.train()
    assert evaluate(network, maps, "test") == evaluate(network, maps, "test")
    assert not network.training


def test_evaluation_counts_wrong_images(sample) -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.scale * nn.functional.one_hot(torch.full((len(images),), 3), 10).float()

    task = Images(sample, lambda images: images, 50, 0, torch.device("cpu"))
    threes = float((torch.from_numpy(sample.test_labels.astype(int)) == 3).sum()) / 2000
    assert evaluate(Constant(), task, "test")["error"] == pytest.approx(100 * (1 - threes))
    assert evaluate(Constant(), task, "validation") == {}


def spoilt_wavelet_loss(maps: Images, weight: float) -> float:
    """Wavelet loss after training from a bank that is far from perfect reconstruction."""
    network = lenet()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, lw.WaveletFilter):
                for taps in module.parameters():
                    taps.mul_(1.2)
    trainer = Trainer(network, maps, replace(PUBLISHED, epochs=4, regularizer=weight), seed=0)
    record = run(trainer)[-1]
    terms = [float(loss.detach()) for losses in lw.wavelet_losses(network).values() for loss in losses.values()]
    assert record["wavelet_loss"] == pytest.approx(sum(terms))
    return sum(terms)


@pytest.mark.slow
def test_wavelet_loss_is_part_of_what_is_trained_by_its_weight(maps: Images) -> None:
    without, usual, heavy = (spoilt_wavelet_loss(maps, weight) for weight in (0, 1, 10))
    assert heavy < 0.9 * usual < 0.9 * 0.9 * without


def test_an_infinite_wavelet_loss_of_weight_0_does_no_harm(maps: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lw, "wavelet_regularizer", lambda network: next(network.parameters()).sum() * math.inf)
    network = lenet()
    record = run(Trainer(network, maps, replace(PUBLISHED, epochs=1, regularizer=0.0), seed=0))[-1]
    assert math.isfinite(record["train_loss"])
    assert all(parameter.isfinite().all() for parameter in network.parameters())


def test_dense_network_has_no_wavelet_loss(maps: Images) -> None:
    assert run(Trainer(lenet(layer="dense"), maps, PUBLISHED, 0), 4)[0]["wavelet_loss"] == 0.0


def test_checkpoint_of_another_run(maps: Images, tmp_path: Path) -> None:
    trainer = Trainer(lenet(), maps, PUBLISHED, seed=0)
    Checkpoint(tmp_path / "c", {"seed": 0, "epochs": 3}, 0.0).save(trainer)
    with pytest.raises(ValueError, match=r"c is of another run \(epochs: 3, not 4\): --overwrite replaces it"):
        Checkpoint(tmp_path / "c", {"seed": 0, "epochs": 4}, 0.0).load(trainer)


def test_interrupted_checkpoint_keeps_the_old_one(
    maps: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(lenet(), maps, PUBLISHED, seed=0)
    checkpoint = Checkpoint(tmp_path / "c", {}, 0.0)
    checkpoint.save(trainer)
    old = (tmp_path / "c").read_bytes()
    run(trainer, 1)

    def interrupted(*arguments: object) -> None:
        if hasattr(arguments[1], "write"):
            arguments[1].write(b"half")
        raise KeyboardInterrupt

    for module, name in ((torch, "save"), (os, "replace")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                checkpoint.save(trainer)
        assert (tmp_path / "c").read_bytes() == old
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_checkpoints_when_due(seconds: float, maps: Images, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "c", {}, seconds)
    checkpoint.save_if_due(Trainer(lenet(), maps, PUBLISHED, seed=0))
    assert (tmp_path / "c").exists() == (seconds == 0)


def rate(recipe: Recipe, step: int, history: list[Record] | None = None) -> float:
    return SCHEDULES[recipe.schedule](recipe, step, history or [])


def test_schedules() -> None:
    assert [rate(PUBLISHED, step) for step in (0, 3, 4, 8)] == pytest.approx([1, 1, 0.8, 0.64])
    cycle = replace(PUBLISHED, schedule="one-cycle", epochs=10, interval=10)
    assert [rate(cycle, step) for step in (0, 15, 30, 65)] == pytest.approx([0.04, 0.52, 1.0, 0.50005])
    assert max(rate(cycle, step) for step in range(100)) == 1.0
    assert rate(cycle, 99) < 1e-3
    assert rate(replace(PUBLISHED, schedule="constant"), 11) == 1.0


def test_halving_follows_the_validation() -> None:
    recipe = replace(PUBLISHED, schedule="halving")
    losses = [
        9.0,
        1.0,
        8.0,
        7.0,
        6.0,
        5.0,
        8.0,
        4.0,
        9.0,
    ]  # the bad third epoch is too early; 8 > 7, 6, 5 and 9 > 5, 8, 4
    history = [{"choose": loss} for loss in losses]
    assert [rate(recipe, 0, history[:n]) for n in (3, 6, 7, 8, 9)] == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_groups_of_parameters() -> None:
    recipe = replace(PUBLISHED, optimizer="adamw", weight_decay=0.1)
    network = lenet()
    optimizer = make_optimizer(network, recipe)
    found = {p: group for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        matrix = parameter.dim() > 1 and not name.startswith("layer.")
        assert found[parameter]["weight_decay"] == (0.1 if matrix else 0.0), name


def test_gradients_are_clipped(maps: Images) -> None:
    trainer = Trainer(lenet(), maps, replace(PUBLISHED, clip=1e-3), seed=0)
    trainer.advance()
    norm = torch.stack([p.grad.norm() for p in trainer.network.parameters() if p.grad is not None]).norm()
    assert norm == pytest.approx(1e-3, rel=1e-3)
