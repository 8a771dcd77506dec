"""Layers by name, and the networks that hold them."""

from ._alternatives import Zero
from ._layers import LAYERS, describe, make_filter, make_layer
from ._networks import CharacterModel, LeNet5, Perceptron, Recurrent
from ._published import Materialised, PublishedSlicing

__all__ = [
    "LAYERS", "CharacterModel", "LeNet5", "Materialised", "Perceptron", "PublishedSlicing", "Recurrent", "Zero",
    "describe", "make_filter", "make_layer",
]  # fmt: skip
