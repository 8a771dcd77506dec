"""Readable twins of the kernels in plain torch: the oracle, and the path for calls that no kernel serves."""

from ..._checks import MODES, REAL_DTYPES
from .._supports import Supports
from ._backward import gradients as gradients
from ._backward import sandwich_backward as sandwich_backward
from ._backward import wavedec_backward as wavedec_backward
from ._backward import waverec_backward as waverec_backward
from ._form import decompose as decompose
from ._form import is_exporting_onnx as is_exporting_onnx
from ._form import reconstruct as reconstruct
from ._hadamard import fwht as fwht
from ._hadamard import hadamard as hadamard
from ._planes import dwt2 as dwt2
from ._planes import dwt2_backward as dwt2_backward
from ._planes import idwt2 as idwt2
from ._planes import idwt2_backward as idwt2_backward
from ._recurrent import recurrent as recurrent
from ._recurrent import recurrent_backward as recurrent_backward
from ._recurrent import scan as scan
from ._sandwich import sandwich as sandwich
from ._undecimated import iswt as iswt
from ._undecimated import iswt_backward as iswt_backward
from ._undecimated import swt as swt
from ._undecimated import swt_backward as swt_backward
from ._wavelet import coeff_lengths as coeff_lengths
from ._wavelet import wavedec as wavedec
from ._wavelet import waverec as waverec

SUPPORTS = PLANES = Supports(MODES, REAL_DTYPES)
RECURRENT = Supports((), ())  # a loop over the steps serves the layers better


def missing() -> str | None:
    """Return why this back end is not available: it always is."""
    return None
