"""`save` and `load`: a model and the configuration of its compressed layers in one safetensors file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .._output import check_regular, write_atomic
from ._convert import put
from ._dense import CONVERTED
from ._describe import Values, describe_model
from ._fast_path import switch_fast_paths
from ._fit import check_state, replacements
from ._hub import check_hub, tell_hub
from ._plan import check_model
from ._schema import check_values

_KEY = "learnable_wavelets"
_VERSION = 1


def save(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write a model to a safetensors file: its state, and in the metadata what each compressed layer is.

    Tensors that several modules share, filters too, are written once. Nothing is pickled.

    Args:
        model: any module, converted by `compress_` or built with layers of this library.
        path: the file.

    Raises:
        ValueError: a layer, a filter or an entry of the state that no file can hold; a wrapped or compiled model.
        TypeError: `model` is not an `nn.Module`.
        ImportError: safetensors is not installed.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> make = lambda: torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
        >>> model = make()
        >>> report = lw.compress_(model, lw.Compression(wavelet="db2", taps=None))
        >>> lw.save(model, "model.safetensors")
        >>> other = lw.load(make(), "model.safetensors")
        >>> x = torch.randn(8, 64)
        >>> torch.equal(model(x), other(x))
        True
    """
    safetensors = safetensors_torch()
    check_model(model)
    if isinstance(model, CONVERTED):
        raise ValueError(f"`model` must hold compressed layers, got a {type(model).__name__}: use nn.Sequential(layer)")
    tensors: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    first: dict[int, str] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        _check_entry(name, value)
        if id(value) in first:
            aliases[name] = first[id(value)]
        else:
            first[id(value)] = name
            tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    values = {"version": _VERSION, **describe_model(model), "aliases": aliases}
    write_atomic(Path(path), safetensors.save(tensors, {_KEY: json.dumps(values), "format": "pt"}))


def load(model: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """Load what `save` wrote, in place; dense layers are replaced first where the file has compressed ones.

    Args:
        model: the model as it was before `compress_`, or converted in the same way; on the meta device too.
        path: the file.

    Returns:
        The model.

    Raises:
        ValueError: the file is none of `save`, or of a newer version, or the model does not fit; it is left unchanged.
        TypeError: `model` is not an `nn.Module`.
        ImportError: safetensors is not installed.
        OSError: the file cannot be read.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> lw.save(torch.nn.Sequential(lw.Fastfood(64, 64)), "model.safetensors")
        >>> lw.load(torch.nn.Sequential(torch.nn.Linear(64, 64)), "model.safetensors")
        Sequential(
          (0): Fastfood(in_features=64, out_features=64, bias=True)
        )
    """
    check_model(model)
    check_hub(model)
    state, values = read_tensors(Path(path))
    if values is None:
        raise ValueError(f"{path} must be a file of `lw.save`, got one without its configuration")
    new = replacements(model, values)
    state |= _twins(model, state)
    check_state(model, new, state)
    for dense, layer in new:
        put(dense.places, layer)
    own = model.state_dict(keep_vars=True)
    meta = any(value.is_meta for value in own.values())
    if meta:
        state = {name: value.to(own[name].dtype) for name, value in state.items()}
    model.load_state_dict(state, assign=meta)
    if meta:
        _tie(model, own)
    switch_fast_paths(model)
    tell_hub(model)
    return model


def _twins(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that a file lacks but has under another name of the model's: those of tied weights."""
    own = model.state_dict(keep_vars=True)
    there = {id(value): state[name] for name, value in own.items() if name in state}
    return {name: there[id(v)] for name, v in own.items() if name not in state and id(v) in there}


def _tie(model: nn.Module, before: dict[str, Any]) -> None:
    """Make parameters one again that were one before they were assigned one by one."""
    first: dict[int, str] = {}
    for name, value in before.items():
        kept = first.setdefault(id(value), name)
        if kept != name and isinstance(value, nn.Parameter):
            parent, _, own = name.rpartition(".")
            model.get_submodule(parent)._parameters[own] = model.get_parameter(kept)


def safetensors_torch() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        hint = "pip install 'learnable-wavelets[safetensors]'"
        raise ImportError(f"`save` and `load` need safetensors: {hint}") from error
    return safetensors.torch


def _check_entry(name: str, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"`model` must have tensors alone in its state, got {name!r}, a {type(value).__name__}")
    if hasattr(value, "device_mesh") or value.layout != torch.strided:
        raise ValueError(f"`model` must have dense tensors in its state, got {name!r}: gather it first")
    if value.is_meta:
        raise ValueError(f"`model` must have values, got {name!r} on the meta device")


def _parse(path: Path, text: str, names: set[str]) -> Values:
    try:
        values: Any = json.loads(text)
        version = values.get("version") if isinstance(values, dict) else None
        if not isinstance(version, int):
            raise ValueError(f"`version` must be an integer, got {version}")
        if version > _VERSION:
            raise ValueError(f"made by a newer version of learnable-wavelets (format {version})")
        return check_values(values, names)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def read_tensors(path: Path) -> tuple[dict[str, Tensor], Values | None]:
    """Return the tensors of a file, those that are written once in all their places, and what `save` put beside them.

    Raises:
        ValueError: no safetensors file, or one whose configuration is damaged or of a newer version.
    """
    safetensors_torch()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(check_regular(path), "pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} must be a safetensors file: {error}") from None
    if text is None:
        return state, None
    values = _parse(path, text, set(state))
    return {**state, **{name: state[kept] for name, kept in values["aliases"].items()}}, values
