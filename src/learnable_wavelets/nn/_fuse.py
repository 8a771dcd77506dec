"""Layers as functions for the many calls of a sequence: what stays equal from step to step is computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import NamedTuple, TypeGuard

import torch
from torch import Tensor, nn

from .._checks import check_input
from ..kernels import _dispatch as kernels
from ..kernels._layout import Layout
from ..kernels._precision import cat
from ..kernels._sandwich import Sandwich
from ._hooks import has_hooks
from ._layer import Banks, SandwichLayer

Function = Callable[[Tensor], Tensor]


class SequenceContext(NamedTuple):
    """The cells of one sequence share it."""

    like: Tensor
    """A tensor with the dtype and on the device of the inputs."""
    banks: Banks
    """The filter banks that were read already."""


def freeze(module: nn.Module, context: SequenceContext) -> Function:
    """Return `module` as a function, with its present filters and dropout masks.

    Modules of another kind, and those with hooks or with a `forward` of their own, are called as they are.
    """
    if type(module) is nn.Sequential and "forward" not in vars(module) and not has_hooks(module):
        return partial(_chain, [freeze(part, context) for part in module])
    if not is_plain(module):
        return module
    return partial(_apply, operands=read_operands(module, context))


def fuse(modules: Sequence[nn.Module], context: SequenceContext) -> list[tuple[list[int], Function]]:
    """Return functions that apply all modules to one input, each with the indices of the outputs it concatenates.

    Square sandwiches with the same transform are blocks of one wide sandwich: a single call of the kernel.
    """
    groups: list[list[int]] = []
    for index, module in enumerate(modules):
        group = next((g for g in groups if _same_transform(modules[g[0]], module)), None)
        if group is None:
            groups.append([index])
        else:
            group.append(index)
    return [(group, _fuse_group([modules[index] for index in group], context)) for group in groups]


def _fuse_group(modules: list[nn.Module], context: SequenceContext) -> Function:
    if len(modules) == 1:
        return freeze(modules[0], context)
    parts = [read_operands(module, context) for module in modules if isinstance(module, SandwichLayer)]
    first = parts[0]
    n = first.layout.n
    biases = [part.bias for part in parts if part.bias is not None]
    operands = first._replace(
        diag_in=cat([part.diag_in.view(1, n) for part in parts]),
        permutation=torch.cat([part.permutation for part in parts]),
        diag_mid=cat([part.diag_mid for part in parts]),
        diag_out=cat([part.diag_out for part in parts]),
        bias=cat(biases) if biases else None,
        layout=Layout(n, len(parts) * n, n, len(parts), sum_blocks=False, wrap_outputs=False),
    )
    return partial(_apply, operands=operands)


def _same_transform(a: nn.Module, b: nn.Module) -> bool:
    """Return whether the two can be blocks of one sandwich."""
    return (
        is_plain(a)
        and is_plain(b)
        and a._shares_transform(b)
        and a._layout == b._layout
        and a._layout.in_features == a._layout.out_features == a._layout.n
        and a._layout.blocks == 1
        and (a.bias is None) == (b.bias is None)
        and a.diag_out.dtype == b.diag_out.dtype
        and a.lr_multiplier == b.lr_multiplier
    )


def is_plain(module: nn.Module) -> TypeGuard[SandwichLayer]:
    own = isinstance(module, SandwichLayer) and type(module).forward is SandwichLayer.forward
    return own and "forward" not in vars(module) and not has_hooks(module)


def read_operands(module: SandwichLayer, context: SequenceContext) -> Sandwich:
    diag_in, diag_mid, diag_out, bias = module._read()
    like = context.like
    check_input(like, diag_out)
    transform = module._transform(like, context.banks)
    return module._operands(like, diag_in, diag_mid, diag_out, bias, transform)


def _apply(x: Tensor, operands: Sandwich) -> Tensor:
    width = operands.layout.in_features
    if x.shape[-1] != width:  # the kernels trust their input
        raise ValueError(f"`input` must have a last dimension of {width}, got shape {tuple(x.shape)}")
    return kernels.sandwich(x, operands)


def _chain(functions: Sequence[Function], x: Tensor) -> Tensor:
    return reduce(lambda y, function: function(y), functions, x)
