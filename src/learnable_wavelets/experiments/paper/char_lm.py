"""`learnable-wavelets reproduce char-lm`: predict the next character."""

from functools import partial

import torch
from torch import nn

from ..models import CharacterModel
from ..spec import Experiment, Options, PaperWavelet, Recipe, Task, hidden_units, length
from ..tasks import Characters, load_text
from ._recurrent import LAYERS, factory, settings

EMBEDDED, HIDDEN, BATCH, EPOCHS = 100, 512, 32, 60
LENGTH, WARM = 400, 80
QUICK_LENGTH, QUICK_WARM, QUICK_STEPS = 100, 20, 150
QUICK_LIMITS = {"validation": 4, "test": 4}


def load(options: Options, device: torch.device) -> Task:
    """Load the text; published: windows of 400 characters from the state zero, the last 320 count."""
    text = load_text(options.data, options.text)
    if options.preset == "quick":
        text = text._replace(name=f"{text.name}-{QUICK_LENGTH}")
        return Characters(text, BATCH, QUICK_LENGTH, QUICK_WARM, device, QUICK_LIMITS)
    return Characters(text, BATCH, LENGTH, WARM, device)


def build(layer: str, options: Options, task: Task) -> nn.Module:
    """Embed into 100 numbers; a GRU of 512; a score for each character of the alphabet."""
    assert isinstance(task, Characters)
    hidden = hidden_units(layer, options, HIDDEN)
    return CharacterModel(task.symbols, EMBEDDED, hidden, factory(layer, options), options.gates)


def recipe(layer: str, options: Options, task: Task) -> Recipe:
    """Choose the recipe; published: Adam at .005, gradients clipped to norm .15, halving on worse validation."""
    epochs, interval = length(options, task, EPOCHS, QUICK_STEPS, 2)
    if options.protocol == "paper":
        return Recipe(epochs, interval, BATCH, "adam", 5e-3, "halving", clip=0.15)
    return Recipe(epochs, interval, BATCH, "adam", 5e-3, "one-cycle", clip=1.0)


EXPERIMENT = Experiment(
    name="char-lm",
    help="Train a GRU to predict the next character of a text; report bits per character.",
    layers=LAYERS,
    load=load,
    build=build,
    recipe=recipe,
    settings=partial(settings, HIDDEN),
    paper=PaperWavelet("haar", 6, 4),
    options=("gates", "data", "text"),
    quick=f"windows of {QUICK_LENGTH}, {QUICK_STEPS} steps",
    full=f"windows of {LENGTH}, {EPOCHS} epochs",
)
