"""How a run is optimised: the optimiser by name, and the learning rate as a pure function of what has happened."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..filters import WaveletFilter
from ..nn._layer import SandwichLayer
from ._options import Choices
from ._task import Task

History = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """Optimiser, schedule and length of a run; `interval` steps are an epoch, after which the run is evaluated."""

    epochs: int
    interval: int
    batch: int
    optimizer: str
    learning_rate: float
    schedule: str = "constant"
    gamma: float = 1.0
    weight_decay: float = 0.0
    clip: float | None = None

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.epochs * self.interval


def length(choices: Choices, task: Task, epochs: int, quick: int, parts: int) -> tuple[int, int]:
    """Epochs and steps of each: `epochs` of a pass, or in a quick run `quick` steps in at least so many `parts`."""
    interval = min(quick // parts, task.interval) if choices.preset == "quick" else task.interval
    return choices.epochs or (quick // interval if choices.preset == "quick" else epochs), interval


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Matrices decay; vectors (biases, diagonals, filters) do not."""
    structured = _structured(network)
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in network.parameters():
        decays = parameter.dim() > 1 and parameter not in structured
        groups.setdefault(recipe.weight_decay if decays else 0.0, []).append(parameter)
    options = [{"params": parameters, "weight_decay": decay} for decay, parameters in groups.items()]
    return OPTIMIZERS[recipe.optimizer](options, lr=recipe.learning_rate)


def _structured(network: nn.Module) -> set[nn.Parameter]:
    kinds = (SandwichLayer, WaveletFilter)
    return {p for module in network.modules() if isinstance(module, kinds) for p in module.parameters(recurse=False)}


def set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, history: History) -> None:
    """The learning rate of `step` (from 0), given the records of the epochs before it."""
    rate = recipe.learning_rate * SCHEDULES[recipe.schedule](recipe, step, history)
    for group in optimizer.param_groups:
        group["lr"] = rate


def _constant(recipe: Recipe, step: int, history: History) -> float:
    return 1.0


def _step(recipe: Recipe, step: int, history: History) -> float:
    """Falls by `gamma` after each epoch."""
    return float(recipe.gamma ** (step // recipe.interval))


def _one_cycle(recipe: Recipe, step: int, history: History) -> float:
    """Up from 1/25 along a cosine for three tenths of the run, then down to nearly nothing."""
    rise = 0.3 * recipe.steps
    if step < rise:
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * step / rise)) / 2
    return 1e-4 + (1 - 1e-4) * (1 + math.cos(math.pi * (step - rise) / (recipe.steps - rise))) / 2


def _halving(recipe: Recipe, step: int, history: History) -> float:
    """Published for characters: from the sixth epoch on half, whenever validation is worse than each of the last 3."""
    losses = [record["choose"] for record in history]
    worse = [e for e in range(5, len(losses)) if losses[e] > max(losses[e - 3 : e])]
    return float(0.5 ** len(worse))


SCHEDULES: dict[str, Callable[[Recipe, int, History], float]] = {
    "constant": _constant,
    "step": _step,
    "one-cycle": _one_cycle,
    "halving": _halving,
}
