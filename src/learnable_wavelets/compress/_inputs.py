"""The inputs of a model: read them, one batch or an iterable of batches, and run the model on them as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]


def batches(inputs: Any, name: str = "inputs") -> Iterator[Arguments]:
    """Yield the positional and the named arguments of each call.

    Raises:
        TypeError: neither a tensor, a tuple or a mapping of arguments, nor an iterable of those.
    """
    if isinstance(inputs, (Tensor, tuple, Mapping)):
        yield _arguments(inputs, name)
        return
    for batch in check_batches(inputs, name):
        yield _arguments(batch, name)


def check_batches(inputs: Any, name: str) -> Iterable[Any]:
    """Return an iterable."""
    if isinstance(inputs, (str, bytes)) or not isinstance(inputs, Iterable):
        raise TypeError(f"`{name}` must be a tensor, a tuple, a mapping, or an iterable of these, got {_kind(inputs)}")
    return inputs


def count_batches(inputs: Any) -> int | None:
    """Return the length of an iterable of batches, or `None`; a loader of a stream has a `__len__` that raises."""
    if not isinstance(inputs, Sized) or isinstance(inputs, (Tensor, tuple, Mapping)):
        return None
    try:
        return len(inputs)
    except (TypeError, NotImplementedError):
        return None


def _arguments(batch: Any, name: str) -> Arguments:
    if isinstance(batch, Tensor):
        return (batch,), {}
    if isinstance(batch, Mapping):
        return (), batch
    if isinstance(batch, (tuple, list)):  # a list is what a DataLoader makes of tuples
        return tuple(batch), {}
    raise TypeError(f"`{name}` must have tensors, tuples or mappings as batches, got {_kind(batch)}")


def _kind(value: Any) -> str:
    return type(value).__name__


@contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """Hold models in evaluation mode without gradients; each module then gets its own mode back."""
    modes = [(module, module.training) for model in models for module in model.modules()]
    try:
        for module, _ in modes:
            module.training = False
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def check_gradients(name: str) -> None:
    """Refuse to train where torch gives no gradients whatever one asks for."""
    if torch.is_inference_mode_enabled():
        raise ValueError(f"`{name}` must be used outside of torch.inference_mode, got it on: use torch.no_grad")


def copied(values: Any) -> Any:
    """Return nested values with copies of their tensors, in the graph of these: modules may go on in place."""
    return tree_map(lambda value: value.clone() if isinstance(value, Tensor) else value, values)


def call(model: nn.Module, arguments: Arguments, name: str = "inputs") -> Any:
    """Return the outputs of a model for a copy of the arguments: they are read again.

    Raises:
        ValueError: the model raises an error of its own.
    """
    args, keywords = arguments
    args, keywords = copied(args), copied(dict(keywords))
    try:
        return model(*args, **keywords)
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        raise ValueError(f"`{name}` must run through the model, got {_kind(error)}: {lines[0][:200]}") from error
