"""Pure functions: wavelet transforms, the Walsh-Hadamard transform and the losses of a filter bank."""

from .._checks import MODES as MODES
from ._coeffs import pack as pack
from ._coeffs import unpack as unpack
from ._dwt import dwt as dwt
from ._dwt import idwt as idwt
from ._fwht import fwht as fwht
from ._losses import alias_cancellation_loss as alias_cancellation_loss
from ._losses import orthogonality_loss as orthogonality_loss
from ._losses import perfect_reconstruction_loss as perfect_reconstruction_loss
from ._multilevel import wavedec as wavedec
from ._multilevel import waverec as waverec

__all__ = [
    "MODES",
    "alias_cancellation_loss",
    "dwt",
    "fwht",
    "idwt",
    "orthogonality_loss",
    "pack",
    "perfect_reconstruction_loss",
    "unpack",
    "wavedec",
    "waverec",
]
