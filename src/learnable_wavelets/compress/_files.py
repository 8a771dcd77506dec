"""`save` and `load`: a model and the configuration of its compressed layers in one safetensors file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ._container import read_tensors, write_tensors
from ._convert import put
from ._dense import CONVERTED
from ._describe import describe_model
from ._fast_path import switch_fast_paths
from ._fit import check_state, replacements
from ._hub import check_hub, tell_hub
from ._plan import check_model

KEY = "learnable_wavelets"


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
    check_model(model)
    if isinstance(model, CONVERTED):
        raise ValueError(f"`model` must hold compressed layers, got a {type(model).__name__}: use nn.Sequential(layer)")
    write_tensors(Path(path), KEY, model.state_dict(keep_vars=True), describe_model(model))


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
    state, values = read_tensors(Path(path), KEY)
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
