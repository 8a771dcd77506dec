"""`compress_` and `merge_`: dense layers to compressed ones, in place, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from ._config import Compression, make_filter
from ._dense import CONVERTED
from ._fast_path import switch_fast_paths
from ._optimizers import Exchange, check_optimizers, exchange
from ._plan import FilterFn, Step, build, check_model, decide, report_of
from ._pointwise import Pointwise
from ._report import Report


def compress_(
    model: nn.Module,
    config: Compression,
    filter_fn: FilterFn | None = None,
    *,
    optimizers: Optimizer | Sequence[Optimizer] | None = None,
) -> Report:
    """Replace dense layers of a model by compressed ones, in place: all that can be, or none after an error.

    `nn.Linear`, the `Conv1D` of transformers and 1x1 convolutions are replaced. The new layers start anew, with the
    trained bias, and need gradients if the weights did; a module in several places is replaced in all of them.

    Args:
        model: any module.
        config: the layer that takes the place of the dense ones.
        filter_fn: a function of a module and its name that chooses among the dense layers; `None` for all of them.
        optimizers: those that hold the model's parameters. New parameters take the place of the weights, in the same
            group; the state of the weights goes, that of all others stays.

    Returns:
        A `Report`; `print(report)` shows what was done, and why a layer stayed.

    Raises:
        ValueError: the model is compiled or wrapped, or has no layer that can be replaced; an optimiser that cannot
            exchange parameters.
        TypeError: an argument of another type.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(torch.nn.Linear(784, 784), torch.nn.ReLU(), torch.nn.Linear(784, 10))
        >>> report = lw.compress_(model, lw.Compression(wavelet="db2", taps=None), lambda module, name: name == "0")
        >>> type(model[0]).__name__, report.parameters
        ('WaveletLinear', (623290, 11002))
    """
    steps = decide(model, config, filter_fn)
    chosen = [step for step in steps if step.entry.replaced]
    listed = check_optimizers(optimizers)
    report = report_of(steps, model, config)
    shared = _shared_filter(chosen, config) if config.shared_filter else None
    made = [_replacement(step, config, shared) for step in chosen]
    if shared is not None:
        shared.requires_grad_(any(step.dense.module.weight.requires_grad for step in chosen))
    exchange(
        listed,
        [Exchange(step.dense.name, step.dense.module.weight, new) for step, new in zip(chosen, made, strict=True)],
    )
    for step, new in zip(chosen, made, strict=True):
        put(step.dense.places, new)
    switch_fast_paths(model)
    return report


def _shared_filter(chosen: list[Step], config: Compression) -> Any:
    weights: list[Any] = [step.dense.module.weight for step in chosen]
    devices = {weight.device for weight in weights}
    if len(devices) > 1:
        places = ", ".join(sorted(map(str, devices)))
        raise ValueError(f"`shared_filter` needs a model on one device, got one on {places}")
    return make_filter(config, device=weights[0].device, dtype=weights[0].dtype)


def _replacement(step: Step, config: Compression, shared: Any) -> nn.Module:
    dense: Any = step.dense.module
    layer = build(step.dense, config, shared)
    layer.requires_grad_(dense.weight.requires_grad)
    return adopt(layer, dense, step.dense.spatial)


def adopt(layer: nn.Module, dense: nn.Module, spatial: int) -> nn.Module:
    """Return a layer with the bias of the dense one, in its mode, over the channels of a convolution."""
    layer.bias = dense.bias
    layer.train(dense.training)
    return Pointwise(layer, spatial).train(dense.training) if spatial else layer


def put(places: Sequence[tuple[nn.Module, str]], new: nn.Module) -> None:
    """Put a module in all the places of another."""
    for parent, name in places:
        parent._modules[name] = new


def merge_(model: nn.Module, filter_fn: FilterFn | None = None) -> tuple[str, ...]:
    """Replace compressed layers by the dense ones that they equal, in place: $W$ is `layer.to_dense()`.

    Args:
        model: any module.
        filter_fn: a function of a module and its name that chooses among the compressed layers; `None` for all.

    Returns:
        The names of the layers. They are `nn.Linear`, or 1x1 convolutions where those were replaced; the function is
        that of the model without dropout, and the model needs this library no more to run or to load.

    Raises:
        ValueError: the model is compiled or wrapped, is itself a compressed layer, or has none.
        TypeError: an argument of another type.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(lw.WaveletLinear(64, 64), torch.nn.ReLU())
        >>> x = torch.randn(8, 64)
        >>> y = model(x)
        >>> lw.merge_(model)
        ('0',)
        >>> type(model[0]).__name__, torch.allclose(model(x), y, atol=1e-5)
        ('Linear', True)
    """
    check_model(model)
    if isinstance(model, CONVERTED):
        raise ValueError(f"`model` must hold compressed layers, got a {type(model).__name__}: use its `to_dense()`")
    if filter_fn is not None and not callable(filter_fn):
        raise TypeError(f"`filter_fn` must be a function of a module and its name, got {type(filter_fn).__name__}")
    made: dict[nn.Module, nn.Module] = {}
    names, places = [], []
    for name, parent, child, module in _compressed(model, ""):
        if filter_fn is not None and not filter_fn(module, name):
            continue
        if module not in made:
            made[module] = _dense(module)
            names.append(name)
        places.append((parent, child, made[module]))
    if not made:
        raise ValueError(
            "`model` has no compressed layer to merge" + (" that `filter_fn` chooses" if filter_fn else "")
        )
    for parent, child, new in places:
        put([(parent, child)], new)
    switch_fast_paths(model)
    return tuple(names)


def _compressed(module: nn.Module, prefix: str) -> list[tuple[str, nn.Module, str, Any]]:
    """Return name, parent, own name and module of each compressed layer, the outermost ones, in every place."""
    found: list[tuple[str, nn.Module, str, Any]] = []
    for child, part in module._modules.items():
        if isinstance(part, CONVERTED):
            found.append((prefix + child, module, child, part))
        elif part is not None:
            found.extend(_compressed(part, f"{prefix}{child}."))
    return found


@torch.no_grad()
def _dense(module: Any) -> nn.Module:
    layer, spatial = (module.layer, module.spatial) if isinstance(module, Pointwise) else (module, 0)
    matrix = layer.to_dense()
    size, options = (layer.in_features, layer.out_features), {"device": "meta", "dtype": matrix.dtype}
    has_bias = layer.bias is not None
    dense: Any
    if spatial:
        dense = (nn.Conv1d, nn.Conv2d)[spatial - 1](*size, 1, bias=has_bias, **options)
    else:
        dense = nn.Linear(*size, bias=has_bias, **options)
    trainable = any(p.requires_grad for p in layer.parameters() if p is not layer.bias)
    weight = matrix.contiguous().view(dense.weight.shape)
    dense.weight, dense.bias = nn.Parameter(weight, requires_grad=trainable), layer.bias
    return dense.train(module.training)  # type: ignore[no-any-return]
