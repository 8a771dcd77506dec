"""`learnable-wavelets reproduce adding`: add two marked numbers of 150."""

import torch
from torch import nn

from ._experiment import Experiment
from ._layers import LayerOptions, PaperWavelet
from ._networks import Recurrent
from ._options import Choices
from ._recipe import Recipe
from ._recurrent import LAYERS, factory, memory, synthetic_recipe, words
from ._synthetic import Adding
from ._task import Task

LENGTH, HIDDEN, BATCH = 150, 512, 50
EPOCHS = {"paper": 20, "ours": 10}
QUICK_LENGTH, QUICK_STEPS = 10, 800
HELD_OUT = {"quick": 1_000, "paper": 10_000}


def load(choices: Choices, device: torch.device) -> Task:
    """Published: 600,000 sequences of length 150, each seen once."""
    length = QUICK_LENGTH if choices.preset == "quick" else LENGTH
    return Adding(length, BATCH, HELD_OUT[choices.preset], device)


def build(layer: str, choices: Choices, options: LayerOptions, task: Task) -> nn.Module:
    """Two inputs, one output at the last step."""
    return Recurrent((2, HIDDEN, 1), factory(layer, options), choices.gates, last=True, memory=memory(choices, task))


def recipe(layer: str, choices: Choices, task: Task) -> Recipe:
    """Published: RMSprop at a constant rate, no clipping; 20 epochs."""
    epochs, interval = (4, QUICK_STEPS // 4) if choices.preset == "quick" else (EPOCHS[choices.protocol], task.interval)
    return synthetic_recipe(choices.protocol, choices.epochs or epochs, interval, BATCH)


EXPERIMENT = Experiment(
    name="adding",
    help="Train a GRU to add two marked numbers; report mean squared error and accuracy.",
    layers=LAYERS,
    load=load,
    build=build,
    recipe=recipe,
    paper=PaperWavelet("haar", 6, 8),
    options=("gates",),
    quick=f"length {QUICK_LENGTH}, {QUICK_STEPS} steps",
    full=f"length {LENGTH}, 12000 steps (ours: 6000)",
    words=words,
)
