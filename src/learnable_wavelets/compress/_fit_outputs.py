"""`compress_(inputs=)`: each new layer fitted to the outputs of the one that it replaces."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ._checkpoint import Checkpoint
from ._config import Compression
from ._dense import Dense, _owners, is_transposed
from ._inputs import check_gradients
from ._moments import Moments, collect
from ._plan import Step
from ._progress import progress
from ._project import STEPS, Fit, fit_layer

Fitted = tuple[list[Step], list[Tensor | None]]


def fit_layers(
    model: nn.Module,
    steps: Sequence[Step],
    layers: Sequence[Any],
    config: Compression,
    inputs: Any,
    shared: nn.Module | None,
    checkpoint: Checkpoint,
) -> Fitted:
    """Fit new layers, and return the steps with their errors, and what to add to the bias of each.

    The model is not changed, nor its mode.
    """
    _check_values(steps)
    if config.depth:
        check_gradients("inputs")
    _warn_of_single(config)
    by_name = {step.dense.name: (step, layer) for step, layer in zip(steps, layers, strict=True)}
    owners = _owners(model)
    fixed = frozenset(() if shared is None else shared.parameters())
    fits: dict[str, Fit | None] = {}
    with progress(STEPS * len(steps) if config.depth else None) as advance:
        for dense, moments in collect(model, [step.dense for step in steps], inputs):
            has_bias = dense.module.bias is not None and len(owners[id(dense.module.bias)]) == 1
            layer = by_name[dense.name][1]
            layer.bias = None
            key = _key(dense, config, moments)
            fits[dense.name] = _load(layer, checkpoint.get(key))
            if moments.count and fits[dense.name] is None:
                _check_finite(dense, moments)
                matrix = weight_matrix(dense.module).detach()
                done = fit_layer(layer, matrix, moments, has_bias, fixed, partial(advance, dense.name))
                fits[dense.name] = done
                checkpoint.put(key, {"state": layer.state_dict(), **done._asdict()})
    shifts = [None if (fit := fits[step.dense.name]) is None else fit.shift for step in steps]
    return [_described(step, fits[step.dense.name]) for step in steps], shifts


def weight_matrix(dense: Any) -> Tensor:
    """Return $W$ `(out_features, in_features)` of a dense layer of any kind."""
    weight: Tensor = dense.weight
    return weight.T if is_transposed(dense) else weight.flatten(1)


def _described(step: Step, fit: Fit | None) -> Step:
    if fit is None:
        return step._replace(entry=dataclasses.replace(step.entry, reason="starts anew: `inputs` do not reach it"))
    text = f"fitted, error {fit.error:.2f}"
    return step._replace(entry=dataclasses.replace(step.entry, reason=text, error=fit.error))


def _load(layer: nn.Module, saved: Any) -> Fit | None:
    if saved is None:
        return None
    layer.load_state_dict(saved["state"])
    return Fit(saved["shift"], saved["error"])


def _key(dense: Dense, config: Compression, moments: Moments) -> str:
    """Return a hash of all that a fit depends on; the data by their size and scale."""
    total = hashlib.sha256(json.dumps([dense.name, config.to_dict(), moments.count]).encode())
    for parameter in dense.module.parameters():
        total.update(parameter.detach().cpu().double().contiguous().numpy().tobytes())
    if moments.count:
        total.update(f"{float(moments.covariance().trace()):.3e}".encode())
    return total.hexdigest()


def _check_values(steps: Sequence[Step]) -> None:
    for step in steps:
        weight: Any = step.dense.module.weight
        if weight.is_meta:
            raise ValueError(f"`inputs` need a model with values, got {step.dense.name!r} on the meta device")
        if weight.is_inference() and not torch.is_inference_mode_enabled():  # its bias cannot be changed
            raise ValueError(f"`inputs` need a model made outside of torch.inference_mode, got {step.dense.name!r}")


def _check_finite(dense: Dense, moments: Moments) -> None:
    if not bool(moments.covariance().isfinite().all()):
        raise ValueError(f"`inputs` must give finite activations, got others before {dense.name!r}")
    if not bool(torch.stack([p.detach().isfinite().all() for p in dense.module.parameters()]).all()):
        raise ValueError(f"`model` must have finite weights to fit to, got others in {dense.name!r}")


def _warn_of_single(config: Compression) -> None:
    if (config.depth, config.rank) == (1, 0):
        warnings.warn(
            "a single sandwich is a poor copy of a trained matrix: the report has its error; fit a product, as "
            "`depth=4`, or a residual, `rank=8`",
            UserWarning,
            stacklevel=4,
        )
