"""`adapt_`: frozen layers with small trained updates, as PEFT's adapters."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from ..filters import WaveletFilter
from ..nn import Adapter
from ._config import Compression, make_layer
from ._convert import put, shared_filter
from ._cost import parameter_cost
from ._dense import Dense, find_dense
from ._fast_path import switch_fast_paths
from ._plan import FilterFn, check_call
from ._pointwise import Pointwise


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """Report of `adapt_`; prints as PEFT's `print_trainable_parameters` does.

    Attributes:
        config: the `Compression`.
        adapted: names of the layers that have an update.
        skipped: the reason for each other dense layer, by its name.
        trainable: parameters that are trained.
        total: parameters of the whole model, updates included.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> report = lw.adapt_(torch.nn.Sequential(torch.nn.Linear(64, 64)), lw.Compression(layer="fastfood"))
        >>> report.adapted, report.trainable, report.total
        (('0',), 192, 4352)
    """

    config: Compression
    adapted: tuple[str, ...]
    skipped: dict[str, str]
    trainable: int
    total: int

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values that JSON can hold."""
        return {**dataclasses.asdict(self), "adapted": [*self.adapted]}

    def __str__(self) -> str:
        share = 100 * self.trainable / self.total
        return f"trainable params: {self.trainable:,} || all params: {self.total:,} || trainable%: {share:.4f}"


def adapt_(model: nn.Module, config: Compression, filter_fn: FilterFn | None = None) -> Adaptation:
    """Freeze a model and add to each chosen dense layer a trained update that starts at zero, in place.

    Args:
        model: any module; all its parameters are frozen.
        config: the layer that is the update.
        filter_fn: a function of a module and its name that chooses among the dense layers; `None` for all of them.

    Returns:
        An `Adaptation`: names, reasons, and how many parameters are trained.

    Raises:
        ValueError: the model is compiled or wrapped, has no layer that can be adapted, or the configuration fits none.
        TypeError: an argument of another type.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(torch.nn.Linear(768, 768), torch.nn.ReLU(), torch.nn.Linear(768, 10))
        >>> print(lw.adapt_(model, lw.Compression(wavelet="db2", taps=None), lambda module, name: name == "0"))
        trainable params: 2,320 || all params: 600,602 || trainable%: 0.3863

    Notes:
        Give the optimiser what needs gradients: `lw.parameter_groups(model, lr, weight_decay)`. `merge_` adds the
        updates to the dense weights, `save_adapter` and `load_adapter` move the updates alone.
    """
    found = choose(model, config, filter_fn)
    chosen = [(dense, update) for dense, update in found if not isinstance(update, str)]
    model.requires_grad_(False)
    for dense, update in chosen:
        update.requires_grad_(True)
        put_adapter(dense, update)
    switch_fast_paths(model)
    skipped = {dense.name: reason for dense, reason in found if isinstance(reason, str)}
    total = parameter_cost(model).parameters
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return Adaptation(config, tuple(dense.name for dense, _ in chosen), skipped, trainable, total)


def put_adapter(dense: Dense, update: nn.Module) -> None:
    """Put an adapter in all places of a dense layer."""
    put(dense.places, Adapter(dense.module, update).train(dense.module.training))


def choose(model: Any, config: Any, filter_fn: Any) -> list[tuple[Dense, Any]]:
    """Return each dense layer with its update, or with the reason why it has none; at least one has."""
    check_call(model, config, filter_fn)
    if config.min_speedup is not None:
        raise ValueError(f"`min_speedup` is for `compress_`, got {config.min_speedup:g} for an adapter")
    found = find_dense(model)
    reasons = [d.refusal or (None if filter_fn is None or filter_fn(d.module, d.name) else "excluded by `filter_fn`")
               for d in found]  # fmt: skip
    open_ = [dense for dense, reason in zip(found, reasons, strict=True) if reason is None]
    shared = shared_filter(open_, config) if config.shared_filter and open_ else None
    result = [(d, reason or make_update(d, config, shared)) for d, reason in zip(found, reasons, strict=True)]
    if all(isinstance(update, str) for _, update in result):
        shown = "; ".join(f"{dense.name!r} is {reason}" for dense, reason in result[:3])
        raise ValueError(f"`model` has no layer to adapt: {shown or 'it has no nn.Linear, Conv1D or 1x1 convolution'}")
    return result


def make_update(dense: Dense, config: Compression, shared: WaveletFilter | None) -> nn.Module | str:
    """Return the update of a dense layer, or why the configuration does not fit."""
    weight: Any = dense.module.weight
    size = (dense.in_features, dense.out_features)
    try:
        layer = make_layer(config, *size, False, weight.device, weight.dtype, shared)
    except ValueError as error:
        return f"the configuration does not fit: {error}"
    return Pointwise(layer, dense.spatial) if dense.spatial else layer


@contextmanager
def disable_adapters(model: nn.Module) -> Iterator[None]:
    """Switch the adapters of a model off in a `with` block.

    Args:
        model: any module; one without adapters is left as it is.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(torch.nn.Linear(64, 64))
        >>> x = torch.randn(8, 64)
        >>> y = model(x)
        >>> report = lw.adapt_(model, lw.Compression(layer="fastfood"))
        >>> torch.nn.init.ones_(model[0].update.diag_out).shape
        torch.Size([64])
        >>> with lw.disable_adapters(model):
        ...     torch.equal(model(x), y)
        True
    """
    switched = [module for module in model.modules() if isinstance(module, Adapter) and module.enabled]
    try:
        for module in switched:
            module.enabled = False
        yield
    finally:
        for module in switched:
            module.enabled = True
