"""The options of the command, checked before anything is measured, and the parts of a benchmark."""

# ruff: noqa: RUF009  (`option` declares a field)
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

import learnable_wavelets as lw

from .._command_line import at_least, first_line, one_of, option, parse_counts, parse_device, parse_names, parse_options
from .._output import Table
from . import _device, _layers
from ._layers import Record
from ._measure import Clock

_LAYERS = "With commas: fastfood, and names of discrete pywt wavelets for WaveletLinear (6 levels, periodization)."
_DTYPE = (
    f"With commas, of {', '.join(_device.PRECISIONS)}, or all; tf32 is for cuda. "
    "If not given: float32; on cuda float32,tf32,bfloat16."
)


def _parse_layers(name: str, text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_layers.check_layer(part.strip()) for part in text.split(",")))


def _parse_backend(name: str, text: str) -> str:
    return one_of(*lw.kernels.available_backends())(name, text)


@dataclass(frozen=True)
class Plan:
    """The parsed options of one command."""

    layers: tuple[str, ...] = option(("fastfood", "haar", "db6"), _LAYERS, parse=_parse_layers)
    sizes: tuple[int, ...] = option(
        (256, 1024, 4096),
        "Widths n of the square layers.",
        parse=lambda name, text: tuple(sorted(parse_counts(name, text, least=2))),
    )
    batch: tuple[int, ...] = option(
        (1, 64, 1024), "Numbers of rows.", parse=lambda name, text: tuple(sorted(parse_counts(name, text)))
    )
    passes: tuple[str, ...] = option(
        _layers.PASSES,
        "Of forward, training.",
        parse=lambda name, text: parse_names(name, [text], _layers.PASSES),
    )
    dtype: tuple[str, ...] = option((), _DTYPE)
    threads: int | None = option(None, "CPU threads, torch's own number if not given.", type=at_least(int, 1))
    seconds: float = option(0.3, "For each measurement; at least five rounds.", type=at_least(float, 0))
    device: torch.device = option(torch.device("cpu"), "Where to measure: cpu, cuda, ...")
    backend: str | None = option(None, "Force one of the library's backends.", parse=_parse_backend)
    out: Path = option(Path("results/bench"), "Folder for results.md, results.json and plots.", type=Path)

    def on_backend(self) -> AbstractContextManager[None]:
        """Force the backend, if one is given."""
        return nullcontext() if self.backend is None else lw.kernels.use_backend(self.backend)


class Part(NamedTuple):
    """A kind of measurement; `name` is its key in results.json."""

    name: str
    cases: Callable[[Plan], Sequence[Any]]
    label: Callable[[Any], str]
    run: Callable[[Any, Plan, Clock], list[Record]]
    tables: Callable[[list[Record]], list[Table]]
    draw: Callable[[Path, list[Record]], list[Path]] = lambda folder, rows: []
    help: str = ""
    versions: Callable[[], dict[str, str | None]] = dict
    extra: Callable[[list[Record]], dict[str, Any]] = lambda rows: {}
    """Further entries of results.json, derived from the records."""


def parse_plan(given: Mapping[str, Any]) -> Plan:
    """Parse the options, and try every layer once.

    Raises:
        ValueError: an option is wrong or cannot work here.
    """
    values = parse_options(Plan, given)
    device = values["device"] = parse_device(given.get("device", "cpu"))
    known = _device.precisions_on(device)
    values["dtype"] = (
        parse_names("dtype", [given["dtype"]], known) if "dtype" in given else _device.default_precisions(device)
    )
    plan = Plan(**values)
    _try(plan)
    return plan


def _try(plan: Plan) -> None:
    """Take one small step with every layer, so that failures come now and not after minutes."""
    for name in plan.dtype:
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
        raise ValueError(f"{what}: {first_line(error)}") from error
