"""Layers as functions for the many calls of a sequence: what does not change from step to step is made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import NamedTuple, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook as has_any_global_hook

from ..kernels import _calls as kernels
from ..kernels._layout import Layout
from ._layer import Banks, Operands, SandwichLayer

Function = Callable[[Tensor], Tensor]


class Once(NamedTuple):
    """What the cells of a sequence have in common."""

    like: Tensor
    """A tensor with the dtype and on the device of the inputs."""
    banks: Banks
    """The filter banks that are made already."""


def bind(module: nn.Module, once: Once) -> Function:
    """`module` as it is now, as a function.

    The filters of a sandwich are materialised and its dropout masks drawn here. Other modules, and those with hooks or
    with a `forward` of their own, are called as they are.
    """
    if type(module) is nn.Sequential and "forward" not in vars(module) and not _has_hooks(module):
        return partial(_chain, [bind(part, once) for part in module])
    if not _is_plain(module):
        return module
    return partial(_apply, operands=_operands(module, once))


def bind_together(modules: Sequence[nn.Module], once: Once) -> list[tuple[list[int], Function]]:
    """Functions that apply all modules to the same input, each with the indices of those whose outputs it concatenates.

    Square sandwiches with the same transform are blocks of one wide sandwich: a single call of the kernel.
    """
    groups: list[list[int]] = []
    for index, module in enumerate(modules):
        group = next((g for g in groups if _same_transform(modules[g[0]], module)), None)
        if group is None:
            groups.append([index])
        else:
            group.append(index)
    return [(group, _bind_group([modules[index] for index in group], once)) for group in groups]


def _bind_group(modules: list[nn.Module], once: Once) -> Function:
    if len(modules) == 1:
        return bind(modules[0], once)
    parts = [_operands(module, once) for module in modules if isinstance(module, SandwichLayer)]
    first = parts[0]
    n = first.layout.n
    biases = [part.bias for part in parts if part.bias is not None]
    operands = first._replace(
        diag_in=torch.cat([part.diag_in.view(1, n) for part in parts]),
        permutation=torch.cat([part.permutation for part in parts]),
        diag_mid=torch.cat([part.diag_mid for part in parts]),
        diag_out=torch.cat([part.diag_out for part in parts]),
        bias=torch.cat(biases) if biases else None,
        layout=Layout(n, len(parts) * n, n, len(parts), reduce=False, wrap=False),
    )
    return partial(_apply, operands=operands)


def _same_transform(a: nn.Module, b: nn.Module) -> bool:
    """Whether the two can be blocks of one sandwich."""
    return (
        _is_plain(a)
        and _is_plain(b)
        and a._shares_transform(b)
        and a._layout == b._layout
        and a._layout.in_features == a._layout.out_features == a._layout.n
        and a._layout.blocks == 1
        and (a.bias is None) == (b.bias is None)
        and a.diag_out.dtype == b.diag_out.dtype
    )


def _is_plain(module: nn.Module) -> TypeGuard[SandwichLayer]:
    own = isinstance(module, SandwichLayer) and type(module).forward is SandwichLayer.forward
    return own and "forward" not in vars(module) and not _has_hooks(module)


def _has_hooks(module: nn.Module) -> bool:
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(len(found) > 0 for found in hooks) or bool(has_any_global_hook())  # type: ignore[no-untyped-call]


def _operands(module: SandwichLayer, once: Once) -> Operands:
    module._check_input(once.like.new_empty((0, module.in_features)), module.diag_out)
    return module._operands(once.like, module._drawn_diagonals(), module.bias, once.banks)


def _apply(x: Tensor, operands: Operands) -> Tensor:
    width = operands.layout.in_features
    if x.shape[-1] != width:  # the kernels trust their input
        raise ValueError(f"`x` must have a last dimension of {width}, got shape {tuple(x.shape)}")
    return kernels.sandwich(x, *operands)


def _chain(functions: Sequence[Function], x: Tensor) -> Tensor:
    return reduce(lambda y, function: function(y), functions, x)
