"""The learning problems: MNIST, synthetic sequences, text; and their data files."""

from ._characters import Characters
from ._files import DataError
from ._images import Images, as_maps, as_pixels, as_sequences, as_short_sequences, as_vectors
from ._mnist import Mnist, load_mnist
from ._synthetic import PUBLISHED_LENGTH, SYMBOLS, Adding, Memory, Sequences
from ._text import Text, load_text
from ._variations import vary

__all__ = [
    "PUBLISHED_LENGTH", "SYMBOLS", "Adding", "Characters", "DataError", "Images", "Memory", "Mnist", "Sequences",
    "Text", "as_maps", "as_pixels", "as_sequences", "as_short_sequences", "as_vectors", "load_mnist", "load_text",
    "vary",
]  # fmt: skip
