"""The kernels in C for the CPU, where the extension was built."""

from importlib import resources

import torch

from ..._checks import MODES
from .._supports import Supports

_REASON: str | None = None

try:
    from . import _cpu as _cpu
except ImportError as error:  # built without a compiler: everything works in plain torch
    AVAILABLE = False
    _names = [entry.name for entry in resources.files(__name__).iterdir()]
    _built = any(name.startswith("_cpu.") and name.endswith((".so", ".pyd")) for name in _names)
    _REASON = f"the C extension cannot be loaded: {error}" if _built else "the C extension was not built"
else:
    AVAILABLE, _REASON = True, None
    from ._calls import fwht as fwht
    from ._calls import sandwich as sandwich
    from ._calls import sandwich_backward as sandwich_backward
    from ._calls import wavedec as wavedec
    from ._calls import wavedec_backward as wavedec_backward
    from ._calls import waverec as waverec
    from ._calls import waverec_backward as waverec_backward
    from ._planes import dwt2 as dwt2
    from ._planes import dwt2_apart as dwt2_apart
    from ._planes import dwt2_backward as dwt2_backward
    from ._planes import dwt2_pullback as dwt2_pullback
    from ._planes import idwt2 as idwt2
    from ._planes import idwt2_backward as idwt2_backward
    from ._recurrent import recurrent as recurrent
    from ._recurrent import recurrent_backward as recurrent_backward
    from ._undecimated import iswt as iswt
    from ._undecimated import iswt_backward as iswt_backward
    from ._undecimated import swt as swt
    from ._undecimated import swt_backward as swt_backward

_DEVICES = ("cpu",) if AVAILABLE else ()
SUPPORTS = Supports(MODES, (torch.float32, torch.float64, torch.bfloat16), _DEVICES)
PLANES = Supports(MODES, (torch.float32, torch.float64), _DEVICES)
RECURRENT = Supports(MODES, (torch.float32, torch.float64), _DEVICES)


def missing() -> str | None:
    """Return why this back end is not available, or `None`."""
    return _REASON


def instruction_set() -> str | None:
    """Return the name of the instruction set that the kernels use here, or `None` without them."""
    return _cpu.isa() if AVAILABLE else None
