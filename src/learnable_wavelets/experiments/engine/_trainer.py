"""Training, one step at a time; the whole state is one dictionary, so that a killed run can be resumed."""

import math
import time

import torch
from torch import nn

import learnable_wavelets as lw

from ..spec import Recipe, Task
from ._optimizer import SCHEDULES, make_optimizer
from ._random import number
from ._ranks import SINGLE, Ranks
from ._records import Record


class Trainer:
    """Train `network` in place on the task's loss plus `recipe.regularizer * wavelet_regularizer(network)`."""

    def __init__(self, network: nn.Module, task: Task, recipe: Recipe, seed: int, ranks: Ranks = SINGLE) -> None:
        self.network, self.task, self.recipe, self.seed, self.ranks = network, task, recipe, seed, ranks
        self.device = next(network.parameters()).device
        self.optimizer = make_optimizer(network, recipe)
        self.model = ranks.wrap(network)
        self._schedule, self._stream = SCHEDULES[recipe.schedule], f"step {ranks.rank}"
        self.step = 0
        self.seconds = 0.0
        self.history: list[Record] = []
        self.chosen: Record | None = None
        """The state of the network at the epoch with the best validation, with that epoch's number and value."""
        # Summed on the device: reading each loss would wait for it.
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self._examples = 0

    @property
    def done(self) -> bool:
        return self.step >= self.recipe.steps

    def advance(self) -> Record | None:
        """Take one step; return the record of the epoch that it ends, if it ends one."""
        start = time.perf_counter()
        recipe, world = self.recipe, self.ranks.world
        rate = recipe.learning_rate * self._schedule(recipe, self.step, self.history)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        inputs, targets = self.task.batch(self.seed, self.step)
        count = len(targets)
        if world > 1:
            inputs, targets = self.ranks.share(inputs), self.ranks.share(targets)
        self._seed_dropout()
        if not self.network.training:  # after an evaluation
            self.model.train()
        mean = self.task.loss(self.model(inputs), targets) / count
        self.optimizer.zero_grad()
        # Processes average gradients: the shares of the mean must add up, the regulariser must count once.
        loss = mean * world
        if recipe.regularizer:  # without it filters may grow until their loss is infinite, and 0 times that is NaN
            loss = loss + recipe.regularizer * lw.wavelet_regularizer(self.network)
        loss.backward()  # type: ignore[no-untyped-call]
        if recipe.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimizer.step()
        mean = mean.detach().double()
        self._loss_sum += (mean if world == 1 else self.ranks.sum_(mean)) * count
        self._examples += count
        self.step += 1
        record = self._end_epoch() if self.step % recipe.interval == 0 else None
        self.seconds += time.perf_counter() - start
        if record is not None:
            record["seconds"] = self.seconds
        return record

    def _seed_dropout(self) -> None:
        """Seed the generators that dropout draws from.

        `torch.manual_seed` would do it, but it records the call stack for CUDA even without a GPU: 0.1 ms a step.
        """
        value = number(self._stream, self.seed, self.step)
        torch.default_generator.manual_seed(value)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(value)

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
        """Return the test metrics after the last and at the chosen epoch; call it once."""
        last = evaluate(self.network, self.task, "test", self.ranks)
        if self.chosen is None:
            return last, None
        state = _copy(self.network)
        self.network.load_state_dict(self.chosen["model"])
        chosen = evaluate(self.network, self.task, "test", self.ranks)
        self.network.load_state_dict(state)
        return last, {"epoch": self.chosen["epoch"], **chosen}

    def state_dict(self) -> Record:
        """Return everything that the rest of the run depends on; random numbers depend on seed and step alone."""
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
def evaluate(network: nn.Module, task: Task, split: str, ranks: Ranks = SINGLE) -> dict[str, float]:
    """Average the task's metrics over a split, without dropout; an empty split has none."""
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
