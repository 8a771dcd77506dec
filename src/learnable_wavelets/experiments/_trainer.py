"""Training, one step at a time; its whole state is one dictionary, so that a run may go on where it was killed."""

import math
import time

import torch
from torch import nn

import learnable_wavelets as lw

from . import _random
from ._ranks import ALONE, Ranks
from ._recipe import Recipe, make_optimizer, set_rate
from ._results import Record
from ._task import Task


class Trainer:
    """Trains `network` in place on the task's loss plus `wavelet_regularizer(network)`."""

    def __init__(self, network: nn.Module, task: Task, recipe: Recipe, seed: int, ranks: Ranks = ALONE) -> None:
        self.network, self.task, self.recipe, self.seed, self.ranks = network, task, recipe, seed, ranks
        self.device = next(network.parameters()).device
        self.optimizer = make_optimizer(network, recipe)
        self.model = ranks.wrap(network)
        self.step = 0
        self.seconds = 0.0
        self.history: list[Record] = []
        self.chosen: Record | None = None
        """The state of the network at the epoch with the best validation, with that epoch's number and value."""
        # Summed there: reading each loss would wait for the device.
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self._examples = 0

    @property
    def done(self) -> bool:
        return self.step >= self.recipe.steps

    def advance(self) -> Record | None:
        """One step; the record of the epoch that it ends, if it ends one."""
        start = time.perf_counter()
        self._optimise()
        self.step += 1
        record = self._end_epoch() if self.step % self.recipe.interval == 0 else None
        self.seconds += time.perf_counter() - start
        if record is not None:
            record["seconds"] = self.seconds
        return record

    def _optimise(self) -> None:
        self.model.train()
        inputs, targets = self.task.batch(self.seed, self.step)
        _random.seed_global(f"step {self.ranks.rank}", self.seed, self.step, self.device)
        set_rate(self.optimizer, self.recipe, self.step, self.history)
        mean = self.task.loss(self.model(self.ranks.share(inputs)), self.ranks.share(targets)) / len(targets)
        self.optimizer.zero_grad()
        # Processes average gradients: the shares of the mean are to add up, the regulariser is to count once.
        (mean * self.ranks.world + lw.wavelet_regularizer(self.network)).backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimizer.step()
        self._loss_sum += self.ranks.sum_(mean.detach().double()) * len(targets)
        self._examples += len(targets)

    @torch.no_grad()
    def _end_epoch(self) -> Record:
        validation = evaluate(self.network, self.task, "validation", self.ranks)
        choose = validation.get(self.task.metrics[0])
        record: Record = {
            "epoch": self.step // self.recipe.interval,
            "step": self.step,
            "train_loss": float(self._loss_sum) / self._examples,
            "wavelet_loss": float(lw.wavelet_regularizer(self.network)),
            "choose": choose,
            **{f"validation_{name}": value for name, value in validation.items()},
        }
        self._loss_sum.zero_()
        self._examples = 0
        self.history.append(record)
        if choose is not None and (self.chosen is None or choose < self.chosen["value"]):
            value = choose if math.isfinite(choose) else math.inf
            self.chosen = {"epoch": record["epoch"], "value": value, "model": _copy(self.network)}
        return record

    def test(self) -> tuple[Record, Record | None]:
        """The test metrics after the last and at the chosen epoch; to be called once."""
        last = evaluate(self.network, self.task, "test", self.ranks)
        if self.chosen is None:
            return last, None
        state = _copy(self.network)
        self.network.load_state_dict(self.chosen["model"])
        chosen = evaluate(self.network, self.task, "test", self.ranks)
        self.network.load_state_dict(state)
        return last, {"epoch": self.chosen["epoch"], **chosen}

    def state_dict(self) -> Record:
        """Everything that the rest of the run depends on; random numbers depend on seed and step alone."""
        return {
            "model": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "chosen": self.chosen,
            "loss_sum": self._loss_sum,
            "examples": self._examples,
        }

    def load_state_dict(self, state: Record) -> None:
        self.network.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self._examples = state["step"], state["seconds"], state["examples"]
        self.history, self.chosen = state["history"], state["chosen"]
        self._loss_sum.copy_(state["loss_sum"])


@torch.no_grad()
def evaluate(network: nn.Module, task: Task, split: str, ranks: Ranks = ALONE) -> dict[str, float]:
    """Means of the task's metrics over a split, without dropout; nothing for an empty split."""
    parts = task.parts(split)
    if not parts:
        return {}
    network.eval()
    device = next(network.parameters()).device
    totals = torch.zeros(len(task.metrics) + 1, dtype=torch.float64, device=device)
    for inputs, targets in parts[ranks.rank :: ranks.world]:
        sums = [value.double() for value in task.measure(network(inputs), targets)]
        totals += torch.stack([*sums, totals.new_tensor(len(targets))])
    *sums, count = ranks.sum_(totals).tolist()
    return {name: value / count for name, value in zip(task.metrics, sums, strict=True)}


def _copy(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
