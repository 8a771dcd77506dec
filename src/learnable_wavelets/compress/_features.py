"""Inputs and outputs of modules with the same names in two models, and how far the outputs are apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


class Call(NamedTuple):
    """One call of a module."""

    args: tuple[Any, ...]
    keywords: dict[str, Any]
    output: Any


Calls = dict[str, list[Call]]


@contextmanager
def recording(modules: Mapping[str, nn.Module]) -> Iterator[Calls]:
    """Collect the calls of modules by name."""
    calls: Calls = defaultdict(list)

    def reader(name: str) -> Any:
        def read(module: nn.Module, args: Any, keywords: Any, output: Any) -> None:
            calls[name].append(Call(args, keywords, output))

        return read

    hooks = [module.register_forward_hook(reader(name), with_kwargs=True) for name, module in modules.items()]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def difference(outputs: Any, targets: Any) -> Tensor:
    """Return the mean square of the difference over the variance of the targets, of all tensors in nested outputs."""
    pairs = zip(_numbers(outputs), _numbers(targets), strict=True)
    terms = [(got - want).square().mean() / _variance(want) for got, want in pairs]
    if not terms:
        raise ValueError("`teacher` must return tensors of real numbers, or give `loss`")
    return torch.stack(terms).mean()


def _numbers(outputs: Any) -> list[Tensor]:
    if hasattr(outputs, "logits"):  # of transformers; hidden states and caches are no targets
        return [outputs.logits]
    return [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def _variance(values: Tensor) -> Tensor:
    return (values - values.mean()).square().mean().clamp_min(torch.finfo(values.dtype).tiny)
