"""`save_adapter` and `load_adapter`: the updates of `adapt_` alone, in one safetensors file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..nn import Adapter
from ._adapt import put_adapter
from ._container import read_tensors, write_tensors
from ._dense import Dense, find_dense
from ._describe import Values, describe_filter, describe_layer, make_described, make_filters
from ._fast_path import switch_fast_paths
from ._files import load_state
from ._fit import check_dense
from ._plan import check_model
from ._pointwise import Pointwise

_KEY = "learnable_wavelets_adapter"


def save_adapter(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write the updates of an adapted model to a safetensors file, without the frozen weights.

    Args:
        model: a model that `adapt_` has changed.
        path: the file.

    Raises:
        ValueError: the model has no adapter, or one inside another.
        TypeError: `model` is not an `nn.Module`.
        ImportError: safetensors is not installed.

    Examples:
        >>> import copy, torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(torch.nn.Linear(64, 64))
        >>> other = copy.deepcopy(model)
        >>> report = lw.adapt_(model, lw.Compression(layer="fastfood"))
        >>> lw.save_adapter(model, "adapter.safetensors")
        >>> lw.load_adapter(other, "adapter.safetensors")
        ('0',)
    """
    check_model(model)
    adapters = _adapters(model)
    if not adapters:
        raise ValueError("`model` must have adapters of `adapt_`, got none")
    for name, adapter in adapters.items():
        if sum(isinstance(part, Adapter) for part in adapter.modules()) > 1:
            raise ValueError(f"`model` must have one adapter for a layer, got another inside that of {name!r}")
    write_tensors(Path(path), _KEY, _state(adapters), _describe(adapters))


def load_adapter(model: nn.Module, path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Load what `save_adapter` wrote, in place: add the adapters, or fill those that the model has.

    Args:
        model: the model as it was before `adapt_`, or with the same adapters; on the meta device too. In the first case
            it is frozen as by `adapt_`.
        path: the file.

    Returns:
        The names of the adapted layers.

    Raises:
        ValueError: the file is none of `save_adapter`, or of a newer version, or the model does not fit; it is left
            unchanged.
        TypeError: `model` is not an `nn.Module`.
        ImportError: safetensors is not installed.
        OSError: the file cannot be read.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(torch.nn.Linear(64, 64))
        >>> report = lw.adapt_(model, lw.Compression(layer="fastfood"))
        >>> lw.save_adapter(model, "adapter.safetensors")
        >>> lw.load_adapter(torch.nn.Sequential(torch.nn.Linear(64, 64)), "adapter.safetensors")
        ('0',)
    """
    check_model(model)
    state, values = read_tensors(Path(path), _KEY)
    if values is None:
        raise ValueError(f"{path} must be a file of `save_adapter`, got one without its configuration")
    adapters = _adapters(model)
    if adapters and _describe(adapters) != {key: values[key] for key in ("layers", "filters", "starts")}:
        raise ValueError("`model` must have the adapters of the file or none, got others: merge them first")
    made = [] if adapters else _make(model, values)
    updates = {name: adapter.update for name, adapter in adapters.items()} or {d.name: update for d, update in made}
    for name, update in updates.items():
        _check_shapes(name, update, _part(state, name))
    if made:
        model.requires_grad_(False)
    for dense, update in made:
        put_adapter(dense, update)
    for name, update in updates.items():  # after an adapter was made, which sets its update to zero
        load_state(update, _part(state, name))
    switch_fast_paths(model)
    return tuple(updates)


def _adapters(model: nn.Module) -> dict[str, Adapter]:
    return {name: module for name, module in model.named_modules() if isinstance(module, Adapter)}


def _state(adapters: dict[str, Adapter]) -> dict[str, Tensor]:
    found = {name: adapter.update.state_dict(keep_vars=True) for name, adapter in adapters.items()}
    return {f"{name}.{key}": value for name, state in found.items() for key, value in state.items()}


def _part(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def _describe(adapters: dict[str, Adapter]) -> Values:
    """Return the configuration of each update as plain values, of the filters and of the banks they start from."""
    known: dict[nn.Module, int] = {}
    layers = {name: describe_layer(adapter.update, name, known) for name, adapter in adapters.items()}
    starts: list[Any] = []
    filters = [describe_filter(filter, starts) for filter in known]
    return {"layers": layers, "filters": filters, "starts": starts}


def _make(model: nn.Module, values: Values) -> list[tuple[Dense, nn.Module]]:
    """Return the update of each dense layer that the file names."""
    dense = {found.name: found for found in find_dense(model)}
    wanted = {name: {**layer, "bias": _has_bias(dense.get(name))} for name, layer in values["layers"].items()}
    found = [check_dense(name, dense.get(name), layer) for name, layer in wanted.items()]
    weight: Any = found[0].module.weight
    options = {"device": weight.device, "dtype": weight.dtype}
    filters = make_filters(values, options)
    return [(d, _update(values["layers"][d.name], filters, d)) for d in found]


def _has_bias(dense: Dense | None) -> bool:
    return dense is not None and dense.module.bias is not None


def _update(layer: Values, filters: list[Any], dense: Dense) -> nn.Module:
    weight: Any = dense.module.weight
    made: nn.Module = make_described(layer, filters, {"device": weight.device, "dtype": weight.dtype})
    return Pointwise(made, dense.spatial) if dense.spatial else made


def _check_shapes(name: str, update: nn.Module, given: dict[str, Tensor]) -> None:
    """Compare names and shapes before anything is loaded."""
    own = {key: tuple(value.shape) for key, value in update.state_dict().items()}
    wanted = {key: tuple(value.shape) for key, value in given.items()}
    if own != wanted:
        raise ValueError(f"`path` must have the update of {name!r} with {own}, got {wanted}")
