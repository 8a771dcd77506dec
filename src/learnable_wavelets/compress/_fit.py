"""The fit of a model and a file: the layers that `load` makes, and all checks before it changes anything."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..filters import WaveletFilter
from ._config import Compression
from ._convert import adopt
from ._dense import Dense, find_compressed, find_dense
from ._describe import Values, describe_model, make_described, make_filters
from ._pointwise import Pointwise


def replacements(model: nn.Module, values: Values) -> list[tuple[Dense, nn.Module]]:
    """Return the new layer for each dense one; what the model has compressed already must be as in the file."""
    there, dense = describe_model(model), {found.name: found for found in find_dense(model)}
    for name, layer in there["layers"].items():
        if name not in values["layers"]:
            raise ValueError(f"`model` must have a dense layer {name!r} as the file, got a {layer['class']}")
        _check_same(name, _full(there, name), _full(values, name))
    names = [name for name in values["layers"] if name not in there["layers"]]
    found = [check_dense(name, dense.get(name), values["layers"][name]) for name in names]
    kept = _kept_filters(model, values)
    flags = {p: p.requires_grad for filter in kept.values() for p in filter.parameters()}
    filters = make_filters(values, _options(found[0].module)) if found else []
    filters = [kept.get(number, filter) for number, filter in enumerate(filters)]
    made = [make_described(values["layers"][d.name], filters, _options(d.module)) for d in found]
    for trains in (False, True):  # a filter that a frozen layer shares with another needs gradients
        for d, layer in zip(found, made, strict=True):
            if _trains(d) == trains:
                _set_trains(layer, trains)
    for parameter, flag in flags.items():
        parameter.requires_grad_(flag)
    configs = [_config(values, d.name) for d in found]
    return [(d, adopt(layer, d.module, d.spatial, c)) for d, layer, c in zip(found, made, configs, strict=True)]


def _config(values: Values, name: str) -> Compression | None:
    """Return the record that a layer came from; one made by hand has none."""
    number = values["layers"][name].get("compression")
    return None if number is None else Compression.from_dict(values["compressions"][number])


def _kept_filters(model: nn.Module, values: Values) -> dict[int, WaveletFilter]:
    """Return the filters of layers that are compressed already, by their number in the file."""
    kept: dict[int, WaveletFilter] = {}
    for name, _, _, module in find_compressed(model):
        if name in values["layers"]:
            layer = module.layer if isinstance(module, Pointwise) else module
            for number, filter in _pairs(layer, values["layers"][name]):
                if kept.setdefault(number, filter) is not filter or [*kept.values()].count(filter) > 1:
                    raise ValueError(f"`model` must share filters as the file, got others in {name!r}")
    return kept


def _pairs(layer: Any, described: Values) -> list[tuple[int, WaveletFilter]]:
    if "factors" in described:
        pairs = zip(layer.sandwiches(), described["factors"], strict=True)
        return [pair for factor, values in pairs for pair in _pairs(factor, values)]
    return [(described["filter"], layer.filter)] if "filter" in described else []


def check_dense(name: str, found: Dense | None, wanted: Values) -> Dense:
    """Return the dense layer if that of the file can take its place."""
    expected = (wanted["in_features"], wanted["out_features"], wanted.get("spatial", 0))
    bias = "with" if wanted["bias"] else "without"
    if found is None:
        raise ValueError(f"`model` must have a layer {name!r} of {expected} {bias} bias, got none")
    if found.refusal is not None:
        raise ValueError(f"`model` must have a layer {name!r} that can be replaced: {found.refusal}")
    shape = (found.in_features, found.out_features, found.spatial)
    if shape != expected or (found.module.bias is not None) != wanted["bias"]:
        got = f"{type(found.module).__name__}{shape}"
        raise ValueError(f"`model` must have a layer {name!r} of {expected} {bias} bias, got {got}")
    return found


def _trains(dense: Any) -> bool:
    trains: bool = dense.module.weight.requires_grad
    return trains


def _set_trains(layer: nn.Module, trains: bool) -> None:
    """Freeze a layer, or let the filters of one train."""
    if not trains:
        layer.requires_grad_(False)
    for filter in layer.modules():
        if trains and isinstance(filter, WaveletFilter):
            filter.requires_grad_(True)


def _options(module: Any) -> Values:
    return {"device": module.weight.device, "dtype": module.weight.dtype}


_HISTORY = ("own_filter", "compression", "transposed")  # leave the function as it is


def _full(values: Values, name: str) -> Values:
    """Return the configuration of a layer with that of its filters in it."""
    return _expand(values, values["layers"][name])


def _expand(values: Values, layer: Values) -> Values:
    layer = {key: value for key, value in layer.items() if key not in _HISTORY}
    if "factors" in layer:
        layer["factors"] = [_expand(values, factor) for factor in layer["factors"]]
    if "filter" in layer:
        filter = values["filters"][layer["filter"]]
        layer["filter"] = {**filter, "start": values["starts"][filter["start"]], "label": ""}
    return layer


def _check_same(name: str, own: Values, wanted: Values) -> None:
    for key in {**wanted, **own}:
        if own.get(key) != wanted.get(key):
            got, expected = (str(values.get(key))[:60] for values in (own, wanted))
            raise ValueError(f"`model` must have {key} {expected} in {name!r} as the file, got {got}")


def check_state(model: nn.Module, new: list[tuple[Dense, nn.Module]], state: dict[str, Tensor]) -> None:
    """Compare names and shapes of the file with those that the model will have."""
    gone = {dense.module: layer for dense, layer in new}
    shapes: dict[str, torch.Size] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        shapes[name] = getattr(value, "shape", torch.Size())
    for path, module in model.named_modules(remove_duplicate=False):
        if module in gone:
            for key in module.state_dict():
                shapes.pop(f"{path}.{key}", None)
            shapes.update({f"{path}.{key}": value.shape for key, value in gone[module].state_dict().items()})
    for names, text in ((shapes.keys() - state.keys(), "lacks"), (state.keys() - shapes.keys(), "has besides")):
        if names:
            raise ValueError(f"`model` does not fit the file, which {text} {', '.join(sorted(names)[:3])}")
    for name, shape in shapes.items():
        if state[name].shape != shape:
            raise ValueError(f"`model` must have {name!r} of shape {tuple(state[name].shape)}, got {tuple(shape)}")
