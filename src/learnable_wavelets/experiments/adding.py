"""`learnable-wavelets reproduce adding`: add two marked numbers of 150."""

import torch
from torch import nn

from ._experiment import Experiment
from ._layers import LayerOptions, PaperWavelet
from ._networks import Recurrent
from ._options import Choices
from ._recipe import Recipe
from ._recurrent import LAYERS, QUICK_LENGTH, factory, load_sequences, memory, synthetic_recipe, words
from ._synthetic import PUBLISHED_LENGTH, Adding
from ._task import Task

HIDDEN = 512
EPOCHS = {"paper": 20, "ours": 10}
QUICK_STEPS = 800


def load(choices: Choices, device: torch.device) -> Task:
    """Published: 600,000 sequences of length 150, each seen once."""
    return load_sequences(Adding, choices, device)


def build(layer: str, choices: Choices, options: LayerOptions, task: Task) -> nn.Module:
    """Two inputs, one output at the last step."""
    return Recurrent((2, HIDDEN, 1), factory(layer, options), choices.gates, last=True, memory=memory(choices, task))


def recipe(layer: str, choices: Choices, task: Task) -> Recipe:
    """Published: RMSprop at a constant rate, no clipping; 20 epochs."""
    return synthetic_recipe(choices, task, EPOCHS[choices.protocol], QUICK_STEPS)


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
    full=f"length {PUBLISHED_LENGTH}, 12000 steps (ours: 6000)",
    words=words,
)
