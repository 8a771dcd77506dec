"""The common parts of the recurrent experiments: a GRU whose recurrent matrices are layers by name."""

from collections.abc import Callable

from torch import nn

from ..models import Materialised, PublishedSlicing, Zero, describe, make_layer
from ..spec import DENSE, GATES, Options, Task

LAYERS = (
    "dense", "narrow", "fastfood", "wavelet", "wavelet-paper", "frozen", "fixed", "low-rank", "circulant", "diagonal",
    "removed",
)  # fmt: skip
Factory = Callable[[int], nn.Module]


def factory(layer: str, options: Options) -> Factory | None:
    """Return a function from the width to a recurrent matrix without bias; `None` for a dense GRU."""
    if layer in DENSE:
        return None

    def build(n: int) -> nn.Module:
        matrix = Zero() if layer == "removed" else make_layer(layer, n, n, False, options)
        # the published slicing is too slow for every step
        return Materialised(matrix) if isinstance(matrix, PublishedSlicing) else matrix

    return build


def memory(options: Options, task: Task) -> int | None:
    """Return the time that the units remember at the start: under `ours` the length of a sequence."""
    return None if options.protocol == "paper" else task.batch(0, 0)[0].shape[1]


def settings(n: int, layer: str, options: Options) -> tuple[str, ...]:
    """Describe a layer of width `n`, and the replaced gates unless they are all."""
    all_gates = layer in DENSE or options.gates == GATES
    return (*describe(layer, n, options), *(() if all_gates else (f"gates {'+'.join(options.gates)}",)))
