"""What the recurrent experiments share: a GRU whose recurrent matrices are made by the name of a layer."""

from collections.abc import Callable

from torch import nn

from ._alternatives import Nothing
from ._layers import LayerOptions, make_layer
from ._options import GATES, Choices
from ._published import Materialised, PublishedSlicing
from ._recipe import Recipe
from ._task import Task

LAYERS = ("dense", "fastfood", "wavelet", "wavelet-paper", "low-rank", "circulant", "diagonal", "removed")


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


def synthetic_recipe(protocol: str, epochs: int, interval: int, batch: int) -> Recipe:
    """How adding and copy memory are learned."""
    if protocol == "paper":
        return Recipe(epochs, interval, batch, "rmsprop", 1e-3)
    return Recipe(epochs, interval, batch, "adam", 1e-2, "one-cycle", clip=1.0)


def memory(choices: Choices, task: Task) -> int | None:
    """How long the units are to remember at the start: under `ours` the length of a sequence."""
    return None if choices.protocol == "paper" else task.batch(0, 0)[0].shape[1]


def words(layer: str, choices: Choices) -> tuple[str, ...]:
    """The replaced gates, unless they are all: a part of what a row is."""
    gates = choices.gates or GATES
    return () if layer == "dense" or gates == GATES else (f"gates {'+'.join(gates)}",)
