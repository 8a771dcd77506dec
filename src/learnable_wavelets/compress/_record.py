"""The `Compression` that each converted layer came from, and the conversion of a model from such a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from ..filters import WaveletFilter
from ._config import Compression, make_filter
from ._convert import adopt, put
from ._dense import Dense, find_compressed, find_dense
from ._fast_path import switch_fast_paths
from ._plan import build

Conversion = dict[str, Any]
"""`config`, the fields of a `Compression`, and `layers`, the names of the layers that it made."""


def conversions(model: nn.Module) -> list[Conversion]:
    """Return what `compress_` did to a model; layers that share a filter are one conversion of their own."""
    groups: dict[tuple[Compression, int], list[str]] = {}
    seen = set()
    for name, _, _, module in find_compressed(model):
        config = getattr(module, "_compression", None)
        if module in seen or config is None:
            continue
        seen.add(module)
        bank = next((part for part in module.modules() if isinstance(part, WaveletFilter)), None)
        groups.setdefault((config, id(bank) if config.shared_filter else 0), []).append(name)
    return [{"config": config.to_dict(), "layers": names} for (config, _), names in groups.items()]


def convert_again_(model: nn.Module, done: Sequence[Conversion]) -> None:
    """Replace the dense layers of a model as `conversions` says; on the meta device too.

    Raises:
        ValueError: a layer is not there or cannot be replaced, or a field is unknown; the model is left as it was.
    """
    known = {dense.name: dense for dense in find_dense(model)}
    made: list[tuple[Dense, nn.Module]] = []
    for conversion in done:
        config = Compression.from_dict(conversion["config"])
        chosen = [_find(known, name) for name in conversion["layers"]]
        weights: list[Any] = [dense.module.weight for dense in chosen]
        shared = None
        if config.shared_filter and chosen:
            shared = make_filter(config, device=weights[0].device, dtype=weights[0].dtype)
        for dense, weight in zip(chosen, weights, strict=True):
            layer = build(dense, config, shared).requires_grad_(weight.requires_grad)
            made.append((dense, adopt(layer, dense.module, dense.spatial, config)))
    for dense, new in made:
        put(dense.places, new)
    switch_fast_paths(model)


def _find(known: dict[str, Dense], name: str) -> Dense:
    dense = known.get(name)
    if dense is None:
        raise ValueError(f"`model` must have a dense layer {name!r}, which its configuration names, got none")
    if dense.refusal is not None:
        raise ValueError(f"`model` must have a layer {name!r} that can be replaced: {dense.refusal}")
    return dense
