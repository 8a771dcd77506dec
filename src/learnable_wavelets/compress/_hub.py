"""Models of Hugging Face's transformers: their configuration says which layers are compressed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

from torch import nn

METHOD = "learnable_wavelets"  # of the quantiser that `integrations.transformers` registers


def check_hub(model: nn.Module) -> None:
    """Refuse a model whose configuration belongs to another quantiser, or a release of transformers that is too old."""
    for part in _pretrained(model):
        _integration()
        method = method_of(part)
        if method not in (None, METHOD):
            raise ValueError(f"`model` must not be quantised, got one with a quantization_config of {method!r}")


def tell_hub(model: nn.Module) -> None:
    """Write into the configuration of each model of transformers which of its layers are compressed."""
    for part in _pretrained(model):
        _integration().record(part)


def method_of(model: Any) -> str | None:
    """Return the name of the quantiser in the configuration of a model of transformers."""
    found = getattr(model.config, "quantization_config", None)
    method = found.get("quant_method") if isinstance(found, dict) else getattr(found, "quant_method", None)
    return None if method is None else str(getattr(method, "value", method))


def _integration() -> Any:
    return importlib.import_module("learnable_wavelets.integrations.transformers")


def _pretrained(model: Any) -> Iterator[Any]:
    """Yield the outermost models of transformers in a module."""
    library = sys.modules.get("transformers.modeling_utils")
    if library is None:
        return
    stack = [model] if isinstance(model, nn.Module) else []
    while stack:
        module = stack.pop()
        if isinstance(module, library.PreTrainedModel):
            yield module
        else:
            stack.extend(module.children())
