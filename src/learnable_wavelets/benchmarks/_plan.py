"""The options of the command, checked before anything is measured."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import torch

import learnable_wavelets as lw

from .._command_line import parse_choice, parse_device, parse_names
from . import _device, _layers, _scaling, _transforms


class Plan(NamedTuple):
    """The checked options of one command."""

    layers: tuple[str, ...]
    sizes: tuple[int, ...]
    batches: tuple[int, ...]
    steps: tuple[str, ...]
    precisions: tuple[str, ...]
    seconds: float
    device: torch.device
    backend: str | None
    parts: tuple[str, ...]
    out: Path

    def on_backend(self) -> AbstractContextManager[None]:
        """The forced backend, if one is."""
        return nullcontext() if self.backend is None else lw.kernels.use_backend(self.backend)

    def grid(self) -> list[_layers.Case]:
        return list(_layers.grid(self.steps, self.precisions, self.sizes, self.batches))

    def measurements(self) -> int:
        """The number of measurements, for the progress bar."""
        transforms = len(_transforms.cases()) * ("transforms" in self.parts)
        memory = len(self.precisions) * len(self.sizes) * ("memory" in self.parts)
        return len(self.grid()) + transforms + memory + len(self.scaling())

    def scaling(self) -> list[_layers.Case]:
        return _scaling.cases(self.steps, self.precisions[0]) if "scaling" in self.parts else []


def parse_plan(
    layers: str, sizes: str, batch: str, passes: str, dtype: str | None, seconds: float, device: str,
    backend: str | None, parts: tuple[str, ...], out: Path,
) -> Plan:  # fmt: skip
    """Words into values.

    Raises:
        ValueError: for every fault, in one line.
    """
    where = parse_device(device)
    precisions = (
        parse_names("dtype", [dtype], _device.precisions_on(where)) if dtype else _device.default_precisions(where)
    )
    if backend is not None:
        parse_choice("backend", backend, lw.kernels.available_backends())
    plan = Plan(
        layers=parse_layers(layers),
        sizes=parse_sizes("sizes", sizes, least=2),
        batches=parse_sizes("batch", batch, least=1),
        steps=parse_names("passes", [passes], _layers.PASSES),
        precisions=precisions,
        seconds=seconds,
        device=where,
        backend=backend,
        parts=parts,
        out=out,
    )
    _try(plan)
    return plan


def parse_layers(text: str) -> tuple[str, ...]:
    """Names of layers, each once."""
    return tuple(dict.fromkeys(_layers.check_layer(word.strip()) for word in text.split(",")))


def parse_sizes(name: str, text: str, least: int) -> tuple[int, ...]:
    """Whole numbers from a list with commas, in rising order, each once."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) >= least for word in words):
        raise ValueError(f"`{name}` must be whole numbers of at least {least}, such as 256,1024, got {text!r}")
    return tuple(sorted({int(word) for word in words}))


def _try(plan: Plan) -> None:
    """One small step of everything, so that what cannot work fails now and not after minutes."""
    for name in plan.precisions:
        dtype = _device.PRECISIONS[name].dtype
        x = torch.randn(2, plan.sizes[0], device=plan.device, dtype=dtype)
        for layer in plan.layers:
            with _as_value_error(f"{layer} does not run in {name} on {plan.device}"), plan.on_backend():
                _layers.training_step(_layers.make_layer(layer, plan.sizes[0], plan.device, dtype), x)()


@contextmanager
def _as_value_error(what: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise ValueError(f"{what}: {str(error).splitlines()[0]}") from error
