"""Optimisers by name, and the learning rate as a pure function of the step and the history."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

import learnable_wavelets as lw

from ..spec import Recipe

History = Sequence[dict[str, Any]]

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Make the optimiser; matrices decay, vectors (biases, diagonals, filters) do not."""
    structured = _structured(network)
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in network.parameters():
        decays = parameter.dim() > 1 and parameter not in structured
        groups.setdefault(recipe.weight_decay if decays else 0.0, []).append(parameter)
    options = [{"params": parameters, "weight_decay": decay} for decay, parameters in groups.items()]
    return OPTIMIZERS[recipe.optimizer](options, lr=recipe.learning_rate)


def _structured(network: nn.Module) -> set[nn.Parameter]:
    kinds = (lw.nn.SandwichLayer, lw.WaveletFilter)
    return {p for module in network.modules() if isinstance(module, kinds) for p in module.parameters(recurse=False)}


def _one_cycle(recipe: Recipe, step: int, history: History) -> float:
    """Rise from 1/25 along a cosine for three tenths of the run, then fall to 1e-4."""
    rise = 0.3 * recipe.steps
    if step < rise:
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * step / rise)) / 2
    return 1e-4 + (1 - 1e-4) * (1 + math.cos(math.pi * (step - rise) / (recipe.steps - rise))) / 2


def _halving(recipe: Recipe, step: int, history: History) -> float:
    """Halve, from the sixth epoch on, whenever validation is worse than in each of the last three; as published."""
    losses = [record["choose"] for record in history]
    worse = [e for e in range(5, len(losses)) if losses[e] > max(losses[e - 3 : e])]
    return float(0.5 ** len(worse))


SCHEDULES: dict[str, Callable[[Recipe, int, History], float]] = {
    "constant": lambda recipe, step, history: 1.0,
    "step": lambda recipe, step, history: float(recipe.gamma ** (step // recipe.interval)),
    "one-cycle": _one_cycle,
    "halving": _halving,
}
"""The learning rate of a step (from 0) over that of the recipe, given the records of the epochs before it."""
