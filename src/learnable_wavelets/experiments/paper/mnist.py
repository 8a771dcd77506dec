"""`learnable-wavelets reproduce mnist`: the paper's LeNet-5, its big linear layer dense, compressed or a control."""

import torch
from torch import nn

from ..models import LeNet5, describe, make_layer
from ..spec import DENSE, Experiment, Options, PaperWavelet, Recipe, Task, hidden_units
from ..tasks import Images, as_maps, load_mnist

FEATURES, HIDDEN = 800, 500
PAPER_EPOCHS = 20
QUICK_STEPS = 3000  # about a minute on two cores, whatever the data's size
BATCH = {"paper": 64, "ours": 128}
DROPOUT = (0.1, 0.4)  # under `ours` the same for every layer
HELD_OUT = 60  # under `ours` every sixtieth image chooses the epoch: 1,000 of 60,000
SHIFT = 1  # under `ours` training images move by up to a pixel


def load(options: Options, device: torch.device) -> Task:
    """Load the images; published: all training images, none held out."""
    data = load_mnist(options.data)
    validation = options.validation
    if validation is None:
        validation = 0 if options.protocol == "paper" else len(data.train_labels) // HELD_OUT
    shift = 0 if options.protocol == "paper" else SHIFT
    return Images(data, as_maps, BATCH[options.protocol], validation, device, shift=shift)


def build(layer: str, options: Options, task: Task) -> nn.Module:
    """Build LeNet-5; only the published dense network has dropout, under `ours` all have the same."""
    dense = layer in DENSE
    hidden = hidden_units(layer, options, HIDDEN if dense else FEATURES)
    compressed = make_layer(layer, FEATURES, hidden, dense, options)
    if options.protocol == "paper":
        return LeNet5(compressed, hidden, dropout=(0.25, 0.5) if dense else (0.0, 0.0))
    return LeNet5(compressed, hidden, dropout=DROPOUT, relu=True)


def recipe(layer: str, options: Options, task: Task) -> Recipe:
    """Choose the recipe; published: Adadelta, rate times .8 after each of 20 epochs; fewer end at the same rate."""
    epochs = options.epochs or (PAPER_EPOCHS if options.preset == "paper" else max(1, QUICK_STEPS // task.interval))
    if options.protocol == "paper":
        gamma = float(0.8 ** (PAPER_EPOCHS / epochs))
        return Recipe(epochs, task.interval, BATCH["paper"], "adadelta", 1.0, "step", gamma)
    return Recipe(epochs, task.interval, BATCH["ours"], "adamw", 1e-2, "one-cycle", weight_decay=0.05)


EXPERIMENT = Experiment(
    name="mnist",
    help="Train the paper's LeNet-5 on MNIST; report the test error after the last epoch.",
    layers=("dense", "narrow", "fastfood", "wavelet", "wavelet-paper", "frozen", "diagonal", "removed"),
    load=load,
    build=build,
    recipe=recipe,
    settings=lambda layer, options: describe(layer, FEATURES, options),
    paper=PaperWavelet("haar", 6, 6),
    options=("data", "validation"),
    quick=f"{QUICK_STEPS} steps",
    full=f"{PAPER_EPOCHS} epochs",
)
