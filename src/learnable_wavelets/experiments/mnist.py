"""`learnable-wavelets reproduce mnist`: the paper's LeNet-5, its big linear layer dense, compressed or a control."""

import torch
from torch import nn

from ._data import load_mnist
from ._experiment import Experiment
from ._images import Images, as_maps
from ._layers import LayerOptions, PaperWavelet, make_layer
from ._networks import LeNet5
from ._options import Choices
from ._recipe import Recipe
from ._task import Task

FEATURES, DENSE = 800, 500
PAPER_EPOCHS = 20
QUICK_STEPS = 3000  # about a minute on two cores, whatever the data's size
BATCH = {"paper": 64, "ours": 128}
DROPOUT = (0.1, 0.4)  # under `ours` the same for every layer
HELD_OUT = 60  # under `ours` every sixtieth image chooses the epoch: 1,000 of 60,000
SHIFT = 1  # under `ours` training images move by up to a pixel


def load(choices: Choices, device: torch.device) -> Task:
    """Published: all training images, none held out."""
    data = load_mnist(choices.data)
    validation = choices.validation
    if validation is None:
        validation = 0 if choices.protocol == "paper" else len(data.train_labels) // HELD_OUT
    shift = 0 if choices.protocol == "paper" else SHIFT
    return Images(data, as_maps, BATCH[choices.protocol], validation, device, shift=shift)


def build(layer: str, choices: Choices, options: LayerOptions, task: Task) -> nn.Module:
    """The published dense network alone has dropout; under `ours` all have the same."""
    dense = layer == "dense"
    hidden = DENSE if dense else FEATURES
    made = make_layer(layer, FEATURES, hidden, dense, options)
    if choices.protocol == "paper":
        return LeNet5(made, hidden, dropout=(0.25, 0.5) if dense else (0.0, 0.0))
    return LeNet5(made, hidden, dropout=DROPOUT, relu=True)


def recipe(layer: str, choices: Choices, task: Task) -> Recipe:
    """Published: Adadelta, the rate times .8 after each of 20 epochs; fewer epochs fall as far in all."""
    epochs = choices.epochs or (PAPER_EPOCHS if choices.preset == "paper" else max(1, QUICK_STEPS // task.interval))
    if choices.protocol == "paper":
        gamma = float(0.8 ** (PAPER_EPOCHS / epochs))
        return Recipe(epochs, task.interval, BATCH["paper"], "adadelta", 1.0, "step", gamma)
    return Recipe(epochs, task.interval, BATCH["ours"], "adamw", 1e-2, "one-cycle", weight_decay=0.05)


EXPERIMENT = Experiment(
    name="mnist",
    help="Train the paper's LeNet-5 on MNIST; report the test error after the last epoch.",
    layers=("dense", "fastfood", "wavelet", "wavelet-paper", "diagonal", "removed"),
    load=load,
    build=build,
    recipe=recipe,
    paper=PaperWavelet("haar", 6, 6),
    options=("data", "validation"),
    quick=f"{QUICK_STEPS} steps",
    full=f"{PAPER_EPOCHS} epochs",
)
