"""The metadata of a file of `save`: fields and types, checked before they are used."""

from __future__ import annotations

from typing import Any

from ._config import FILTERS
from ._describe import Values

_SIZE = {"class": str, "in_features": int, "out_features": int, "bias": bool}
_SANDWICH = {**_SIZE, "dropout": (int, float), "seed": (int, type(None)), "lr_multiplier": (int, float)}
_LAYERS: dict[str, dict[str, Any]] = {
    "Fastfood": {**_SANDWICH, "adaptive": bool},
    "Stack": {**_SIZE, "layer": str, "rank": int, "factors": list},
    "WaveletLinear": {
        **_SANDWICH, "level": (int, type(None)), "mode": str, "filter": int, "own_filter": bool,
    },
}  # fmt: skip
_WHOLE = {"layers": dict, "filters": list, "starts": list, "aliases": dict}


def check_values(values: Any, names: set[str]) -> Values:
    """Return the metadata; `names` are those of the tensors in the file.

    Raises:
        ValueError: a field is missing, has another type, or points to nothing.
    """
    _check_fields("the configuration", values, _WHOLE)
    for number, start in enumerate(values["starts"]):
        taps = [value for filter in start for value in filter] if _is_bank(start) else [None]
        if not all(isinstance(value, (int, float)) for value in taps):
            raise ValueError(f"`starts` must hold four filters each, got {str(start)[:40]} as number {number}")
    for filter in values["filters"]:
        _check_fields("a filter", filter, {"filter": str, "start": int, "label": str})
        if filter["filter"] not in FILTERS or not 0 <= filter["start"] < len(values["starts"]):
            raise ValueError(f"a filter must be of {', '.join(FILTERS)} and have a start, got {filter}")
    configs = values.get("compressions", [])
    for name, layer in values["layers"].items():
        _check_layer(name, layer, len(values["filters"]))
        if not isinstance(configs, list) or layer.get("compression") not in (None, *range(len(configs))):
            raise ValueError(f"layer {name!r} must have one of `compressions`, got number {layer['compression']}")
    for name, kept in values["aliases"].items():
        if not isinstance(kept, str) or kept not in names or name in names:
            raise ValueError(f"`aliases` must name tensors of the file, got {name!r} for {kept!r}")
    return values  # type: ignore[no-any-return]


def _is_bank(start: Any) -> bool:
    return isinstance(start, list) and len(start) == 4 and all(isinstance(taps, list) for taps in start)


def _check_layer(name: str, layer: Any, filters: int) -> None:
    kind = layer.get("class") if isinstance(layer, dict) else None
    if kind not in _LAYERS:
        raise ValueError(f"layer {name!r} must be of {', '.join(_LAYERS)}, got {kind}")
    _check_fields(f"layer {name!r}", layer, _LAYERS[kind])
    if kind == "WaveletLinear" and not 0 <= layer["filter"] < filters:
        raise ValueError(f"layer {name!r} must have one of {filters} filters, got number {layer['filter']}")
    for factor in layer.get("factors", ()):
        _check_layer(name, factor, filters)


def _check_fields(what: str, values: Any, fields: dict[str, Any]) -> None:
    if not isinstance(values, dict):
        raise ValueError(f"{what} must be an object, got {str(values)[:40]}")
    for name, kind in fields.items():
        if name not in values or not isinstance(values[name], kind):
            got = f"{values[name]!r}"[:40] if name in values else "none"
            raise ValueError(f"{what} must have a `{name}`, got {got}")
