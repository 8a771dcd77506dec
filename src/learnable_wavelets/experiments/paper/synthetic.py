"""`learnable-wavelets reproduce adding` and `memory`: add two marked numbers of 150; repeat ten symbols after 150."""

from functools import partial

import torch
from torch import nn

from ..models import Recurrent
from ..spec import Experiment, Options, PaperWavelet, Recipe, Task, hidden_units, length
from ..tasks import PUBLISHED_LENGTH, SYMBOLS, Adding, Memory, Sequences
from ._recurrent import LAYERS, factory, memory, settings

HIDDEN, BATCH, QUICK_LENGTH = 512, 50, 10
HELD_OUT = {"quick": 1_000, "paper": 10_000}
EPOCHS = {"adding": {"paper": 20, "ours": 10}, "memory": {"paper": 20, "ours": 20}}
QUICK_STEPS = {"adding": 800, "memory": 400}


def _load(kind: type[Sequences], options: Options, device: torch.device) -> Task:
    """Make the task; published: 600,000 sequences of length 150, each seen once."""
    steps = QUICK_LENGTH if options.preset == "quick" else PUBLISHED_LENGTH
    return kind(steps, BATCH, HELD_OUT[options.preset], device)


def _build_adding(layer: str, options: Options, task: Task) -> nn.Module:
    """Two inputs, one output at the last step."""
    sizes = (2, hidden_units(layer, options, HIDDEN), 1)
    return Recurrent(sizes, factory(layer, options), options.gates, last=True, memory=memory(options, task))


def _build_memory(layer: str, options: Options, task: Task) -> nn.Module:
    """One-hot symbols in, scores of the symbols out at every step."""
    sizes = (SYMBOLS + 2, hidden_units(layer, options, HIDDEN), SYMBOLS + 2)
    return Recurrent(sizes, factory(layer, options), options.gates, memory=memory(options, task))


def _recipe(name: str, options: Options, task: Task) -> Recipe:
    """Choose the recipe; published: RMSprop at a constant rate, no clipping; 20 epochs."""
    epochs, interval = length(options, task, EPOCHS[name][options.protocol], QUICK_STEPS[name], 4)
    if options.protocol == "paper":
        return Recipe(epochs, interval, BATCH, "rmsprop", 1e-3)
    return Recipe(epochs, interval, BATCH, "adam", 1e-2, "one-cycle", clip=1.0)


ADDING = Experiment(
    name="adding",
    help="Train a GRU to add two marked numbers; report mean squared error and accuracy.",
    layers=LAYERS,
    load=lambda options, device: _load(Adding, options, device),
    build=_build_adding,
    recipe=lambda _, options, task: _recipe("adding", options, task),
    settings=partial(settings, HIDDEN),
    paper=PaperWavelet("haar", 6, 8),
    options=("gates",),
    quick=f"length {QUICK_LENGTH}, {QUICK_STEPS['adding']} steps",
    full=f"length {PUBLISHED_LENGTH}, 12000 steps (ours: 6000)",
)
MEMORY = Experiment(
    name="memory",
    help="Train a GRU to repeat ten symbols after a gap; report cross-entropy and the accuracy of the ten.",
    layers=LAYERS,
    load=lambda options, device: _load(Memory, options, device),
    build=_build_memory,
    recipe=lambda _, options, task: _recipe("memory", options, task),
    settings=partial(settings, HIDDEN),
    paper=PaperWavelet("haar", 6, 8),
    taps=14,
    options=("gates",),
    quick=f"gap {QUICK_LENGTH}, {QUICK_STEPS['memory']} steps",
    full=f"gap {PUBLISHED_LENGTH}, 12000 steps",
)
