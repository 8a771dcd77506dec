"""Layers by name, and the networks that hold them."""

from ._layers import LAYERS, describe, make_filter, make_layer
from ._networks import CharacterModel, LeNet5, Perceptron, Recurrent

__all__ = [
    "LAYERS", "CharacterModel", "LeNet5", "Perceptron", "Recurrent", "describe", "make_filter", "make_layer",
]  # fmt: skip
