"""A safetensors file of tensors, each written once, with a configuration in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from .._output import check_regular, write_atomic
from ._describe import Values
from ._schema import check_values

_VERSION = 1


def write_tensors(path: Path, key: str, state: Mapping[str, Any], values: Values) -> None:
    """Write a state, tensors that several names share once, and `values` under `key` of the metadata."""
    safetensors = safetensors_torch()
    tensors: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    first: dict[int, str] = {}
    for name, value in state.items():
        _check_entry(name, value)
        if id(value) in first:
            aliases[name] = first[id(value)]
        else:
            first[id(value)] = name
            tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    text = json.dumps({"version": _VERSION, **values, "aliases": aliases})
    write_atomic(path, safetensors.save(tensors, {key: text, "format": "pt"}))


def read_tensors(path: Path, key: str) -> tuple[dict[str, Tensor], Values | None]:
    """Return the tensors of a file, those that are written once in all their places, and the values under `key`.

    Raises:
        ValueError: no safetensors file, or one whose configuration is damaged or of a newer version.
    """
    safetensors_torch()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(check_regular(path), "pt") as file:
            text = (file.metadata() or {}).get(key)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} must be a safetensors file: {error}") from None
    if text is None:
        return state, None
    values = _parse(path, text, set(state))
    return {**state, **{name: state[kept] for name, kept in values["aliases"].items()}}, values


def _parse(path: Path, text: str, names: set[str]) -> Values:
    try:
        values: Any = json.loads(text)
        version = values.get("version") if isinstance(values, dict) else None
        if not isinstance(version, int):
            raise ValueError(f"`version` must be an integer, got {version}")
        if version > _VERSION:
            raise ValueError(f"made by a newer version of learnable-wavelets (format {version})")
        return check_values(values, names)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _check_entry(name: str, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"`model` must have tensors alone in its state, got {name!r}, a {type(value).__name__}")
    if hasattr(value, "device_mesh") or value.layout != torch.strided:
        raise ValueError(f"`model` must have dense tensors in its state, got {name!r}: gather it first")
    if is_lazy(value):
        raise ValueError(f"`model` must have shapes, got the lazy {name!r}: run it once first")
    if value.is_meta:
        raise ValueError(f"`model` must have values, got {name!r} on the meta device")


def safetensors_torch() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        hint = "pip install 'learnable-wavelets[safetensors]'"
        raise ImportError(f"`save` and `load` need safetensors: {hint}") from error
    return safetensors.torch
