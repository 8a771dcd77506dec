"""Parameters and optimisers: the exchange in `compress_`, and groups with and without weight decay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Adagrad, Optimizer

from .._checks import check_number
from ..filters import WaveletFilter
from ..nn import SandwichLayer

# the first two prepare the state of every parameter as they are made; Muon, of torch 2.9, takes matrices alone
_REFUSED: Any = (LBFGS, Adagrad, getattr(torch.optim, "Muon", ()))


class Exchange(NamedTuple):
    """A weight and the module whose parameters take its place."""

    name: str
    weight: Any
    new: nn.Module


def check_optimizers(optimizers: Any, weights: Sequence[Any]) -> list[Optimizer]:
    """Return the optimisers as a list; those that hold a weight can exchange it."""
    listed = [] if optimizers is None else [optimizers] if isinstance(optimizers, Optimizer) else optimizers
    if not isinstance(listed, (list, tuple)) or not all(isinstance(o, Optimizer) for o in listed):
        raise TypeError(f"`optimizers` must be an optimiser or a list of them, got {type(optimizers).__name__}")
    replaced = {id(weight) for weight in weights}
    for optimizer in listed:
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if isinstance(optimizer, _REFUSED) and held & replaced:
            kind = type(optimizer).__name__
            raise ValueError(f"`optimizers` cannot exchange parameters of {kind}: make it after the conversion")
    return [*listed]


def exchange(optimizers: Sequence[Optimizer], exchanges: Sequence[Exchange]) -> None:
    """Put new parameters in the place of the weights; a parameter that is shared goes where the first weight is."""
    by_weight = {id(part.weight): part for part in exchanges}
    held = [id(p) for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    parts = [by_weight[key] for key in held if key in by_weight]
    firsts = {id(p): part for part in reversed(parts) for p in part.new.parameters()}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            named = group.get("param_names")
            pairs: list[tuple[str, Tensor]] = []
            for index, parameter in enumerate(group["params"]):
                part = by_weight.get(id(parameter))
                if part is None:
                    pairs.append((named[index] if named else "", parameter))
                    continue
                optimizer.state.pop(parameter, None)
                fresh = [(n, p) for n, p in part.new.named_parameters() if not _is_bias(part, p)]
                pairs.extend((f"{part.name}.{n}", p) for n, p in fresh if firsts[id(p)] is part)
            group["params"][:] = [p for _, p in pairs]
            if named:
                named[:] = [n for n, _ in pairs]


def _is_bias(part: Exchange, parameter: Tensor) -> bool:
    """Tell the bias, which was a parameter of the dense layer, from the new parameters."""
    return any(name.rpartition(".")[2] == "bias" and p is parameter for name, p in part.new.named_parameters())


def parameter_groups(model: nn.Module, lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Return the parameters of a model in two groups for any optimiser: with weight decay and without.

    Matrices and kernels decay. Biases, the vectors of norms, and the diagonals and filters of this library do not: a
    decayed diagonal would pull its layer to zero.

    Args:
        model: any module; parameters that need no gradient are left out.
        lr: the learning rate of both groups; the layers' `lr_multiplier` is in the layers already.
        weight_decay: of the first group.

    Returns:
        Groups as `torch.optim` takes them; an empty one is left out.

    Raises:
        ValueError: a negative number, or no parameter to train.
        TypeError: `model` is not an `nn.Module`, or `lr` or `weight_decay` no number.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(lw.WaveletLinear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
        >>> groups = lw.parameter_groups(model, lr=1e-3, weight_decay=0.1)
        >>> [(len(group["params"]), group["weight_decay"]) for group in groups]
        [(1, 0.1), (9, 0.0)]
        >>> optimizer = torch.optim.AdamW(groups)
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` must be a torch.nn.Module, got {type(model).__name__}")
    for name, value in (("lr", lr), ("weight_decay", weight_decay)):
        if not check_number(name, value) >= 0:
            raise ValueError(f"`{name}` must be at least 0, got {value}")
    ours = {id(p) for m in model.modules() if isinstance(m, (SandwichLayer, WaveletFilter)) for p in m.parameters()}
    trained = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in trained if p.dim() >= 2 and id(p) not in ours]
    rest = [p for p in trained if p.dim() < 2 or id(p) in ours]
    groups = [(decayed, weight_decay), (rest, 0.0)]
    if not trained:
        raise ValueError("`model` must have parameters that need gradients, got none")
    return [{"params": params, "lr": lr, "weight_decay": decay} for params, decay in groups if params]
