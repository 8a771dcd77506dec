"""What the recurrent experiments share: a GRU whose recurrent matrices are made by the name of a layer."""

from collections.abc import Callable

import torch
from torch import nn

from ._alternatives import Nothing
from ._layers import LayerOptions, make_layer
from ._options import GATES, Choices
from ._published import Materialised, PublishedSlicing
from ._recipe import Recipe, length
from ._synthetic import PUBLISHED_LENGTH, Sequences
from ._task import Task

LAYERS = ("dense", "fastfood", "wavelet", "wavelet-paper", "low-rank", "circulant", "diagonal", "removed")

BATCH, QUICK_LENGTH = 50, 10
HELD_OUT = {"quick": 1_000, "paper": 10_000}


def factory(layer: str, options: LayerOptions) -> Callable[[int], nn.Module] | None:
    """From the width to a recurrent matrix without bias; nothing for a dense GRU, which needs none."""
    if layer == "dense":
        return None
    if layer == "removed":
        return lambda n: Nothing()
    return lambda n: _materialised(make_layer(layer, n, n, False, options))


def _materialised(layer: nn.Module) -> nn.Module:
    """The published slicing is composed of many operations, too slow for every step."""
    return Materialised(layer) if isinstance(layer, PublishedSlicing) else layer


def load_sequences(kind: type[Sequences], choices: Choices, device: torch.device) -> Task:
    """Adding or copy memory, as long as published or short."""
    length = QUICK_LENGTH if choices.preset == "quick" else PUBLISHED_LENGTH
    return kind(length, BATCH, HELD_OUT[choices.preset], device)


def synthetic_recipe(choices: Choices, task: Task, epochs: int, quick_steps: int) -> Recipe:
    """How adding and copy memory are learned."""
    epochs, interval = length(choices, task, epochs, quick_steps, 4)
    if choices.protocol == "paper":
        return Recipe(epochs, interval, BATCH, "rmsprop", 1e-3)
    return Recipe(epochs, interval, BATCH, "adam", 1e-2, "one-cycle", clip=1.0)


def memory(choices: Choices, task: Task) -> int | None:
    """How long the units are to remember at the start: under `ours` the length of a sequence."""
    return None if choices.protocol == "paper" else task.batch(0, 0)[0].shape[1]


def words(layer: str, choices: Choices) -> tuple[str, ...]:
    """The replaced gates, unless they are all: a part of what a row is."""
    gates = choices.gates or GATES
    return () if layer == "dense" or gates == GATES else (f"gates {'+'.join(gates)}",)
