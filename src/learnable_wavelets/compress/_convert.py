"""`compress_`: dense layers to compressed ones, in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ._config import Compression, make_filter
from ._dense import is_transposed
from ._fast_path import switch_fast_paths
from ._hub import check_hub, tell_hub
from ._optimizers import Exchange, check_optimizers, exchange
from ._plan import FilterFn, Step, build, decide, report_of
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
    check_hub(model)
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
    tell_hub(model)
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
    return adopt(layer, dense, step.dense.spatial, config)


def adopt(layer: nn.Module, dense: nn.Module, spatial: int, config: Compression | None = None) -> nn.Module:
    """Return a layer with the bias of the dense one, in its mode, over the channels of a convolution."""
    new: Any = layer
    new.bias = dense.bias
    if spatial:
        new = Pointwise(new, spatial)
    if is_transposed(dense):
        new._dense_class = type(dense)  # for `merge_`
    new._compression = config
    return new.train(dense.training)  # type: ignore[no-any-return]


def put(places: Sequence[tuple[nn.Module, str]], new: nn.Module) -> None:
    """Put a module in all the places of another."""
    for parent, name in places:
        parent._modules[name] = new
