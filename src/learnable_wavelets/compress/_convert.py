"""`compress_`: dense layers to compressed ones, in place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from ._checkpoint import Checkpoint
from ._config import Compression, make_filter
from ._dense import Dense, is_transposed
from ._fast_path import switch_fast_paths
from ._fit_outputs import fit_layers
from ._hub import check_hub, tell_hub
from ._optimizers import Exchange, check_optimizers, exchange
from ._plan import FilterFn, Step, build, decide, report_of, with_entries
from ._pointwise import Pointwise
from ._report import Report


def compress_(
    model: nn.Module,
    config: Compression,
    filter_fn: FilterFn | None = None,
    *,
    inputs: Any = None,
    optimizers: Optimizer | Sequence[Optimizer] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Report:
    """Replace dense layers of a model by compressed ones, in place: all that can be, or none after an error.

    `nn.Linear`, the `Conv1D` of transformers and 1x1 convolutions are replaced. The new layers start anew, with the
    trained bias, and need gradients if the weights did; a module in several places is replaced in all of them. With
    `inputs` each is fitted to the outputs of the one that it replaces; the bias takes up the mean of the difference.

    Args:
        model: any module.
        config: the layer that takes the place of the dense ones.
        filter_fn: a function of a module and its name that chooses among the dense layers; `None` for all of them.
        inputs: data to fit to, without labels: a tensor, or a tuple or a dict of the model's arguments, or an iterable
            of these. The model runs in evaluation mode; means and covariances are kept, no activations. An iterator is
            read once, a list or a `DataLoader` once for each GiB of covariances.
        optimizers: those that hold the model's parameters. New parameters take the place of the weights, in the same
            group; the state of the weights goes, that of all others stays.
        checkpoint: a file for layers fitted to `inputs`: a call that was killed goes on from it. It is deleted in the
            end.

    Returns:
        A `Report`; `print(report)` shows what was done, and why a layer stayed. `error` of a fitted layer is the norm
        of the difference of the outputs over that of the outputs, both without their means.

    Raises:
        ValueError: the model is compiled or wrapped, or has no layer that can be replaced; it does not run on `inputs`;
            an optimiser that cannot exchange parameters; a checkpoint of something else, or without `inputs`.
        TypeError: an argument of another type.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(torch.nn.Linear(784, 784), torch.nn.ReLU(), torch.nn.Linear(784, 10))
        >>> report = lw.compress_(model, lw.Compression(wavelet="db2", taps=None), lambda module, name: name == "0")
        >>> type(model[0]).__name__, report.parameters
        ('WaveletLinear', (623290, 11002))

    Notes:
        A fit keeps a shared filter as it starts.
    """
    check_hub(model)
    steps = decide(model, config, filter_fn)
    chosen = [step for step in steps if step.entry.replaced]
    listed = check_optimizers(optimizers, [step.dense.module.weight for step in chosen])
    if checkpoint is not None and inputs is None:
        raise ValueError("`checkpoint` keeps layers that are fitted, and needs `inputs`, got None")
    report = report_of(steps, model, config)
    shared = shared_filter([step.dense for step in chosen], config) if config.shared_filter else None
    layers = [build(step.dense, config, shared) for step in chosen]
    kept = Checkpoint(checkpoint, "compress_")
    if inputs is None:
        shifts: list[Any] = [None] * len(chosen)
    else:
        chosen, shifts = fit_layers(model, chosen, layers, config, inputs, shared, kept)
        report = report_of(with_entries(steps, chosen), model, config)
    made = [_replacement(step, layer, config) for step, layer in zip(chosen, layers, strict=True)]
    if shared is not None:
        shared.requires_grad_(any(step.dense.module.weight.requires_grad for step in chosen))
    exchange(
        listed,
        [Exchange(step.dense.name, step.dense.module.weight, new) for step, new in zip(chosen, made, strict=True)],
    )
    for step, new, shift in zip(chosen, made, shifts, strict=True):
        put(step.dense.places, new)
        _shift(step.dense.module.bias, shift)
    switch_fast_paths(model)
    tell_hub(model)
    kept.remove()
    return report


@torch.no_grad()
def _shift(bias: Any, shift: Any) -> None:
    if bias is not None and shift is not None:
        bias.add_(shift.to(bias))


def shared_filter(layers: Sequence[Dense], config: Compression) -> Any:
    """Return one filter for all layers, which must be on one device."""
    weights: list[Any] = [dense.module.weight for dense in layers]
    devices = {weight.device for weight in weights}
    if len(devices) > 1:
        places = ", ".join(sorted(map(str, devices)))
        raise ValueError(f"`shared_filter` needs a model on one device, got one on {places}")
    return make_filter(config, device=weights[0].device, dtype=weights[0].dtype)


def _replacement(step: Step, layer: nn.Module, config: Compression) -> nn.Module:
    dense: Any = step.dense.module
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
