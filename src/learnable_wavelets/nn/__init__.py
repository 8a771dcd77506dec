"""Drop-in layers."""

from ._fastfood import Fastfood as Fastfood
from ._linear import WaveletLinear as WaveletLinear

__all__ = ["Fastfood", "WaveletLinear"]
