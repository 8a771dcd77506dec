"""`merge_`: compressed layers back to dense ones, in place."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from ..nn import Adapter
from ._convert import put
from ._dense import CONVERTED, find_compressed, is_transposed
from ._fast_path import switch_fast_paths
from ._hub import tell_hub
from ._plan import FilterFn, check_model
from ._pointwise import Pointwise

_BIAS = ("bias", "parametrizations.bias.")  # and `bias_orig` of a pruned one


def merge_(model: nn.Module, filter_fn: FilterFn | None = None) -> tuple[str, ...]:
    """Replace compressed layers by the dense ones that they equal, in place: $W$ is `layer.to_dense()`.

    The update of an adapter is added to the weight of its layer, which stays frozen.

    Args:
        model: any module.
        filter_fn: a function of a module and its name that chooses among the compressed layers; `None` for all.

    Returns:
        The names of the layers. They are `nn.Linear`, or 1x1 convolutions or the `Conv1D` of transformers where those
        were replaced; the function is that of the model without dropout, and the model needs this library no more to
        run or to load.

    Raises:
        ValueError: the model is compiled or wrapped, is itself a compressed layer, or has none; the layer of an adapter
            is pruned or parametrised.
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
    for name, parent, child, module in find_compressed(model):
        if filter_fn is not None and not filter_fn(module, name):
            continue
        if module not in made:
            made[module] = _dense(module, name)
            names.append(name)
        places.append((parent, child, made[module]))
    if not made:
        raise ValueError(
            "`model` has no compressed layer to merge" + (" that `filter_fn` chooses" if filter_fn else "")
        )
    for parent, child, new in places:
        put([(parent, child)], new)
    switch_fast_paths(model)
    tell_hub(model)
    return tuple(names)


@torch.no_grad()
def _dense(module: Any, name: str) -> nn.Module:
    if isinstance(module, Adapter):
        return _adapted(module, name)
    layer, spatial = (module.layer, module.spatial) if isinstance(module, Pointwise) else (module, 0)
    matrix = layer.to_dense()
    size, options = (layer.in_features, layer.out_features), {"device": "meta", "dtype": matrix.dtype}
    has_bias = layer.bias is not None
    kind = getattr(module, "_dense_class", None) if has_bias else None
    dense: Any
    if kind is not None:  # the `Conv1D` of transformers
        with torch.device("meta"):
            dense, matrix = kind(layer.out_features, layer.in_features), matrix.T
    elif spatial:
        dense = (nn.Conv1d, nn.Conv2d)[spatial - 1](*size, 1, bias=has_bias, **options)
    else:
        dense = nn.Linear(*size, bias=has_bias, **options)
    trained = [name for name, p in layer.named_parameters() if p.requires_grad]
    trainable = not all(name.startswith(_BIAS) for name in trained)
    dense.weight = nn.Parameter(matrix.contiguous().view(dense.weight.shape), requires_grad=trainable)
    bias = layer.bias
    if has_bias and not isinstance(bias, nn.Parameter):
        bias = nn.Parameter(bias.detach().clone(), any(name.startswith(_BIAS) for name in trained))
    dense.bias = bias
    return dense.train(module.training)  # type: ignore[no-any-return]


def _adapted(module: Adapter, name: str) -> nn.Module:
    """Return a copy of the frozen layer, with the update in its weight."""
    layer: Any = _dense(module.layer, name) if isinstance(module.layer, CONVERTED) else module.layer
    if "weight" not in layer._parameters or is_parametrized(layer):
        raise ValueError(
            f"`model` must have a plain layer below the adapter {name!r}, got one that is pruned or parametrised: "
            "remove that first"
        )
    merged: Any = copy.copy(layer)
    merged._parameters = {**layer._parameters}
    delta = module.delta()
    delta = delta.T if is_transposed(layer) else delta.view(layer.weight.shape)
    merged.weight = nn.Parameter((layer.weight + delta).contiguous(), requires_grad=layer.weight.requires_grad)
    return merged  # type: ignore[no-any-return]
