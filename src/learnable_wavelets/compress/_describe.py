"""Layers as plain values, from which they are made again; checkpoints carry these."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..filters import WaveletFilter
from ..functional._bank import FilterBank
from ..nn import Adapter, Fastfood, SandwichLayer, Stack, WaveletLinear
from ..nn._geometry import choose_layout
from ._config import FILTERS
from ._dense import find_compressed
from ._pointwise import Pointwise

Values = dict[str, Any]


def describe_model(model: nn.Module) -> Values:
    """Return each compressed layer by name, the filters, the banks they start from, and the `Compression` of layers.

    Raises:
        ValueError: a layer or a filter is of a class of the user's own.
    """
    found: Values = {"layers": {}, "filters": [], "starts": [], "compressions": []}
    known: dict[nn.Module, int] = {}
    seen = set()
    for name, _, _, module in find_compressed(model):
        if module not in seen:
            seen.add(module)
            found["layers"][name] = {**describe_layer(module, name, known), **_origin(module, found["compressions"])}
    for filter in known:
        found["filters"].append(describe_filter(filter, found["starts"]))
    return found


def _origin(module: Any, configs: list[Values]) -> Values:
    """Return which layer it took the place of, and the number of the `Compression` that it came from."""
    found: Values = {"transposed": True} if hasattr(module, "_dense_class") else {}
    if getattr(module, "_compression", None) is not None:
        config = module._compression.to_dict()
        if config not in configs:
            configs.append(config)
        found["compression"] = configs.index(config)
    return found


def describe_layer(module: Any, name: str, filters: dict[nn.Module, int]) -> Values:
    if isinstance(module, Adapter):
        raise ValueError(
            f"`model` has an adapter in {name!r}: use `save_adapter` and `load_adapter`, or merge it first"
        )
    if isinstance(module, Pointwise):
        return {**describe_layer(module.layer, name, filters), "spatial": module.spatial}
    size = {"in_features": module.in_features, "out_features": module.out_features, "bias": module.bias is not None}
    if type(module) is Stack:
        factors = [describe_layer(factor, name, filters) for factor in module.sandwiches()]
        return {"class": "Stack", **size, "layer": module.layer, "rank": module.rank, "factors": factors}
    if type(module) is Fastfood:
        return {"class": "Fastfood", **size, **_common(module), "adaptive": module.adaptive}
    if type(module) is not WaveletLinear:
        raise ValueError(f"`model` must have layers of this library, got {name!r}, a {type(module).__name__}")
    number = filters.setdefault(module.filter, len(filters))
    chosen = choose_layout(module.in_features, module.out_features, None, module.mode, module._taps)
    level = None if chosen == (module._layout, module.level) else module.level
    wavelet = {"level": level, "mode": module.mode, "filter": number, "own_filter": module._own_filter}
    return {"class": "WaveletLinear", **size, **_common(module), **wavelet}


def _common(layer: SandwichLayer) -> Values:
    return {"dropout": layer.dropout, "seed": layer.seed, "lr_multiplier": layer.lr_multiplier}


def describe_filter(module: Any, starts: list[Any]) -> Values:
    kind = next((name for name, known in FILTERS.items() if type(module) is known), None)
    if kind is None:
        raise ValueError(f"`model` must have filters of this library, got a {type(module).__name__}")
    start = [[*taps] for taps in module._start]
    if start not in starts:
        starts.append(start)
    extra = {"alias": module.alias} if kind == "free" else {}
    return {"filter": kind, "start": starts.index(start), "label": module._label, **extra}


def make_filters(described: Values, options: Values) -> list[WaveletFilter]:
    """Return the filters of `describe_model`, new ones."""
    made = []
    for values in described["filters"]:
        bank = FilterBank(*(torch.tensor(taps, dtype=torch.float64) for taps in described["starts"][values["start"]]))
        extra = {name: values[name] for name in ("alias",) if name in values}
        made.append(FILTERS[values["filter"]](bank, **extra, **options))
        made[-1]._label = values["label"]
    return made


def make_described(values: Values, filters: list[WaveletFilter], options: Values) -> Any:
    """Return a layer of `describe_model`, without the wrapper of a convolution."""
    size: Values = {name: values[name] for name in ("in_features", "out_features", "bias")}
    if values["class"] == "Stack":
        factors = [make_described(factor, filters, options) for factor in values["factors"]]
        stack = Stack(**size, layer=values["layer"], depth=0, rank=max(1, values["rank"]), **options)
        return _with_factors(stack, factors, values["rank"])
    common = {name: values[name] for name in ("dropout", "seed", "lr_multiplier")}
    if values["class"] == "Fastfood":
        return Fastfood(**size, **common, adaptive=values["adaptive"], **options)
    filter = filters[values["filter"]]
    layer = WaveletLinear(**size, **common, level=values["level"], mode=values["mode"], wavelet=filter, **options)
    layer._own_filter = values["own_filter"]
    return layer


def _with_factors(stack: Stack, factors: list[Any], rank: int) -> Stack:
    """Return a stack with these factors, which was made as low rank alone."""
    stack.depth, stack.rank, stack.factors = len(factors), rank, nn.ModuleList(factors)
    if rank == 0:
        stack.down = stack.up = None
    return stack
