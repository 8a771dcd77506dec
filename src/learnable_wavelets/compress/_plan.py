"""`plan`: the conversion of a model, layer by layer, without converting it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from ..filters import WaveletFilter
from ._config import Compression, make_filter, make_layer
from ._cost import dense_multiply_adds, multiply_adds, parameter_cost, speedup
from ._dense import Dense, find_dense
from ._report import Entry, Report

FilterFn = Callable[[nn.Module, str], bool]
Timings = dict[tuple[Any, ...], float]  # by shape, dtype and device
_WRAPPERS = (nn.parallel.DistributedDataParallel, nn.DataParallel)


class Step(NamedTuple):
    """A dense layer and the decision about it."""

    dense: Dense
    entry: Entry


def plan(model: nn.Module, config: Compression, filter_fn: FilterFn | None = None) -> Report:
    """Report what `compress_` would do to a model, and leave it as it is.

    Args:
        model: any module, also one on the `meta` device.
        config: the layer that takes the place of the dense ones.
        filter_fn: a function of a module and its name that chooses among the dense layers; `None` for all of them.

    Returns:
        A `Report` with an entry for each dense layer. Parameters and bytes are exact. A layer is left as it is if its
        parameters would not fall, or for the reason that its entry gives.

    Raises:
        ValueError: the model is compiled or wrapped, or has no layer that can be replaced.
        TypeError: `model`, `config` or `filter_fn` of another type.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(torch.nn.Linear(784, 784), torch.nn.ReLU(), torch.nn.Linear(784, 10))
        >>> report = lw.plan(model, lw.Compression(wavelet="db2", taps=None))
        >>> report.replaced, report.parameters
        (('0', '2'), (623290, 4764))
    """
    return report_of(decide(model, config, filter_fn), model, config)


def decide(model: Any, config: Any, filter_fn: Any) -> list[Step]:
    """Return the decision about each dense layer; at least one is replaced."""
    check_call(model, config, filter_fn)
    shared = make_filter(config, device="meta") if config.shared_filter else None
    timings: Timings = {}
    steps = [Step(d, _decide_one(d, config, filter_fn, shared, timings)) for d in find_dense(model)]
    if shared is not None:
        steps = _with_shared(steps, parameter_cost(shared).parameters)
    if not any(step.entry.replaced for step in steps):
        raise ValueError(f"`model` has no layer to replace: {_why_none(steps)}")
    return steps


def check_call(model: Any, config: Any, filter_fn: Any) -> None:
    """Check what every conversion is called with."""
    check_model(model)
    if not isinstance(config, Compression):
        raise TypeError(f"`config` must be a Compression, got {type(config).__name__}")
    if filter_fn is not None and not callable(filter_fn):
        raise TypeError(f"`filter_fn` must be a function of a module and its name, got {type(filter_fn).__name__}")


def check_model(model: Any) -> None:
    """Refuse what is no module, and modules that hold on to the parameters of the model below."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` must be a torch.nn.Module, got {type(model).__name__}")
    for module in model.modules():
        kind = type(module).__name__
        if isinstance(module, _WRAPPERS) or "FullyShardedDataParallel" in kind or hasattr(module, "_get_fsdp_state"):
            raise ValueError(f"`model` must not be wrapped, got a {kind}: convert the model first, then wrap it")
        compiled = "_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None
        if compiled or isinstance(module, torch.jit.ScriptModule):
            raise ValueError(f"`model` must not be compiled, got a {kind}: convert the model first, then compile it")


def _decide_one(
    dense: Dense, config: Compression, filter_fn: FilterFn | None, shared: WaveletFilter | None, timings: Timings
) -> Entry:
    reason = dense.refusal
    if reason is None and filter_fn is not None and not filter_fn(dense.module, dense.name):
        reason = "excluded by `filter_fn`"
    cost = parameter_cost(dense.module)
    adds = dense_multiply_adds(dense)
    stays = Entry(
        dense.name, type(dense.module).__name__, dense.in_features, dense.out_features, None, reason or "",
        (cost.parameters,) * 2, (cost.bytes,) * 2, (adds,) * 2,
    )  # fmt: skip
    if reason is not None:
        return stays
    try:
        layer = build(dense, config, shared, device="meta")
    except ValueError as error:
        return dataclasses.replace(stays, reason=f"the configuration does not fit: {error}")
    after = parameter_cost(layer, without=shared)
    if after.parameters >= cost.parameters:
        return dataclasses.replace(stays, reason=f"its parameters would not fall: {after.parameters:,}")
    ratio = None if config.min_speedup is None else _speedup(dense, config, timings)
    if ratio is not None and ratio < (config.min_speedup or 0):
        return dataclasses.replace(
            stays, reason=f"{ratio:.2f} times as fast, not {config.min_speedup:g}", speedup=ratio
        )
    return dataclasses.replace(
        stays, layer=type(layer).__name__, reason="starts anew", parameters=(cost.parameters, after.parameters),
        bytes=(cost.bytes, after.bytes), multiply_adds=(adds, multiply_adds(layer)), speedup=ratio,
    )  # fmt: skip


def _speedup(dense: Dense, config: Compression, timings: Timings) -> float:
    """Measure each shape once, and leave the random numbers of the user as they are."""
    weight: Any = dense.module.weight
    key = (dense.in_features, dense.out_features, dense.module.bias is not None, weight.dtype, weight.device)
    if key not in timings:
        with torch.random.fork_rng([weight.device] if weight.is_cuda else []):
            timings[key] = speedup(dense, build(dense, config))
    return timings[key]


def build(dense: Dense, config: Compression, shared: WaveletFilter | None = None, device: Any = None) -> nn.Module:
    """Return the new layer with a bias of its own where the dense one has one."""
    weight: Any = dense.module.weight
    bias = dense.module.bias is not None
    device = weight.device if device is None else device
    return make_layer(config, dense.in_features, dense.out_features, bias, device, weight.dtype, shared)


def _with_shared(steps: list[Step], bank: int) -> list[Step]:
    """Count the shared bank with the first layer; nothing is replaced if it costs what all layers save."""
    chosen = [step.entry for step in steps if step.entry.replaced]
    saved = sum(e.parameters[0] - e.parameters[1] for e in chosen)
    result, counted = [], False
    for dense, entry in steps:
        if entry.replaced and saved <= bank:
            text = "its parameters would not fall: the shared bank costs what all layers save"
            entry = dataclasses.replace(
                entry, layer=None, reason=text, parameters=(entry.parameters[0],) * 2, bytes=(entry.bytes[0],) * 2,
                multiply_adds=(entry.multiply_adds[0],) * 2,
            )  # fmt: skip
        elif entry.replaced and not counted:
            counted = True
            weight: Any = dense.module.weight
            entry = dataclasses.replace(
                entry, parameters=(entry.parameters[0], entry.parameters[1] + bank),
                bytes=(entry.bytes[0], entry.bytes[1] + bank * weight.element_size()),
            )  # fmt: skip
        result.append(Step(dense, entry))
    return result


def with_entries(steps: list[Step], changed: list[Step]) -> list[Step]:
    """Return the steps with those of the same layers changed."""
    by_name = {step.dense.name: step for step in changed}
    return [by_name.get(step.dense.name, step) for step in steps]


def _why_none(steps: list[Step]) -> str:
    if not steps:
        return "it has no nn.Linear, Conv1D or 1x1 convolution"
    shown = [f"{step.entry.name!r} is {step.entry.kind}, {step.entry.reason}" for step in steps[:3]]
    return "; ".join(shown) + (f"; and {len(steps) - 3} more" if len(steps) > 3 else "")


def report_of(steps: list[Step], model: nn.Module, config: Compression) -> Report:
    """Return the report, with the sums of the whole model before the conversion and after it."""
    entries, whole = tuple(step.entry for step in steps), parameter_cost(model)
    parameters = whole.parameters + sum(e.parameters[1] - e.parameters[0] for e in entries)
    size = whole.bytes + sum(e.bytes[1] - e.bytes[0] for e in entries)
    return Report(config, entries, (whole.parameters, parameters), (whole.bytes, size))
