"""`learnable-wavelets reproduce shootout`: perceptrons on the pixels of MNIST, where mixing makes a difference."""

from itertools import pairwise

import torch
from torch import nn

from ..models import LAYERS, Perceptron, describe, make_layer
from ..spec import Experiment, Options, PaperWavelet, Task, hidden_units
from ..tasks import Images, as_vectors, load_mnist
from ._equal import QUICK_STEPS, equal_recipe

WIDTH, BATCH = 1024, 128
EPOCHS = 20
HELD_OUT = 12


def load(options: Options, device: torch.device) -> Task:
    """Pixels as vectors of 1,024; every twelfth image chooses the epoch."""
    data = load_mnist(options.data)
    validation = len(data.train_labels) // HELD_OUT if options.validation is None else options.validation
    return Images(data, as_vectors, BATCH, validation, device)


def build(layer: str, options: Options, task: Task) -> nn.Module:
    """Hidden layers of one width, all of one kind."""
    units = hidden_units(layer, options, WIDTH)
    sizes = pairwise((WIDTH, *[units] * options.depth[0]))
    return Perceptron([make_layer(layer, n_in, n_out, True, options) for n_in, n_out in sizes], units, 10)


def settings(layer: str, options: Options) -> tuple[str, ...]:
    """Describe the layer and the depth."""
    return (*describe(layer, WIDTH, options), f"{options.depth[0]} hidden")


EXPERIMENT = Experiment(
    name="shootout",
    help="Perceptrons on MNIST's pixels, padded to 1,024: every layer under one protocol.",
    layers=tuple(LAYERS),
    load=load,
    build=build,
    recipe=equal_recipe(BATCH, EPOCHS),
    settings=settings,
    paper=PaperWavelet("haar", 6, 6),
    default_layers=("dense", "fastfood", "wavelet", "low-rank", "circulant", "diagonal", "removed"),
    options=("data", "validation", "depth", "blocks", "combine", "groups", "rank", "tune"),
    quick=f"{QUICK_STEPS} steps",
    full=f"{EPOCHS} epochs",
    protocols=("equal",),
)
