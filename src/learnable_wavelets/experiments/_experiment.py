"""What an experiment is: data, a network by the name of its layer, a recipe by protocol; and its command."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from .._checks import check_mode
from .._command_line import parse_choice, parse_counts, parse_names, parse_seeds
from ._layers import COMBINATIONS, CONSTRAINTS, STACKED, LayerOptions, PaperWavelet, describe, make_filter
from ._options import COMMON, GATES, PRESETS, PROTOCOLS, Choices
from ._recipe import Recipe
from ._run import Run
from ._task import Task

WAVELET_OPTIONS = ("wavelet", "taps", "mode", "level", "constraint")


@dataclass(frozen=True)
class Experiment:
    """One row of the paper's experiments; the functions get the choices of a single case."""

    name: str
    help: str
    layers: tuple[str, ...]
    load: Callable[[Choices, torch.device], Task]
    build: Callable[[str, Choices, LayerOptions, Task], nn.Module]
    recipe: Callable[[str, Choices, Task], Recipe]
    paper: PaperWavelet
    default_layers: tuple[str, ...] = ("wavelet",)
    options: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Defaults of options that differ from the usual ones."""
    protocols: tuple[str, ...] = PROTOCOLS
    """What `--protocol` chooses from; where there is one, there is no such option."""
    taps: int | None = None
    """Under `ours`: how far the filters of the layer `wavelet` are padded, unless the command chooses their start."""
    quick: str = ""
    full: str = ""
    words: Callable[[str, Choices], tuple[str, ...]] = lambda layer, choices: ()
    """What tells a case from others with the same layer, beside the layer's own description."""
    grid: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 5e-3, 1e-2, 2e-2)
    """The learning rates that `--tune` tries."""

    @property
    def names(self) -> tuple[str, ...]:
        """All options of the command."""
        left_out = {"protocol"} if len(self.protocols) == 1 else set()
        return tuple(name for name in (*COMMON, *self.options) if name not in left_out)

    def layer_options(self, choices: Choices) -> LayerOptions:
        """The choices that concern the layer."""
        return LayerOptions(
            wavelet=choices.wavelet,
            taps=self._taps(choices),
            mode=choices.mode or "periodization",
            level=choices.level,
            constraint=choices.constraint or "soft",
            blocks=choices.blocks[0],
            combine=choices.combine,
            paper=self.paper,
            published_slicing=choices.published_slicing,
        )

    def _taps(self, choices: Choices) -> int | None:
        own = choices.protocol == "ours" and choices.constraint != "biorthogonal"
        start = (choices.wavelet, choices.taps, choices.level)
        return self.taps if own and start == (None, None, None) else choices.taps


@dataclass(frozen=True)
class Case:
    """An experiment with one layer and one value of everything that may have several."""

    experiment: Experiment
    layer: str
    choices: Choices
    task: Task

    def network(self, seed: int) -> nn.Module:
        """The network, which the seed alone decides."""
        torch.manual_seed(seed)
        options = self.experiment.layer_options(self.choices)
        network = self.experiment.build(self.layer, self.choices, options, self.task)
        return network.to(self.choices.device)

    def recipe(self) -> Recipe:
        recipe = self.experiment.recipe(self.layer, self.choices, self.task)
        rate = self.choices.learning_rate
        return recipe if rate is None else replace(recipe, learning_rate=rate)

    def settings(self, network: nn.Module) -> str:
        """What tells the case from others of its layer, in words."""
        options = self.experiment.layer_options(self.choices)
        layers = list(getattr(network, "layers", ()))
        own = describe(self.layer, layers[0], options) if layers else ()
        rate = () if self.choices.learning_rate is None else (f"rate {self.choices.learning_rate:g}",)
        held = () if self.choices.validation is None else (f"{self.choices.validation} held out",)
        return ", ".join((*own, *self.experiment.words(self.layer, self.choices), *held, *rate))

    def run(self, seed: int, network: nn.Module) -> Run:
        recipe = self.recipe()
        name, protocol, data = self.experiment.name, self.choices.protocol, self.task.data
        settings = self.settings(network)
        return Run(name, protocol, self.layer, settings, data, recipe.epochs, recipe.interval, seed)


def cases(experiment: Experiment, choices: Choices, task: Task) -> list[Case]:
    """Every layer at every depth and, where it can be stacked or has a budget to match, at every number of blocks."""
    stacked = (*STACKED, "low-rank")
    return [
        Case(experiment, layer, replace(choices, depth=(depth,), blocks=(blocks,)), task)
        for depth in choices.depth
        for layer in choices.layer
        for blocks in (choices.blocks if layer in stacked else (1,))
    ]


def parse(experiment: Experiment, values: Mapping[str, Any]) -> Choices:
    """The words of a command line as checked choices.

    Raises:
        ValueError: a word that is none of the choices, or an option for a layer that does not run.
    """
    given = dict(values)
    given["layer"] = parse_names("layer", list(given.get("layer") or experiment.default_layers), experiment.layers)
    given["seeds"] = parse_seeds(given.get("seeds", "1"))
    if len(experiment.protocols) == 1:
        given["protocol"] = experiment.protocols[0]
    for name, choices in (("preset", PRESETS), ("protocol", experiment.protocols), ("combine", tuple(COMBINATIONS))):
        if name in given:
            parse_choice(name, given[name], choices)
    for name in ("depth", "blocks"):
        if name in given:
            given[name] = parse_counts(name, given[name])
    if "gates" in given:
        chosen = parse_names("gates", [given["gates"]], GATES)
        given["gates"] = tuple(gate for gate in GATES if gate in chosen)
    made = Choices(**given)
    _check_layer_options(experiment, made)
    return made


def _check_layer_options(experiment: Experiment, choices: Choices) -> None:
    """A wrong choice is to fail now, not after the first layer's hour."""
    for names, layer in ((WAVELET_OPTIONS, "wavelet"), (("published_slicing",), "wavelet-paper")):
        for name in names:
            value = getattr(choices, name)
            if value is not None and value is not False and layer not in choices.layer:
                option = name.replace("_", "-")
                raise ValueError(f"--{option} is for the layer {layer}, got --layer {','.join(choices.layer)}")
    if choices.blocks != (1,) and not {*STACKED, "low-rank"} & set(choices.layer):
        raise ValueError(f"--blocks is for the layers {', '.join(STACKED)}, got --layer {','.join(choices.layer)}")
    if choices.learning_rate is not None and not math.isfinite(choices.learning_rate):
        raise ValueError(f"`learning-rate` must be finite, got {choices.learning_rate}")
    parse_choice("constraint", choices.constraint or "soft", CONSTRAINTS)
    if choices.mode is not None:
        check_mode(choices.mode)
    make_filter(experiment.layer_options(choices))
