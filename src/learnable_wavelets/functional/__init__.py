"""Pure functions: wavelet transforms, the Walsh-Hadamard transform and the losses of a filter bank."""

from .._checks import MODES as MODES
from ._adjoint import adjoint as adjoint
from ._dwt import dwt as dwt
from ._dwt import idwt as idwt
from ._dwt2 import dwt2 as dwt2
from ._dwt2 import idwt2 as idwt2
from ._dwt2 import wavedec2 as wavedec2
from ._dwt2 import waverec2 as waverec2
from ._dwtn import dwtn as dwtn
from ._dwtn import idwtn as idwtn
from ._dwtn import wavedecn as wavedecn
from ._dwtn import waverecn as waverecn
from ._fwht import fwht as fwht
from ._losses import alias_cancellation_loss as alias_cancellation_loss
from ._losses import orthogonality_loss as orthogonality_loss
from ._losses import perfect_reconstruction_loss as perfect_reconstruction_loss
from ._multilevel import wavedec as wavedec
from ._multilevel import waverec as waverec
from ._pack import PackedLayout as PackedLayout
from ._pack import pack as pack
from ._pack import unpack as unpack
from ._packets import inverse_wavelet_packet as inverse_wavelet_packet
from ._packets import inverse_wavelet_packet2 as inverse_wavelet_packet2
from ._packets import wavelet_packet as wavelet_packet
from ._packets import wavelet_packet2 as wavelet_packet2
from ._per_level import PerLevel as PerLevel
from ._swt import iswt as iswt
from ._swt import iswt2 as iswt2
from ._swt import swt as swt
from ._swt import swt2 as swt2
from ._swtn import iswtn as iswtn
from ._swtn import swtn as swtn

__all__ = [
    "MODES",
    "PackedLayout",
    "PerLevel",
    "adjoint",
    "alias_cancellation_loss",
    "dwt",
    "dwt2",
    "dwtn",
    "fwht",
    "idwt",
    "idwt2",
    "idwtn",
    "inverse_wavelet_packet",
    "inverse_wavelet_packet2",
    "iswt",
    "iswt2",
    "iswtn",
    "orthogonality_loss",
    "pack",
    "perfect_reconstruction_loss",
    "swt",
    "swt2",
    "swtn",
    "unpack",
    "wavedec",
    "wavedec2",
    "wavedecn",
    "wavelet_packet",
    "wavelet_packet2",
    "waverec",
    "waverec2",
    "waverecn",
]
