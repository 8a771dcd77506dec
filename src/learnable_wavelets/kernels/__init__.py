"""The transforms by device: readable references, C for the CPU, Triton for GPUs, and the choice between them."""

from . import _flops as _flops  # registers the formulas
from ._backend import available_backends as available_backends
from ._backend import use_backend as use_backend

__all__ = ["available_backends", "use_backend"]
