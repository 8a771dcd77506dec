"""Ways to make a small network of a trained one, all of the same number of weights."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

import learnable_wavelets as lw

WIDTH, TAPS, DEEPEST = 784, 64, 4


class Split(NamedTuple):
    """A budget of weights shared out between a product of sandwiches and a low-rank residual."""

    depth: int
    rank: int

    def config(self) -> lw.Compression:
        return lw.Compression(wavelet="haar", taps=TAPS, level=1, depth=self.depth, rank=self.rank)

    def describe(self) -> str:
        """Name the parts, as in the settings of a run."""
        parts = [f"product of {self.depth}" if self.depth else "", f"rank {self.rank}" if self.rank else ""]
        return ", ".join(part for part in parts if part)


def split(ratio: int, low_rank: bool) -> Split:
    """Share out 1/ratio of the weights of a square layer: the deepest product that it allows, and rank with the rest.

    Raises:
        ValueError: it is too little for any layer.
    """
    budget, one = WIDTH**2 // ratio, 3 * WIDTH + 4 * TAPS
    depth = 0 if low_rank else next((d for d in (DEEPEST, 2, 1) if d * one <= budget), 0)
    rank = (budget - depth * one) // (2 * WIDTH)
    if depth == rank == 0:
        raise ValueError(
            f"`budgets` must allow for {one if not low_rank else 2 * WIDTH} weights of a layer, got 1/{ratio}"
        )
    return Split(depth, rank)


def hidden(module: nn.Module, name: str) -> bool:
    """Choose the square layers."""
    return name.startswith("hidden")


def fitted(network: nn.Module, parts: Split, images: torch.Tensor) -> float:
    """Convert with `inputs=`; return the root mean square of the layers' errors."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "a single sandwich", UserWarning)
        report = lw.compress_(network, parts.config(), hidden, inputs=images)
    errors = [entry.error**2 for entry in report.layers if entry.error is not None]
    return float((sum(errors) / len(errors)) ** 0.5)


@torch.no_grad()
def plain_svd(network: nn.Module, parts: Split, images: torch.Tensor) -> None:
    """Truncate the singular value decomposition of the weights, without data."""
    weights = {
        name: module.weight.double() for name, module in network.named_modules() if isinstance(module, nn.Linear)
    }
    lw.compress_(network, parts.config(), hidden)
    for name, module in network.named_modules():
        if isinstance(module, lw.nn.Stack):
            left, values, right = torch.linalg.svd(weights[name])
            up: Any = module.up
            down: Any = module.down
            up.copy_(left[:, : parts.rank] * values[: parts.rank])
            down.copy_(right[: parts.rank])


def scratch(network: nn.Module, parts: Split, images: torch.Tensor) -> None:
    """Convert without data: the new layers start anew; so do the biases and the last layer."""
    lw.compress_(network, parts.config(), hidden)
    for module in network.modules():
        reset: Any = getattr(module, "reset_parameters", None)
        if reset is not None and not isinstance(module, lw.nn.SandwichLayer):
            reset()


METHODS: dict[str, tuple[Callable[[nn.Module, Split, torch.Tensor], float | None], bool]] = {
    "fitted-stack": (fitted, False),
    "fitted-svd": (fitted, True),
    "svd": (plain_svd, True),
    "stack-from-scratch": (scratch, False),
}
"""By name: a conversion, and true where all weights go into the low-rank residual."""
