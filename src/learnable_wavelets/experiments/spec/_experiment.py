"""An experiment: data, a network by the name of its layer, a recipe by protocol; its cases and their runs."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from ..._checks import check_choice
from ..._command_line import parse_names, parse_options
from ._options import ALTERNATIVES, COMMON, SANDWICHES, WAVELET_LAYERS, WAVELET_OPTIONS, Options, PaperWavelet
from ._task import Recipe, Task

REPEATED = ("fastfood", "wavelet", "circulant")
STACKED = (*REPEATED, "low-rank", "narrow", "stack")
"""The layers with a number of blocks, or a budget of so many; those in `REPEATED` are products or sums of layers."""
DENSE = ("dense", "narrow")
"""The layers of `nn.Linear`: a network with `narrow` has fewer hidden units."""

OWNERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(WAVELET_OPTIONS, WAVELET_LAYERS),
    "regularizer": ("wavelet", "stack", "wavelet-paper"),
    "lr_multiplier": (*SANDWICHES, *ALTERNATIVES),
    "own_filters": ("wavelet", "frozen", "fixed"),
    "published_slicing": ("wavelet-paper",),
    "blocks": STACKED,
    "groups": ("monarch",),
    "rank": ("low-rank", "toeplitz-like", "btt", "stack"),
    "units": ("narrow",),
}
"""The layers for which an option is; without one of them it is an error."""


@dataclass(frozen=True)
class Run:
    """The identity of a run within a results folder."""

    experiment: str
    protocol: str
    layer: str
    settings: str
    data: str
    epochs: int
    interval: int
    seed: int

    @property
    def name(self) -> str:
        """Return the stem of the run's files."""
        length = f"e{self.epochs}x{self.interval}"
        parts = (self.experiment, self.protocol, self.layer, self.settings, self.data, length, f"s{self.seed}")
        return "-".join(part.replace(", ", "-").replace(" ", "-") for part in parts if part)


@dataclass(frozen=True)
class Experiment:
    """One row of the paper's experiments; the functions get the options of a single case."""

    name: str
    help: str
    layers: tuple[str, ...]
    load: Callable[[Options, torch.device], Task]
    build: Callable[[str, Options, Task], nn.Module]
    recipe: Callable[[str, Options, Task], Recipe]
    settings: Callable[[str, Options], tuple[str, ...]]
    """Distinguishes a case from others with the same layer; raises ValueError for options that no layer can have."""
    paper: PaperWavelet
    default_layers: tuple[str, ...] = ("wavelet",)
    options: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Defaults of options that differ from the usual ones, as on the command line."""
    lr_multiplier: float = 1.0
    """The default of `--lr-multiplier` for the layers of the library; that of the others is 1."""
    protocols: tuple[str, ...] = ("paper", "ours")
    """The choices of `--protocol`; with a single one there is no such option."""
    taps: int | None = None
    """Under `ours`: the length of the filters of the layer `wavelet`, unless the command chooses their start."""
    quick: str = ""
    full: str = ""
    grid: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 5e-3, 1e-2, 2e-2)
    """The learning rates of `--tune`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return all options of the command."""
        left_out = {"protocol"} if len(self.protocols) == 1 else set()
        return tuple(name for name in (*COMMON, *self.options) if name not in left_out)


@dataclass(frozen=True)
class Case:
    """An experiment with one layer and one value of everything that may have several."""

    experiment: Experiment
    layer: str
    options: Options
    task: Task

    def network(self, seed: int) -> nn.Module:
        """Build the network, which the seed alone decides."""
        torch.manual_seed(seed)
        return self.experiment.build(self.layer, self.options, self.task).to(self.options.device)

    def recipe(self) -> Recipe:
        recipe = self.experiment.recipe(self.layer, self.options, self.task)
        recipe = replace(recipe, regularizer=self.options.regularizer)
        rate = self.options.learning_rate
        return recipe if rate is None else replace(recipe, learning_rate=rate)

    def settings(self) -> str:
        """Describe how the case differs from others of its layer."""
        rate = () if self.options.learning_rate is None else (f"rate {self.options.learning_rate:g}",)
        held_out = () if self.options.validation is None else (f"{self.options.validation} held out",)
        return ", ".join((*self.experiment.settings(self.layer, self.options), *held_out, *rate))

    def run(self, seed: int) -> Run:
        recipe = self.recipe()
        name, protocol, data = self.experiment.name, self.options.protocol, self.task.data
        return Run(name, protocol, self.layer, self.settings(), data, recipe.epochs, recipe.interval, seed)

    def at_rate(self, rate: float) -> "Case":
        return replace(self, options=replace(self.options, learning_rate=rate))


def cases(experiment: Experiment, options: Options, task: Task) -> list[Case]:
    """List every layer at every depth and, where it can be stacked or has a budget to match, number of blocks."""
    return [
        _case(experiment, layer, replace(options, depth=(depth,), blocks=(blocks,)), task)
        for depth in options.depth
        for layer in options.layer
        for blocks in (options.blocks if layer in STACKED else (1,))
    ]


def _case(experiment: Experiment, layer: str, options: Options, task: Task) -> Case:
    if options.lr_multiplier is None:
        options = replace(options, lr_multiplier=experiment.lr_multiplier if layer in SANDWICHES else 1.0)
    if layer not in OWNERS["regularizer"]:
        options = replace(options, regularizer=1.0)
    if layer == "narrow" and options.units is None:
        options = replace(options, units=_fewest_units(experiment, options, task))
    return Case(experiment, layer, options, task)


def _fewest_units(experiment: Experiment, options: Options, task: Task) -> int:
    """Find the fewest units with which the dense network has the parameters of that with the layer `wavelet`."""

    def size(layer: str, units: int | None = None) -> int:
        return count(experiment.build(layer, replace(options, units=units), task))

    budget, most = size("wavelet"), 1
    while size("narrow", most) < budget:
        most *= 2
    return 1 + bisect_left(range(1, most), budget, key=lambda units: size("narrow", units))


def hidden_units(layer: str, options: Options, own: int) -> int:
    """Return `own`, the units of the experiment, or those of a narrow network."""
    if layer != "narrow":
        return own
    assert options.units is not None  # `cases` has found them
    return options.units


def count(module: nn.Module) -> int:
    """Count the trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def parse(experiment: Experiment, given: Mapping[str, Any]) -> Options:
    """Parse and check the options of a command line.

    Raises:
        ValueError: a value that is not allowed, or an option for a layer that does not run.
    """
    given = {**experiment.defaults, **given}
    layers = parse_names("layer", list(given.get("layer") or experiment.default_layers), experiment.layers)
    protocol = check_choice("protocol", given.get("protocol", experiment.protocols[0]), experiment.protocols)
    values = parse_options(Options, given) | {"layer": layers, "protocol": protocol, "paper": experiment.paper}
    options = Options(**values)
    chosen = {name for name in given if given[name] is not False}
    for name in sorted(chosen & OWNERS.keys()):
        owners = [layer for layer in OWNERS[name] if layer in experiment.layers]
        if not set(owners) & set(layers):
            which = f"the layer{'s' * (len(owners) > 1)} {', '.join(owners)}"
            raise ValueError(f"--{name.replace('_', '-')} is for {which}, got --layer {','.join(layers)}")
    if "regularizer" in chosen and options.constraint != "soft":
        raise ValueError(f"--regularizer is for --constraint soft: {options.constraint} filters have no loss")
    if options.resume and options.overwrite:
        raise ValueError("--resume goes on with a run, --overwrite starts it again: give one of them")
    own_start = chosen.isdisjoint(("wavelet", "taps", "level")) and options.constraint != "biorthogonal"
    return replace(options, taps=experiment.taps) if protocol == "ours" and own_start else options
