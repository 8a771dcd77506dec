"""Drop-in layers whose mixing matrix is a learnable fast wavelet transform."""

from . import functional as functional
from . import kernels as kernels
from . import nn as nn
from . import plotting as plotting
from .compress import Compression as Compression
from .compress import adapt_ as adapt_
from .compress import compress_ as compress_
from .compress import disable_adapters as disable_adapters
from .compress import distill_ as distill_
from .compress import load as load
from .compress import load_adapter as load_adapter
from .compress import merge_ as merge_
from .compress import parameter_groups as parameter_groups
from .compress import plan as plan
from .compress import save as save
from .compress import save_adapter as save_adapter
from .filters import BiorthogonalWaveletFilter as BiorthogonalWaveletFilter
from .filters import LearnableWaveletFilter as LearnableWaveletFilter
from .filters import OrthogonalWaveletFilter as OrthogonalWaveletFilter
from .filters import WaveletFilter as WaveletFilter
from .functional._bank import FilterBank as FilterBank
from .nn import Fastfood as Fastfood
from .nn import WaveletLinear as WaveletLinear
from .regularize import wavelet_losses as wavelet_losses
from .regularize import wavelet_regularizer as wavelet_regularizer

__version__ = "0.1.0"

__all__ = [
    "BiorthogonalWaveletFilter",
    "Compression",
    "Fastfood",
    "FilterBank",
    "LearnableWaveletFilter",
    "OrthogonalWaveletFilter",
    "WaveletFilter",
    "WaveletLinear",
    "adapt_",
    "compress_",
    "disable_adapters",
    "distill_",
    "functional",
    "kernels",
    "load",
    "load_adapter",
    "merge_",
    "nn",
    "parameter_groups",
    "plan",
    "plotting",
    "save",
    "save_adapter",
    "wavelet_losses",
    "wavelet_regularizer",
]
