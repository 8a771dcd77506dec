"""Learnable filter banks, one parametrisation a file."""

from ._base import WaveletFilter as WaveletFilter
from ._lattice import OrthogonalWaveletFilter as OrthogonalWaveletFilter
from ._lifting import BiorthogonalWaveletFilter as BiorthogonalWaveletFilter
from ._product import LearnableWaveletFilter as LearnableWaveletFilter

__all__ = ["BiorthogonalWaveletFilter", "LearnableWaveletFilter", "OrthogonalWaveletFilter", "WaveletFilter"]
