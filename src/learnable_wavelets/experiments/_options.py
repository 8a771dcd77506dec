"""The options of `learnable-wavelets reproduce NAME`: each written once, each experiment takes those that it names."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from ._data import CHOICES, FOLDER_VARIABLE
from ._layers import COMBINATIONS, CONSTRAINTS

PRESETS = ("quick", "paper")
PROTOCOLS = ("paper", "ours")
GATES = ("reset", "update", "state")


@dataclass(frozen=True)
class Choices:
    """The options as given; what an experiment does not take keeps its default."""

    layer: tuple[str, ...] = ()
    wavelet: str | None = None
    taps: int | None = None
    mode: str | None = None
    level: int | None = None
    constraint: str | None = None
    published_slicing: bool = False
    blocks: tuple[int, ...] = (1,)
    combine: str = "product"
    depth: tuple[int, ...] = (1,)
    gates: tuple[str, ...] = GATES
    seeds: tuple[int, ...] = (0,)
    preset: str = "quick"
    protocol: str = "paper"
    epochs: int | None = None
    learning_rate: float | None = None
    validation: int | None = None
    data: str = "auto"
    text: Path | None = None
    tune: bool = False
    out: Path = field(default_factory=Path)
    resume: bool = False
    checkpoint_seconds: float = 30.0
    device: str = "cpu"
    threads: int | None = None


def _option(kind: Any, default: Any, help: str, **keywords: Any) -> tuple[Any, Any]:
    return Annotated[kind, typer.Option(help=help, **keywords)], default


def _names(*choices: str) -> str:
    return ", ".join(choices)


OPTIONS: dict[str, tuple[Any, Any]] = {
    "layer": _option(list[str] | None, None, "Of {layers}, or all; repeated or with commas; {default} if not given."),
    "wavelet": _option(str | None, None, "For the layer wavelet: its start, a pywt name."),
    "taps": _option(int | None, None, "For the layer wavelet: pad its start to so many taps.{taps}", min=2),
    "mode": _option(str | None, None, "For the layer wavelet: its padding, a pywt mode."),
    "level": _option(int | None, None, "For the layer wavelet: its depth."),
    "constraint": _option(str | None, None, f"For the layer wavelet: {_names(*CONSTRAINTS)}."),
    "published_slicing": _option(bool, False, "For the layer wavelet-paper: repeat the published slicing fault."),
    "blocks": _option(str, "1", "Sandwiches in the place of one, with commas: for the curve error over parameters."),
    "combine": _option(str, "product", f"How several blocks make one layer: {_names(*COMBINATIONS)}."),
    "depth": _option(str, "1", "Hidden layers, with commas."),
    "gates": _option(str, "all", f"Which matrices are replaced: of {_names(*GATES)}, with commas, or all."),
    "seeds": _option(str, "1", "A count (3) or a list (0,1,2; `7,` for one)."),
    "preset": _option(str, "quick", "quick: {quick}; paper: {paper}."),
    "protocol": _option(str, "paper", "paper: the published recipe; ours: another."),
    "epochs": _option(int | None, None, "Instead of the preset's epochs.", min=1),
    "learning_rate": _option(float | None, None, "Instead of the recipe's.", min=0.0),
    "validation": _option(int | None, None, "Training images held out to choose the epoch.", min=0),
    "data": _option(
        str,
        "auto",
        f"{_names(*CHOICES)}. auto: the full set from ${FOLDER_VARIABLE} or the cache, else the sample in the package.",
    ),
    "text": _option(Path | None, None, "A folder of your own, with ptb.train.txt (or train.txt), valid and test."),
    "tune": _option(bool, False, "Try the grid of learning rates first, choose on the validation split, keep it."),
    "out": _option(Path, None, "Folder for results; commands may share it."),
    "resume": _option(bool, False, "Go on from checkpoints; finished runs are not repeated."),
    "checkpoint_seconds": _option(float, 30.0, "Time between checkpoints.", min=0.0),
    "device": _option(str, "cpu", "Where to train: cpu, cuda, ..."),
    "threads": _option(int | None, None, "CPU threads, torch's own number if not given.", min=1),
}
COMMON = (
    "layer", "wavelet", "taps", "mode", "level", "constraint", "published_slicing", "seeds", "preset", "protocol",
    "epochs", "learning_rate", "out", "resume", "checkpoint_seconds", "device", "threads",
)  # fmt: skip


def make_command(
    function: Callable[..., None], names: tuple[str, ...], words: dict[str, str], help: str, defaults: dict[str, Any]
) -> Callable[..., None]:
    """A command with the options `names` that calls `function` with all of them by keyword."""

    def command(**values: Any) -> None:
        function(**values)

    parameters = []
    for name in (key for key in OPTIONS if key in names):
        annotation, default = OPTIONS[name]
        kind, option = annotation.__origin__, annotation.__metadata__[0]
        info = typer.Option(help=option.help.format(**words), min=option.min)
        default = defaults.get(name, default)
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(name, keyword, default=default, annotation=Annotated[kind, info]))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = help
    return command
