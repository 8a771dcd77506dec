"""The common parts of the recurrent experiments: a GRU whose recurrent matrices are layers by name."""

from collections.abc import Callable
from functools import partial

from torch import nn

from ..models import describe, make_layer
from ..models._alternatives import Zero
from ..models._published import Materialised, PublishedSlicing
from ..spec import GATES, Options, Task

LAYERS = ("dense", "fastfood", "wavelet", "wavelet-paper", "low-rank", "circulant", "diagonal", "removed")
Factory = Callable[[int], nn.Module]


def factory(layer: str, options: Options) -> Factory | None:
    """Return a function from the width to a recurrent matrix without bias; `None` for a dense GRU."""
    if layer == "dense":
        return None
    return lambda n: Zero() if layer == "removed" else _materialised(make_layer(layer, n, n, False, options))


def _materialised(layer: nn.Module) -> nn.Module:
    """Wrap the published slicing, which is too slow for every step."""
    return Materialised(layer) if isinstance(layer, PublishedSlicing) else layer


def memory(options: Options, task: Task) -> int | None:
    """Return the time that the units remember at the start: under `ours` the length of a sequence."""
    return None if options.protocol == "paper" else task.batch(0, 0)[0].shape[1]


def _settings(n: int, layer: str, options: Options) -> tuple[str, ...]:
    all_gates = layer == "dense" or options.gates == GATES
    return (*describe(layer, n, options), *(() if all_gates else (f"gates {'+'.join(options.gates)}",)))


def settings(n: int) -> Callable[[str, Options], tuple[str, ...]]:
    """Describe layers of width `n`, and the replaced gates unless they are all."""
    return partial(_settings, n)
