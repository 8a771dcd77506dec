"""Whether Triton can serve, without importing it: that happens when the first tensor for it comes."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
MODES = ("hadamard", "periodization")
INTERPRETED = os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "on", "yes")  # as Triton reads it
DEVICES = ("cuda", "cpu") if INTERPRETED else ("cuda",)
INSTALLED = find_spec("triton") is not None


def obstacle() -> str | None:
    """Why Triton cannot be had here, in words."""
    if not INSTALLED:
        return "triton is not installed"
    if not (INTERPRETED or torch.cuda.is_initialized() or torch.cuda.is_available()):  # type: ignore[no-untyped-call]
        return "there is no CUDA device, and TRITON_INTERPRET=1 was not set"
    return None


def operator(name: str) -> Callable[..., Any]:
    """The implementation of an operator; the first call imports Triton."""
    return getattr(import_module("learnable_wavelets.kernels.triton"), name)  # type: ignore[no-any-return]
