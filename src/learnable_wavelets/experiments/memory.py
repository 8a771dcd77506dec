"""`learnable-wavelets reproduce memory`: repeat ten symbols after 150 steps."""

import torch
from torch import nn

from ._experiment import Experiment
from ._layers import LayerOptions, PaperWavelet
from ._networks import Recurrent
from ._options import Choices
from ._recipe import Recipe
from ._recurrent import LAYERS, QUICK_LENGTH, factory, load_sequences, memory, synthetic_recipe, words
from ._synthetic import PUBLISHED_LENGTH, SYMBOLS, Memory
from ._task import Task

HIDDEN = 512
EPOCHS = {"paper": 20, "ours": 20}
QUICK_STEPS = 400


def load(choices: Choices, device: torch.device) -> Task:
    """Published: 600,000 sequences of 150 + 20 steps, each seen once."""
    return load_sequences(Memory, choices, device)


def build(layer: str, choices: Choices, options: LayerOptions, task: Task) -> nn.Module:
    """One-hot symbols in, scores of the symbols out at every step."""
    sizes = (SYMBOLS + 2, HIDDEN, SYMBOLS + 2)
    return Recurrent(sizes, factory(layer, options), choices.gates, memory=memory(choices, task))


def recipe(layer: str, choices: Choices, task: Task) -> Recipe:
    """Published: RMSprop at a constant rate, no clipping; 20 epochs."""
    return synthetic_recipe(choices, task, EPOCHS[choices.protocol], QUICK_STEPS)


EXPERIMENT = Experiment(
    name="memory",
    help="Train a GRU to repeat ten symbols after a gap; report cross-entropy and the accuracy of the ten.",
    layers=LAYERS,
    load=load,
    build=build,
    recipe=recipe,
    paper=PaperWavelet("haar", 6, 8),
    taps=14,
    options=("gates",),
    quick=f"gap {QUICK_LENGTH}, {QUICK_STEPS} steps",
    full=f"gap {PUBLISHED_LENGTH}, 12000 steps",
    words=words,
)
