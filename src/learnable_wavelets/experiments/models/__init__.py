"""Layers by name, and the networks that hold them."""

from ._alternatives import Zero
from ._layers import LAYERS, describe, make_filter, make_layer, make_tiled
from ._networks import CharacterModel, LeNet5, Perceptron, Recurrent
from ._published import Materialised, PublishedSlicing
from ._transformer import Transformer

__all__ = [
    "LAYERS", "CharacterModel", "LeNet5", "Materialised", "Perceptron", "PublishedSlicing", "Recurrent", "Transformer",
    "Zero", "describe", "make_filter", "make_layer", "make_tiled",
]  # fmt: skip
