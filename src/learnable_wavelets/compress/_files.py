"""`save` and `load`: a model and the configuration of its compressed layers in one safetensors file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ._container import read_tensors, write_tensors
from ._convert import put
from ._dense import CONVERTED, Dense
from ._describe import Values, describe_model
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
        path: the file. A symbolic link is followed, and a file that is there keeps its permissions.

    Raises:
        ValueError: a layer, a filter or an entry of the state that no file can hold; a wrapped or compiled model; a
            path of something else than a file.
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
    lazy = next((name for name, value in model.state_dict(keep_vars=True).items() if is_lazy(value)), None)
    if lazy is not None:
        raise ValueError(f"`model` must have shapes, got the lazy {lazy!r}: run it once first")
    fill(model, state, {**values, "layers": _by_first_name(model, values["layers"])})
    switch_fast_paths(model)
    tell_hub(model)
    return model


def fill(model: nn.Module, state: dict[str, Tensor], values: Values, cast: bool = True) -> None:
    """Replace the layers that `values` names, and load the state; all checks come first."""
    new = replacements(model, values)
    state = state | _twins(model, new, state)
    check_state(model, new, state)
    for dense, layer in new:
        put(dense.places, layer)
    load_state(model, state, cast)


def load_state(module: nn.Module, state: dict[str, Tensor], cast: bool = True) -> None:
    """Copy a state into a module; on the meta device it takes the place of the tensors there, cast to their dtypes."""
    own = module.state_dict(keep_vars=True)
    meta = any(value.is_meta for value in own.values())
    if meta:
        state = _apart(state, own, cast)
    module.load_state_dict(state, assign=meta)
    if meta:
        _tie(module, own)


def _by_first_name(model: nn.Module, layers: Values) -> Values:
    """Return the layers by their names in the model: a file may have one in several places under another of these."""
    first: dict[nn.Module, str] = {}
    known = {name: first.setdefault(module, name) for name, module in model.named_modules(remove_duplicate=False)}
    named = {known.get(name, name): layer for name, layer in layers.items()}
    return named if len(named) == len(layers) else layers


def _twins(model: nn.Module, new: list[tuple[Dense, nn.Module]], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that a file lacks but has by another name: of tied weights, of modules in several places."""
    gone = {dense.module: layer for dense, layer in new}
    own = model.state_dict(keep_vars=True)
    for path, module in model.named_modules(remove_duplicate=False):
        if module in gone:
            for key in module.state_dict():
                own.pop(f"{path}.{key}", None)
            own |= {f"{path}.{key}": value for key, value in gone[module].state_dict(keep_vars=True).items()}
    there = {id(value): state[name] for name, value in own.items() if name in state}
    return {name: there[id(v)] for name, v in own.items() if name not in state and id(v) in there}


def _apart(state: dict[str, Tensor], own: dict[str, Tensor], cast: bool) -> dict[str, Tensor]:
    """Return the state with a copy of each tensor that a file has once, but the model in two tensors."""
    first: dict[int, int] = {}
    found = {}
    for name, value in state.items():
        again = first.setdefault(id(value), id(own[name])) != id(own[name])
        found[name] = value.to(own[name].dtype if cast else value.dtype, copy=again)
    return found


def _tie(model: nn.Module, before: dict[str, Any]) -> None:
    """Make parameters one again that were one before they were assigned one by one."""
    first: dict[int, str] = {}
    for name, value in before.items():
        kept = first.setdefault(id(value), name)
        if kept != name and isinstance(value, nn.Parameter):
            parent, _, own = name.rpartition(".")
            model.get_submodule(parent)._parameters[own] = model.get_parameter(kept)
