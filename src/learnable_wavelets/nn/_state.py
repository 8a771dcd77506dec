"""Loading a state as a whole or not at all: what a module holds, and what does not fit it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Contents(NamedTuple):
    """The parameters and buffers of a module, objects and values."""

    module: nn.Module
    parameters: dict[str, nn.Parameter | None]
    buffers: dict[str, Tensor | None]
    values: dict[str, Tensor]


def contents(module: nn.Module) -> Contents:
    parameters, buffers = dict(module._parameters), dict(module._buffers)
    values = {name: t.detach().clone() for name, t in {**parameters, **buffers}.items() if t is not None}
    return Contents(module, parameters, buffers, values)


@torch.no_grad()
def put_back(before: Contents) -> None:
    before.module._parameters.update(before.parameters)
    before.module._buffers.update(before.buffers)
    for name, tensor in {**before.parameters, **before.buffers}.items():
        if tensor is not None:
            tensor.copy_(before.values[name])


def replace(state_dict: dict[str, Any], own: Mapping[str, Tensor]) -> None:
    """Torch loads what fits, the filter last: let what it loads be what is here already."""
    state_dict.update({name: value for name, value in own.items() if name in state_dict})


def misfits(own: Mapping[str, Tensor], given: Mapping[str, Any], permutation: str, assign: bool) -> list[str]:
    """The message of torch itself for every entry that does not fit, and one for indices that are no permutation."""
    problems = []
    for key in own.keys() & given.keys():
        shape, new = own[key].shape, given[key]
        if not isinstance(new, Tensor):
            problems.append(f"expected torch.Tensor for {key} from checkpoint but received {type(new)}.")
        elif new.shape != shape:
            problems.append(
                f"size mismatch for {key}: copying a param with shape {new.shape} from checkpoint, "
                f"the shape in current model is {shape}."
            )
        elif key == permutation and (wrong := permutation_problem(key, new, assign)):
            problems.append(wrong)
    return sorted(problems)


def permutation_problem(key: str, rows: Tensor, assign: bool) -> str | None:
    if assign and rows.dtype != torch.int64:
        return f"`{key}` must be of dtype torch.int64 to be assigned, got {rows.dtype}."
    if rows.is_meta:
        return None
    last = rows.shape[-1] - 1
    if rows.is_complex() or not _is_permutation(rows):
        return f"`{key}` must hold a permutation of 0 ... {last} in each row."
    return None


def _is_permutation(rows: Tensor) -> bool:
    loaded = rows.to(torch.int64)  # which is what they become; in a half type different indices are equal
    ordered = torch.arange(rows.shape[-1], device=rows.device)
    return bool((loaded == rows).all() and (loaded.sort(dim=-1).values == ordered).all())
