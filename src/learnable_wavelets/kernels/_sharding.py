"""Sharding rules of the operators for DTensor: data sharded over leading dimensions, everything else replicated.

Registered with the first call that meets a DTensor, since the import takes longer than that of this library.
"""

from __future__ import annotations

import sys
from functools import cache, partial
from typing import Any

from torch import Tensor


def is_distributed(tensor: Any) -> bool:
    """Return whether `tensor` is a DTensor, without an import of DTensor."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def replicate_like(tensor: Tensor, like: Any) -> Tensor:
    """Return a tensor that is equal on every rank as a DTensor on the mesh of `like`."""
    from torch.distributed.tensor import DTensor, Replicate

    if isinstance(tensor, DTensor):
        return tensor
    return DTensor.from_local(tensor, like.device_mesh, [Replicate()] * like.device_mesh.ndim, run_check=False)


@cache
def register_rules(namespace: Any, names: tuple[str, ...]) -> None:
    from torch.distributed.tensor.experimental import register_sharding

    for name in names:
        backward = _backward_rule if name.endswith("_backward") else _rule
        register_sharding(getattr(namespace, name).default)(_PLANE_RULES.get(name, backward))


def _rule(x: Any, *others: Any) -> list[tuple[list[Any], list[Any]]]:
    """Return pairs of placements: of the output, and of each argument (`None` where it is no tensor)."""
    from torch.distributed.tensor import Replicate, Shard

    rest = [_placement(argument) for argument in others]
    return [([p], [p, *rest]) for p in [Replicate(), *map(Shard, range(len(x.shape) - 1))]]


def _backward_rule(grad: Any, x: Any, *others: Any) -> list[tuple[list[Any], list[Any]]]:
    from torch.distributed.tensor import Partial, Replicate, Shard

    rest, needs = [_placement(argument) for argument in others], others[-1]
    everything = [Replicate()] * len(needs)
    rules: list[tuple[list[Any], list[Any]]] = [(everything, [Replicate(), Replicate(), *rest])]
    for dim in range(len(x.shape) - 1):
        summed = [Partial() if needed else Replicate() for needed in needs[1:]]
        rules.append(([Shard(dim) if needs[0] else Replicate(), *summed], [Shard(dim), Shard(dim), *rest]))
    return rules


def _shardable(arguments: tuple[Any, ...], axis: int | None) -> list[int]:
    """Return the axes that are not transformed: but the last two, or but the one that argument `axis` names."""
    dims = len(arguments[0].shape)
    moved = (dims - 2, dims - 1) if axis is None else (dims + arguments[axis],)
    return [dim for dim in range(dims) if dim not in moved]


def _plane_rule(*arguments: Any, data: int, moved: int, axis: int | None = None) -> list[tuple[list[Any], list[Any]]]:
    """Shard the first `data` arguments over what is not transformed; in the result these axes have moved."""
    from torch.distributed.tensor import Replicate, Shard

    rest = [_placement(argument) for argument in arguments[data:]]
    dims = _shardable(arguments, axis)
    rules: list[tuple[list[Any], list[Any]]] = [([Replicate()], [*[Replicate()] * data, *rest])]
    return rules + [([Shard(dim + moved)], [*[Shard(dim)] * data, *rest]) for dim in dims]


def _plane_backward_rule(
    grad: Any, *arguments: Any, data: int, moved: int, axis: int | None = None
) -> list[tuple[list[Any], list[Any]]]:
    from torch.distributed.tensor import Partial, Replicate, Shard

    rest, needs = [_placement(argument) for argument in arguments[data:]], arguments[-1]
    everything = [Replicate()] * (1 + data)
    rules: list[tuple[list[Any], list[Any]]] = [([Replicate()] * len(needs), [*everything, *rest])]
    for dim in _shardable(arguments, axis):
        found: list[Any] = [Shard(dim) if needed else Replicate() for needed in needs[:data]]
        found += [Partial() if needed else Replicate() for needed in needs[data:]]
        rules.append((found, [Shard(dim + moved), *[Shard(dim)] * data, *rest]))
    return rules


_PLANE_RULES = {
    "dwt2": partial(_plane_rule, data=1, moved=1),
    "idwt2": partial(_plane_rule, data=4, moved=0),
    "swt": partial(_plane_rule, data=1, moved=1, axis=3),
    "iswt": partial(_plane_rule, data=2, moved=0, axis=4),
    "dwt2_backward": partial(_plane_backward_rule, data=1, moved=1),
    "idwt2_backward": partial(_plane_backward_rule, data=4, moved=0),
    "swt_backward": partial(_plane_backward_rule, data=1, moved=1, axis=3),
    "iswt_backward": partial(_plane_backward_rule, data=2, moved=0, axis=4),
}


def _placement(argument: Any) -> Any:
    from torch.distributed.tensor import Replicate

    return Replicate() if hasattr(argument, "placements") else None
