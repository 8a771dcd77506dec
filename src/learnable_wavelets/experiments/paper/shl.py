"""`learnable-wavelets reproduce shl`: one hidden layer on MNIST-bg-rot and MNIST-noise, the field's own benchmark."""

import torch
from torch import nn

from ..models import LAYERS, Perceptron, describe, make_layer
from ..spec import Experiment, Options, PaperWavelet, Task, hidden_units
from ..tasks import Images, as_pixels, load_mnist, vary
from ._equal import QUICK_STEPS, equal_recipe

WIDTH, BATCH = 784, 100
EPOCHS = 40
HELD_OUT = 6  # every sixth training image: 2,000 of 12,000
LR_MULTIPLIER = 4.0  # that of the library


def load(options: Options, device: torch.device) -> Task:
    """Make the images of the chosen variant; every sixth training image chooses rate and epoch."""
    data = vary(load_mnist(options.data), options.variant)
    validation = len(data.train_labels) // HELD_OUT if options.validation is None else options.validation
    return Images(data, as_pixels, BATCH, validation, device)


def build(layer: str, options: Options, task: Task) -> nn.Module:
    """Build the network 784-784-10, its square matrix the layer."""
    units = hidden_units(layer, options, WIDTH)
    return Perceptron([make_layer(layer, WIDTH, units, True, options)], units, 10, options.hidden_dropout)


def settings(layer: str, options: Options) -> tuple[str, ...]:
    """Describe the layer and the dropout."""
    dropout = (f"dropout {options.hidden_dropout:g}",) if options.hidden_dropout else ()
    return (*describe(layer, WIDTH, options), *dropout)


EXPERIMENT = Experiment(
    name="shl",
    help="A perceptron 784-784-10 on rotated digits over pictures or on digits in noise: every layer, one protocol.",
    layers=tuple(LAYERS),
    load=load,
    build=build,
    recipe=equal_recipe(BATCH, EPOCHS),
    settings=settings,
    paper=PaperWavelet("haar", 6, 6),
    default_layers=("dense", "wavelet", "fastfood", "circulant", "butterfly", "low-rank", "diagonal", "removed"),
    options=("variant", "hidden_dropout", "data", "validation", "blocks", "combine", "groups", "rank", "tune"),
    quick=f"{QUICK_STEPS} steps",
    full=f"{EPOCHS} epochs",
    lr_multiplier=LR_MULTIPLIER,
    protocols=("equal",),
    grid=(3e-4, 1e-3, 3e-3, 1e-2),
)
