"""The back ends, and the one that a user forces."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import cast

from . import cpu, reference, triton
from ._supports import Backend

BACKENDS = {
    name: cast(Backend, module) for name, module in (("reference", reference), ("cpu", cpu), ("triton", triton))
}
REFERENCE = BACKENDS["reference"]

REMEDY = (
    "install a wheel for this platform, or a C compiler and then "
    "`pip install --force-reinstall --no-deps --no-cache-dir --no-binary learnable-wavelets learnable-wavelets`"
)
NOTICEABLE = 256  # a width from which a layer without kernels is several times slower
_warned = False

FORCED: ContextVar[str | None] = ContextVar("learnable_wavelets_backend", default=None)


def available_backends() -> tuple[str, ...]:
    """Return the names of the back ends that work here.

    `reference` (plain torch) always does, `cpu` if the C extension was built, `triton` if Triton is installed and there
    is a CUDA device (or `TRITON_INTERPRET=1` was set before the start: Triton's interpreter, slow, for tests).

    Without `cpu`, layers work on the CPU too, several times slower; the first call of one of width 256 or more warns
    and names the remedy. `python -m learnable_wavelets` prints the reason.

    Examples:
        >>> import learnable_wavelets as lw
        >>> "reference" in lw.kernels.available_backends()
        True
    """
    return tuple(name for name, backend in BACKENDS.items() if backend.missing() is None)


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Run every transform and layer of the block on this back end, or raise: nothing falls back silently.

    Holds for the thread or asyncio task that enters the block, and for no other. Without it, each call takes a kernel
    where one serves it and plain torch elsewhere: under `torch.func` transforms and forward-mode differentiation, which
    no kernel serves. Second derivatives run in plain torch, forced or not. Compiled models keep the back end that they
    were compiled with.

    Args:
        name: one of `available_backends()`.

    Raises:
        ValueError: unknown name.
        RuntimeError: the back end is not available here; and at the call, if the back end does not serve it.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> with lw.kernels.use_backend("reference"):
        ...     lw.functional.fwht(torch.ones(4)).tolist()
        [2.0, 0.0, 0.0, 0.0]
    """
    if not isinstance(name, str) or name not in BACKENDS:
        raise ValueError(f"`name` must be one of {', '.join(BACKENDS)}; got {name!r}")
    missing = BACKENDS[name].missing()
    if missing is not None:
        raise RuntimeError(f"back end {name!r} is not available here: {missing}")
    token = FORCED.set(name)
    try:
        yield
    finally:
        FORCED.reset(token)


def warn_without_kernels(width: int) -> None:
    """Warn, once a process, that layers of this width run on the CPU without the kernels for it."""
    global _warned
    if not _warned and width >= NOTICEABLE and BACKENDS["cpu"].missing() is not None:
        _warned = True
        message = f"learnable_wavelets computes without its C kernels, several times slower ({cpu.missing()}): {REMEDY}"
        warnings.warn(message, UserWarning, stacklevel=2)


def forced_backend() -> str | None:
    """Return the name that `use_backend` holds for this thread or task."""
    return FORCED.get()


# Dynamo does not trace context variables: it takes the value at compile time. `torch.compiler.assume_constant_result`
# sets this attribute too, but imports all of dynamo, half of our import time.
forced_backend._dynamo_marked_constant = True  # type: ignore[attr-defined]
