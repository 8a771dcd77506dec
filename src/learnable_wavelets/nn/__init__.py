"""Drop-in layers, and their base."""

from ._fastfood import Fastfood as Fastfood
from ._gru import GRU as GRU
from ._gru import GRUCell as GRUCell
from ._layer import SandwichLayer as SandwichLayer
from ._linear import WaveletLinear as WaveletLinear
from ._lstm import LSTM as LSTM
from ._lstm import LSTMCell as LSTMCell
from ._stack import Stack as Stack

__all__ = ["GRU", "LSTM", "Fastfood", "GRUCell", "LSTMCell", "SandwichLayer", "Stack", "WaveletLinear"]
