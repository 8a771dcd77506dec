"""Inputs and outputs of modules with the same names in two models, and how far the outputs are apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ._inputs import copied


class Call(NamedTuple):
    """One call of a module, in copies."""

    args: tuple[Any, ...]
    keywords: dict[str, Any]
    output: Any


Calls = dict[str, list[Call]]


@contextmanager
def recording(modules: Mapping[str, nn.Module], with_inputs: bool = False) -> Iterator[Calls]:
    """Collect the calls of modules by name: the outputs, and the inputs as they were before the call."""
    calls: Calls = defaultdict(list)
    inputs: dict[str, Any] = {}

    def read_inputs(name: str, module: nn.Module, args: Any, keywords: Any) -> None:
        inputs[name] = copied((args, keywords))

    def read_output(name: str, module: nn.Module, _: Any, output: Any) -> None:
        args, keywords = inputs.pop(name, ((), {}))
        calls[name].append(Call(args, keywords, copied(output)))

    hooks = [module.register_forward_hook(partial(read_output, name)) for name, module in modules.items()]
    if with_inputs:
        hooks += [module.register_forward_pre_hook(partial(read_inputs, name), with_kwargs=True)
                  for name, module in modules.items()]  # fmt: skip
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
