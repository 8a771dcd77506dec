"""The kernels in Triton for GPUs. Triton itself is imported with the first call, not with this package."""

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

from .._supports import Supports

INTERPRETED = os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "on", "yes")  # as Triton reads it
INSTALLED = find_spec("triton") is not None
SUPPORTS = Supports(
    ("periodization",),
    (torch.float32, torch.bfloat16, torch.float16, torch.float64),
    () if not INSTALLED else ("cuda", "cpu") if INTERPRETED else ("cuda",),
)
PLANES = Supports((), ())  # the 1-D kernels, axis by axis
RECURRENT = Supports((), ())
_ROOMS = {
    "_sandwich": ("sandwich", "sandwich_backward"),
    "_transforms": ("fwht", "wavedec", "wavedec_backward", "waverec", "waverec_backward"),
}


def missing() -> str | None:
    """Return why this back end is not available, or `None`."""
    if not INSTALLED:
        return "triton is not installed"
    if not (INTERPRETED or torch.cuda.is_initialized() or torch.cuda.is_available()):  # type: ignore[no-untyped-call]
        return "there is no CUDA device, and TRITON_INTERPRET=1 was not set"
    return None


def __getattr__(name: str) -> Callable[..., Any]:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{room}"), name)  # type: ignore[no-any-return]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
