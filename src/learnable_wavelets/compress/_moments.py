"""Means and covariances of what goes into layers, streamed: no activation is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ._dense import Dense
from ._inputs import batches, call, evaluating

_GROUP = 2**30  # bytes of covariances that are held at once


class Moments:
    """Mean and covariance of rows, summed in float64 around the mean of the first batch."""

    def __init__(self, n: int, device: torch.device) -> None:
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self.count = 0
        self._shift: Tensor | None = None
        self._sum = torch.zeros(n, dtype=dtype, device=device)
        self._products = torch.zeros(n, n, dtype=dtype, device=device)

    def add(self, rows: Tensor) -> None:
        rows = rows.detach().reshape(-1, rows.shape[-1])
        if not len(rows):
            return
        rows = rows.to(self._sum.device, torch.promote_types(rows.dtype, torch.float32))
        if self._shift is None:
            self._shift = rows.mean(0)
        rows = rows - self._shift
        self.count += len(rows)
        self._sum += rows.sum(0)
        self._products += rows.T @ rows

    def mean(self) -> Tensor:
        assert self._shift is not None
        return self._shift + self._sum / self.count

    def covariance(self) -> Tensor:
        mean = self._sum / self.count
        return self._products / self.count - torch.outer(mean, mean)


def collect(model: nn.Module, layers: Sequence[Dense], inputs: Any) -> Iterator[tuple[Dense, Moments]]:
    """Yield the moments of the inputs of each layer; the model runs once over all batches for each GiB of moments.

    A layer that is not reached has a count of 0.

    Raises:
        ValueError: the model cannot be called with `inputs`, or there is no batch.
        TypeError: `inputs` of another type.
    """
    once = isinstance(inputs, Iterator)  # cannot be read a second time
    for group in [[*layers]] if once else _groups(layers):
        weights: list[Any] = [dense.module.weight for dense in group]
        found = [Moments(d.in_features, weight.device) for d, weight in zip(group, weights, strict=True)]
        hooks = [dense.module.register_forward_pre_hook(_reader(dense, moments), with_kwargs=True)
                 for dense, moments in zip(group, found, strict=True)]  # fmt: skip
        try:
            with evaluating(model):
                _run(model, inputs)
        finally:
            for hook in hooks:
                hook.remove()
        yield from zip(group, found, strict=True)


def _run(model: nn.Module, inputs: Any) -> None:
    empty = True
    for arguments in batches(inputs):
        call(model, arguments)
        empty = False
    if empty:
        raise ValueError("`inputs` must have at least one batch, got none")


def _groups(layers: Sequence[Dense]) -> list[list[Dense]]:
    groups: list[list[Dense]] = [[]]
    held = 0
    for dense in layers:
        size = 8 * dense.in_features**2
        if groups[-1] and held + size > _GROUP:
            groups.append([])
            held = 0
        groups[-1].append(dense)
        held += size
    return groups


def _reader(dense: Dense, moments: Moments) -> Any:
    def read(module: nn.Module, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        rows = args[0] if args else next(iter(keywords.values()))
        if dense.spatial:
            rows = rows.movedim(-dense.spatial - 1, -1)
        if rows.shape[-1] == dense.in_features:  # else the layer has a better message
            moments.add(rows)

    return read
