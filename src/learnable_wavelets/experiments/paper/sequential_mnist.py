"""`learnable-wavelets reproduce sequential-mnist`: read a digit pixel by pixel."""

from functools import partial

import torch
from torch import nn

from ..models import Recurrent
from ..spec import Experiment, Options, PaperWavelet, Recipe, Task, hidden_units, length
from ..tasks import Images, as_sequences, as_short_sequences, load_mnist
from ._recurrent import LAYERS, factory, memory, settings

HIDDEN, BATCH, EPOCHS = 58, 256, 100
QUICK_STEPS = 120
HELD_OUT = 12


def load(options: Options, device: torch.device) -> Task:
    """Load the images; published: batches in file order, in every epoch the same."""
    data = load_mnist(options.data)
    paper = options.protocol == "paper"
    validation = options.validation
    if validation is None:
        validation = 0 if paper else len(data.train_labels) // HELD_OUT
    if options.preset == "paper":
        return Images(data, as_sequences, BATCH, validation, device, shuffle=not paper)
    data = data._replace(name=f"{data.name}-14x14", source=f"{data.source}, shrunk to 14 x 14")
    return Images(data, as_short_sequences, BATCH, validation, device, shuffle=not paper)


def build(layer: str, options: Options, task: Task) -> nn.Module:
    """One pixel in, ten scores out at the last step; by default the update matrix stays dense, as published."""
    sizes = (1, hidden_units(layer, options, HIDDEN), 10)
    return Recurrent(sizes, factory(layer, options), options.gates, last=True, memory=memory(options, task))


def recipe(layer: str, options: Options, task: Task) -> Recipe:
    """Choose the recipe; published: RMSprop at a constant rate, gradients clipped to norm 1."""
    epochs, interval = length(options, task, EPOCHS, QUICK_STEPS, 2)
    if options.protocol == "paper":
        return Recipe(epochs, interval, BATCH, "rmsprop", 1e-3, clip=1.0)
    return Recipe(epochs, interval, BATCH, "adam", 1e-2, "one-cycle", clip=1.0)


EXPERIMENT = Experiment(
    name="sequential-mnist",
    help="Train a GRU to read MNIST pixel by pixel; report the test error.",
    layers=LAYERS,
    load=load,
    build=build,
    recipe=recipe,
    settings=partial(settings, HIDDEN),
    paper=PaperWavelet("db6", 12, 8),
    taps=28,
    options=("gates", "data", "validation"),
    defaults={"gates": "reset,state"},
    quick=f"images shrunk to 14 x 14, {QUICK_STEPS} steps",
    full=f"{EPOCHS} epochs",
)
