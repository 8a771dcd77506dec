"""A safetensors file: names and shapes of its tensors tell the dense layers, without the code of the model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from .._checks import REAL_DTYPES
from .._output import write_atomic
from ..compress import Report, compress_, merge_, plan, save
from ..compress._container import read_tensors, safetensors_torch
from ..compress._files import KEY, fill

if TYPE_CHECKING:
    from ._command import Job

_EMBEDDING = re.compile(r"emb|wte|wpe|(^|\.)shared$|relative_attention_bias")
_CONVOLUTIONS: dict[int, Any] = {3: nn.Conv1d, 4: nn.Conv2d}
_IN_ATTENTION = {"in_proj_weight", "q_proj_weight"}


class MultiheadAttention(nn.Module):
    """Stands for that of torch, which reads the weight of its `out_proj`."""

    forward = nn.MultiheadAttention.forward


class Conv1D(nn.Module):
    """Holds the weight `(in_features, out_features)` of the `Conv1D` of transformers."""

    def __init__(self, nf: int, nx: int) -> None:
        super().__init__()
        self.nf, self.nx = nf, nx
        self.weight, self.bias = nn.Parameter(Tensor(nx, nf)), nn.Parameter(Tensor(nf))


def convert(source: Path, out: Path | None, job: Job) -> Report | tuple[str, ...]:
    """Return the report, or the names of the layers that were merged; write a file, if one is given."""
    state, values = read_tensors(source, KEY)
    if job.merge:
        return _merge(source, out, state, values, job)
    if values is not None and values["layers"]:
        raise ValueError(f"{source} must be a dense model, got one with compressed layers: see --merge")
    model = skeleton(state)

    def chosen(module: nn.Module, name: str) -> bool:
        return job.chosen(module, name) and not (getattr(module, "bias", None) is None and _EMBEDDING.search(name))

    if job.plan or out is None:
        return plan(model, job.config, chosen)
    report = compress_(model, job.config, chosen)
    save(model, out)
    return report


def _merge(source: Path, out: Path | None, state: dict[str, Tensor], values: Any, job: Job) -> tuple[str, ...]:
    if values is None or not values["layers"]:
        raise ValueError(f"{source} must be a file of `lw.save` with compressed layers, got none")
    model = _compressed(state, values)
    names = merge_(model, job.chosen)
    if out is not None:
        left = any(name not in names for name in values["layers"])
        if left:
            save(model, out)
        else:
            tensors = {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}
            write_atomic(out, safetensors_torch().save(tensors, {"format": "pt"}))
    return names


def _compressed(state: dict[str, Tensor], values: Any) -> nn.Module:
    """Return a module with the compressed layers of a file of `save`, and its other tensors as they are."""
    model = nn.Module()
    dense = {name: _dense_of(layer) for name, layer in values["layers"].items()}
    for name, layer in dense.items():  # their first names before the others, as in the model that was saved
        _put(model, name, layer)
    places = {place: layer for name, layer in dense.items() for place in _places(name, state)}
    for place, layer in places.items():
        _put(model, place, layer)
    inside = tuple(f"{place}." for place in places)
    fill(model, {name: value for name, value in state.items() if name.startswith(inside)}, values, cast=False)
    _carry(model, _with_parameters({name: value for name, value in state.items() if not name.startswith(inside)}))
    return model


def _places(name: str, state: dict[str, Tensor]) -> list[str]:
    """Return all names of a layer: those below which its tensors are."""
    own = [key.removeprefix(f"{name}.") for key in state if key.startswith(f"{name}.")]
    found = [key.removesuffix(f".{own[0]}") for key in state if own and key.endswith(f".{own[0]}")]
    return [place for place in found if all(state.get(f"{place}.{key}") is state[f"{name}.{key}"] for key in own)]


def _dense_of(layer: dict[str, Any]) -> nn.Module:
    """Return a dense layer for one of a file of `save`, on the meta device."""
    size, spatial = (layer["in_features"], layer["out_features"]), layer.get("spatial", 0)
    if layer.get("transposed"):
        return Conv1D(size[1], size[0]).to("meta")
    if spatial:
        made: nn.Module = _CONVOLUTIONS[spatial + 2](*size, 1, bias=layer["bias"], device="meta")
        return made
    return nn.Linear(*size, bias=layer["bias"], device="meta")


def skeleton(state: dict[str, Tensor]) -> nn.Module:
    """Return a module with these names and tensors, dense layers where weight and bias look like those of one."""
    state = _with_parameters(state)
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        prefix, _, own = name.rpartition(".")
        groups.setdefault(prefix, {})[own] = value
    transposed = _are_transposed(groups)
    parts = [prefix.split(".") for prefix in groups]
    above = {".".join(names[:depth]) for names in parts for depth in range(len(names))}
    made = {}
    for prefix, tensors in groups.items():
        layer = _layer(tensors, transposed) if all(prefix.split(".")) and prefix not in above else None
        if layer is not None:
            made[prefix] = layer
    root = nn.Module()
    for prefix, layer in made.items():
        _put(root, prefix, layer)
    for prefix, tensors in groups.items():
        if f"{prefix}.out_proj".removeprefix(".") in made and tensors.keys() & _IN_ATTENTION:
            _at(root, prefix).__class__ = MultiheadAttention
    _carry(root, {name: value for name, value in state.items() if name.rpartition(".")[0] not in made})
    return root


def _with_parameters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state with parameters in it; a tensor that the file has once is one in all its places."""
    known: dict[int, Tensor] = {}
    for name, value in state.items():
        is_buffer = name.rpartition(".")[2].startswith("running_") or not value.is_floating_point()  # of a batch norm
        known.setdefault(id(value), value if is_buffer else nn.Parameter(value))
    return {name: known[id(value)] for name, value in state.items()}


def _carry(root: nn.Module, state: dict[str, Tensor]) -> None:
    """Keep tensors under their whole names, which no other name and no attribute of a module can be in the way of."""
    for name, value in state.items():
        kept: Any = root._parameters if isinstance(value, nn.Parameter) else root._buffers
        kept[name] = value


def _are_transposed(groups: dict[str, dict[str, Tensor]]) -> bool:
    """Tell files of `Conv1D`: each bias has the length of the weight's columns."""
    pairs = [(t["weight"], t["bias"]) for t in groups.values() if _is_dense(t) and "bias" in t]
    sided = [(w.shape[1] == b.shape[0]) for w, b in pairs if w.dim() == 2 and w.shape[0] != w.shape[1]]
    return bool(sided) and all(sided)


def _is_dense(tensors: dict[str, Tensor]) -> bool:
    weight, bias = tensors.get("weight"), tensors.get("bias")
    if weight is None or not {*tensors} <= {"weight", "bias"} or weight.dtype not in REAL_DTYPES:
        return False
    pointwise = weight.dim() in _CONVOLUTIONS and set(weight.shape[2:]) == {1}
    sizes = weight.shape[:2] if weight.dim() == 2 else weight.shape[:1]
    return (weight.dim() == 2 or pointwise) and (bias is None or (bias.dim() == 1 and bias.shape[0] in sizes))


def _layer(tensors: dict[str, Tensor], transposed: bool) -> nn.Module | None:
    """Return the dense layer that two tensors make, or `None`."""
    if not _is_dense(tensors):
        return None
    weight, bias = tensors["weight"], tensors.get("bias")
    layer: Any
    if weight.dim() == 2 and transposed and bias is not None:
        layer = Conv1D(weight.shape[1], weight.shape[0])
    elif bias is not None and bias.shape[0] != weight.shape[0]:
        return None
    elif weight.dim() == 2:
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    else:
        kind = _CONVOLUTIONS[weight.dim()]
        layer = kind(weight.shape[1], weight.shape[0], 1, bias=bias is not None, device="meta")
    layer.weight, layer.bias = weight, bias
    return layer  # type: ignore[no-any-return]


def _at(root: nn.Module, name: str) -> nn.Module:
    """Return the module of a name, made if it is not there; by its entry, for a name may be that of an attribute."""
    module: Any = root
    for part in name.split(".") if name else ():
        module = module._modules.setdefault(part, nn.Module())
    return module  # type: ignore[no-any-return]


def _put(root: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    _at(root, parent)._modules[own] = layer
