"""A safetensors file: names and shapes of its tensors tell the dense layers, without the code of the model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from .._checks import REAL_DTYPES
from .._output import write_atomic
from ..compress import Report, compress_, load, merge_, plan, save
from ..compress._container import read_tensors, safetensors_torch
from ..compress._files import KEY

if TYPE_CHECKING:
    from ._command import Job

_EMBEDDING = re.compile(r"emb|wte|wpe|(^|\.)shared$|relative_attention_bias")
_CONVOLUTIONS: dict[int, Any] = {3: nn.Conv1d, 4: nn.Conv2d}


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
    inside = tuple(f"{name}." for name in values["layers"])
    model = skeleton({name: value for name, value in state.items() if not name.startswith(inside)})
    for name, layer in values["layers"].items():
        _put(model, name, _dense_of(layer))
    names = merge_(load(model, source), job.chosen)
    if out is not None:
        tensors = {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}
        left = any(name not in names for name in values["layers"])
        if left:
            save(model, out)
        else:
            write_atomic(out, safetensors_torch().save(tensors, {"format": "pt"}))
    return names


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
    root = nn.Module()
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        prefix, _, own = name.rpartition(".")
        groups.setdefault(prefix, {})[own] = value
    transposed = _are_transposed(groups)
    parts = [prefix.split(".") for prefix in groups]
    above = {".".join(names[:depth]) for names in parts for depth in range(len(names))}
    for prefix, tensors in groups.items():
        layer = _layer(tensors, transposed) if prefix and prefix not in above else None
        if layer is not None:
            _put(root, prefix, layer)
            continue
        holder = _parent(root, f"{prefix}.any") if prefix else root
        for own, value in tensors.items():
            if value.is_floating_point() and not own.startswith("running_"):  # of a batch norm
                holder.register_parameter(own, nn.Parameter(value, requires_grad=False))
            else:
                holder.register_buffer(own, value)
    return root


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
    layer.weight = nn.Parameter(weight)
    layer.bias = None if bias is None else nn.Parameter(bias)
    return layer  # type: ignore[no-any-return]


def _parent(root: nn.Module, name: str) -> nn.Module:
    """Return the module above a name, made if it is not there."""
    module = root
    for part in name.split(".")[:-1]:
        if part not in module._modules:
            module.add_module(part, nn.Module())
        module = module.get_submodule(part)
    return module


def _put(root: nn.Module, name: str, layer: nn.Module) -> None:
    _parent(root, name).add_module(name.rpartition(".")[2], layer)
