"""Hugging Face's transformers: importing this module lets `from_pretrained` load what `compress_` converted.

It registers a quantiser, `learnable_wavelets`. `compress_` of a `PreTrainedModel` writes into `model.config` which
layers it converted, so that `save_pretrained` needs nothing else; `merge_` removes that again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers
from torch import nn
from transformers.quantizers import HfQuantizer, register_quantization_config, register_quantizer
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING, AUTO_QUANTIZER_MAPPING
from transformers.utils.quantization_config import QuantizationConfigMixin

from ..compress import Compression
from ..compress._dense import find_compressed
from ..compress._hub import METHOD, method_of
from ..compress._plan import decide
from ..compress._pointwise import Pointwise
from ..compress._record import Conversion, conversions, convert_again_
from ..filters import WaveletFilter
from ..nn import SandwichLayer, Stack

__all__ = ["WaveletConfig", "model_card"]

if int(transformers.__version__.partition(".")[0]) < 5:
    raise ImportError(f"compressed models of transformers need transformers 5 or later, got {transformers.__version__}")

CARD_HEADING = "## Compressed with learnable-wavelets"
_VERSION = 1
_TIES = "_learnable_wavelets_ties"

for _registry in (AUTO_QUANTIZATION_CONFIG_MAPPING, AUTO_QUANTIZER_MAPPING):
    _registry.pop(METHOD, None)  # of this module before it was reloaded


@register_quantization_config(METHOD)
class WaveletConfig(QuantizationConfigMixin):  # type: ignore[misc]
    """Say which layers of a model are compressed and how: what `compress_` puts into `model.config`.

    Args:
        config: converts a dense checkpoint as it is loaded, all layers that `compress_` would; they start anew.
        conversions: what `compress_` did, as config.json holds it.
        version: of this format.

    Raises:
        ValueError: a newer version, or neither or both of `config` and `conversions`.
        TypeError: `config` is no `Compression`.

    Examples:
        ```python
        from learnable_wavelets.integrations.transformers import WaveletConfig

        wanted = WaveletConfig(lw.Compression(wavelet="db2", taps=None))
        model = AutoModel.from_pretrained(folder, quantization_config=wanted)
        ```
    """

    def __init__(
        self,
        config: Compression | None = None,
        *,
        conversions: Sequence[Conversion] | None = None,
        version: int = _VERSION,
        quant_method: str = METHOD,
        **others: Any,
    ) -> None:
        if not isinstance(version, int) or version > _VERSION:
            raise ValueError(f"the model was made by a newer version of learnable-wavelets (format {version})")
        for name in others:
            raise ValueError(f"`quantization_config` must have fields of WaveletConfig, got {name!r}")
        if (config is None) == (conversions is None):
            raise ValueError("`config` must be a Compression where there are no `conversions`, got both or none")
        if config is not None and not isinstance(config, Compression):
            raise TypeError(f"`config` must be a Compression, got {type(config).__name__}")
        self.quant_method, self.version = quant_method, version
        self.conversions = None if conversions is None else [_checked(conversion) for conversion in conversions]
        self._config = config

    def to_dict(self) -> dict[str, Any]:
        """Return what config.json holds."""
        return {"quant_method": self.quant_method, "version": self.version, "conversions": self.conversions}


def _checked(conversion: Any) -> Conversion:
    """Return a conversion with all fields of its configuration."""
    names = conversion.get("layers") if isinstance(conversion, Mapping) else None
    if not isinstance(names, list) or not isinstance(conversion.get("config"), Mapping):
        raise ValueError(f"`conversions` must hold a `config` and `layers` each, got {str(conversion)[:60]}")
    return {"config": Compression.from_dict(conversion["config"]).to_dict(), "layers": [*map(str, names)]}


@register_quantizer(METHOD)
class WaveletQuantizer(HfQuantizer):  # type: ignore[misc]
    """Convert the skeleton of a model before its weights are loaded; the model is a plain one afterwards."""

    is_trainable = True
    is_qat_trainable = True
    is_compileable = True

    def is_serializable(self) -> bool:
        return True

    def _process_model_before_weight_loading(self, model: Any, **kwargs: Any) -> None:
        wanted = self.quantization_config
        if wanted.conversions is None:
            names = [step.entry.name for step in decide(model, wanted._config, None) if step.entry.replaced]
            done = [{"config": wanted._config.to_dict(), "layers": names}]
        else:
            done = _named_as_in(model, wanted.conversions)
        convert_again_(model, done)
        for layer in _compressed(model):
            _lend_weight(layer)
        _tie(model)

    def _process_model_after_weight_loading(self, model: Any, **kwargs: Any) -> None:
        layers = _compressed(model)
        own = [p for layer in layers for name, p in layer.named_parameters() if not name.endswith("bias")]
        if self.quantization_config.conversions is not None and not any(p.is_meta or _is_loaded(p) for p in own):
            raise ValueError(
                "the checkpoint must have the layers that its `quantization_config` names, got none of them"
            )
        for layer in layers:
            del layer.weight
            _start_missing(layer)
        self.remove_quantization_config(model)  # no more than the layers are special: cast, train, save as always
        record(model)


def record(model: Any) -> None:
    """Write into the configuration of a model which of its layers are compressed, and which parameters are tied.

    Parts with a configuration of their own, as the text model of a CLIP, can be loaded alone: theirs say it too.
    """
    parts: dict[int, Any] = {}
    for module in model.modules():
        if isinstance(module, transformers.PreTrainedModel):
            parts.setdefault(id(module.config), module)
    for part in parts.values():
        done = conversions(part)
        if done:
            part.config.quantization_config = WaveletConfig(conversions=done)
        elif method_of(part) == METHOD:
            del part.config.quantization_config
    _tie(model)


def model_card(model: Any) -> str:
    """Return a section for the README.md of a converted model: which two lines load it, and what was converted.

    Args:
        model: a model of transformers that `compress_` converted.

    Raises:
        ValueError: the model has no layer that `compress_` made.
    """
    done = conversions(model)
    if not done:
        raise ValueError("`model` must have layers that `compress_` made, got none")
    name = type(model).__name__
    lines = [CARD_HEADING, "", "```python", f"from transformers import {name}", ""]
    lines += ["import learnable_wavelets.integrations.transformers", f"model = {name}.from_pretrained(folder)", "```"]
    lines += ["", "Without the import of learnable_wavelets, transformers warns and starts the layers below at random."]
    for conversion in done:
        changed = {k: v for k, v in conversion["config"].items() if v != getattr(Compression(), k)}
        config = f"Compression({', '.join(f'{name}={value!r}' for name, value in changed.items())})"
        lines += ["", f"`{config}` in the place of {len(conversion['layers'])} dense layers:", ""]
        lines += [f"- `{name}`" for name in conversion["layers"]]
    return "\n".join(lines) + "\n"


def _tie(model: Any) -> None:
    """Declare parameters that compressed layers share: filters, and whole layers in several places."""
    paths: dict[nn.Parameter, list[str]] = {}
    for prefix, _, _, layer in find_compressed(model):
        for name, parameter in layer.named_parameters(prefix, remove_duplicate=False):
            paths.setdefault(parameter, []).append(name)
    ties = {other: first for first, *others in paths.values() for other in others}
    before = vars(model).get(_TIES, {})
    if not before and not ties:
        return
    declared = model._tied_weights_keys or {}
    model._tied_weights_keys = {name: first for name, first in declared.items() if name not in before} | ties
    for name in before:
        model.all_tied_weights_keys.pop(name, None)
    model.all_tied_weights_keys.update(ties)
    setattr(model, _TIES, ties)


def _named_as_in(model: Any, done: Sequence[Conversion]) -> list[Conversion]:
    """Return the conversions of a checkpoint with the names that a model with another head, or with none, gives them.

    Layers of parts that the model lacks are left out: heads, or the decoder where only the encoder is loaded.
    """
    prefix = f"{model.base_model_prefix}."
    there = {name for name, _ in model.named_modules()}
    names = [name for conversion in done for name in conversion["layers"]]
    inner, based = (any(name.startswith(prefix) for name in group) for group in (there, names))
    if inner and not based:
        own = {name: name if name in there else prefix + name for name in names}
    elif based and not inner:
        own = {name: name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    else:
        own = {name: name for name in names}
    own = {name: new for name, new in own.items() if new.partition(".")[0] in there}
    if not own:
        raise ValueError(f"`quantization_config` must name layers of {type(model).__name__}, got none of them")
    renamed = [{**c, "layers": [own[name] for name in c["layers"] if name in own]} for c in done]
    return [conversion for conversion in renamed if conversion["layers"]]


def _compressed(model: nn.Module) -> list[Any]:
    """Return the compressed layers, each once."""
    return [*dict.fromkeys(module for _, _, _, module in find_compressed(model))]


def _lend_weight(layer: Any) -> None:
    """Give a layer a `weight` without values while it loads: the `_init_weights` of many models reads that of a child.

    It is marked as loaded, so that it is left alone.
    """
    inner: Any = layer.layer if isinstance(layer, Pointwise) else layer
    layer.weight = torch.empty(inner.out_features, inner.in_features, device="meta")
    layer.weight._is_hf_initialized = True


def _is_loaded(parameter: Any) -> bool:
    """Read the mark of transformers on parameters that it has loaded."""
    return bool(getattr(parameter, "_is_hf_initialized", False))


@torch.no_grad()
def _start_missing(layer: nn.Module) -> None:
    """Start the parameters that the checkpoint lacks; transformers does that for modules that it knows."""
    loaded = {p: p.clone() for p in layer.parameters() if _is_loaded(p)}
    if len(loaded) == sum(1 for _ in layer.parameters()):
        return
    for part in layer.modules():
        if isinstance(part, (SandwichLayer, Stack, WaveletFilter)):
            part.reset_parameters()
    for parameter, values in loaded.items():
        parameter.copy_(values)
