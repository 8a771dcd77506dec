"""Which code serves a call: the kernels where they can, plain torch elsewhere, or what the user forces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import _cpu_calls as _cpu
from . import _triton_calls as _triton

BACKENDS = ("reference", "cpu", "triton")

_forced: str | None = None


def available_backends() -> tuple[str, ...]:
    """The backends that work here.

    `reference` (plain torch) always does, `cpu` if the C extension was built, `triton` if Triton is installed and there
    is a CUDA device (or `TRITON_INTERPRET=1` was set before the start: Triton's interpreter, slow, for tests).

    Examples:
        >>> import learnable_wavelets as lw
        >>> "reference" in lw.kernels.available_backends()
        True
    """
    return tuple(name for name in BACKENDS if _missing(name) is None)


def _missing(name: str) -> str | None:
    """Why a backend is not available, in words."""
    if name == "cpu":
        return None if _cpu.AVAILABLE else "the extension was not built"
    return _triton.obstacle() if name == "triton" else None


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Within the block, every transform and layer runs on this backend, or raises: nothing falls back silently.

    Without it, each call takes a kernel where one serves it and plain torch elsewhere: so under `torch.func` transforms
    and forward-mode differentiation, which no kernel serves. Second derivatives run in plain torch, forced or not.
    Compiled models keep the backend they were compiled with.

    Args:
        name: one of `available_backends()`.

    Raises:
        ValueError: unknown name.
        RuntimeError: the backend is not available here; and at the call, if the backend does not serve it.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> with lw.kernels.use_backend("reference"):
        ...     lw.functional.fwht(torch.ones(4)).tolist()
        [2.0, 0.0, 0.0, 0.0]
    """
    global _forced
    if name not in BACKENDS:
        raise ValueError(f"`name` must be one of {', '.join(BACKENDS)}; got {name!r}")
    missing = _missing(name)
    if missing is not None:
        raise RuntimeError(f"backend {name!r} is not available here: {missing}")
    before, _forced = _forced, name
    try:
        yield
    finally:
        _forced = before


def served_by_kernel(x: Tensor, mode: str, fits: bool = True) -> bool:
    """Whether the call goes to an operator; else it goes to the reference.

    Args:
        x: the data; its device and dtype decide.
        mode: `hadamard` or a signal extension.
        fits: the kernel takes these sizes.
    """
    if _forced == "reference":
        return False
    obstacle = _obstacle(x, mode, fits)
    if _forced is not None and obstacle is not None:
        raise RuntimeError(f"backend {_forced!r} does not serve this call: {obstacle}")
    return obstacle is None


def kernel_for(x: Tensor) -> str:
    """The backend whose kernels x would go to: the forced one, or that of its device."""
    return _forced or ("triton" if x.is_cuda else "cpu")


def _obstacle(x: Tensor, mode: str, fits: bool) -> str | None:
    name = kernel_for(x)
    missing = _missing(name)
    if missing is not None:
        return missing
    kernels = _triton if name == "triton" else _cpu
    if x.device.type not in (_triton.DEVICES if name == "triton" else ("cpu",)):
        return f"the data is on {x.device}"
    if x.dtype not in kernels.DTYPES:
        return f"the dtype is {x.dtype}"
    if mode not in kernels.MODES or not fits:
        return f"no kernel for mode {mode!r} at these sizes"
    if torch._C._are_functorch_transforms_active():
        return "a torch.func transform is active"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation is active"
    return None
