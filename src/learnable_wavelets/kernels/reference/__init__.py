"""Readable twins of the kernels in plain torch: the oracle, and the path for what the kernels do not serve."""

from ._boundary import MODES as MODES
from ._hadamard import hadamard as hadamard
from ._hadamard import hadamard_transform as hadamard_transform
from ._sandwich import sandwich as sandwich
from ._wavelet import analyse as analyse
from ._wavelet import coeff_lengths as coeff_lengths
from ._wavelet import synthesise as synthesise

__all__ = [
    "MODES", "analyse", "coeff_lengths", "hadamard", "hadamard_transform", "sandwich",
    "synthesise",
]  # fmt: skip
