"""The door to the 2-D and the stationary transform, see `_dispatch`.

Not every back end has them, and under `torch.func` none: `None` sends the caller to the 1-D transforms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import _planes, _undecimated
from ._autograd import is_plain_eager
from ._backend import BACKENDS, FORCED, forced_backend
from ._library import EAGER, call_operator
from ._plane_autograd import Dwt2
from ._supports import Backend

Pair = tuple[Tensor, Tensor]
"""Filters lo and hi."""
PlaneBank = tuple[Tensor, Tensor, Tensor, Tensor]
"""Filters lo and hi of axis -2, then of axis -1."""
Bands = tuple[Tensor, Tensor, Tensor, Tensor]
"""aa, ad, da, dd: the first letter belongs to axis -2."""


def dwt2(x: Tensor, bank: PlaneBank, modes: tuple[str, str]) -> Bands | None:
    """Return the bands of one level of the last two axes, or `None` where no kernel takes both axes at once."""
    backend = choose_planes(x, modes)
    if backend is None:
        return None
    tensors = (x, *bank)
    if not is_plain_eager(tensors):
        aa, ad, da, dd = call_operator("dwt2", *tensors, *modes).unbind(0)
    elif torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        aa, ad, da, dd = Dwt2.apply(*tensors, modes, backend)  # type: ignore[no-untyped-call]
    else:
        aa, ad, da, dd = _planes.dwt2_apart(backend, *tensors, *modes)
    return aa, ad, da, dd


def idwt2(bands: Bands, bank: PlaneBank, sizes: tuple[int, int], modes: tuple[str, str]) -> Tensor | None:
    """Invert `dwt2`, to planes of `sizes`; `None` as there."""
    backend = choose_planes(bands[0], modes)
    if backend is None:
        return None
    return _call("idwt2", _planes.idwt2, backend, (*bands, *bank), (*sizes, *modes))


def swt(x: Tensor, bank: Pair, axis: int, start_level: int, level: int, trim: bool) -> tuple[Tensor, ...] | None:
    """Return the bands of the stationary transform, see `reference.swt`; `None` as above."""
    backend = choose_planes(x)
    if backend is None:
        return None
    return _call("swt", _undecimated.swt, backend, (x, *bank), (axis, start_level, level, trim)).unbind(0)


def iswt(cA: Tensor, cD: Tensor, bank: Pair, axis: int, start_level: int) -> Tensor | None:
    """Invert one level of `swt`; `None` as above."""
    backend = choose_planes(cA)
    if backend is None:
        return None
    return _call("iswt", _undecimated.iswt, backend, (cA, cD, *bank), (axis, start_level))


def swt_stack(x: Tensor, bank: Pair, axis: int, start_level: int) -> Tensor:
    """Return both bands of one level, `(2, *x.shape)`, without a graph, where `choose_planes` has a back end."""
    return _undecimated.swt(_chosen(x), x, *bank, axis, start_level, 1, False)


def swt_pullback(
    grad: Tensor, x: Tensor, bank: Pair, axis: int, start_level: int, needs: Sequence[bool]
) -> tuple[Tensor, ...]:
    """Return the gradients of x, lo and hi for `swt_stack`."""
    return _undecimated.swt_backward(_chosen(x), grad, x, *bank, axis, start_level, 1, False, needs)


def _chosen(x: Tensor) -> Backend:
    backend = choose_planes(x)
    if backend is None:
        raise RuntimeError(f"no kernel for planes of {x.dtype} on {x.device}")
    return backend


def _call(
    name: str, checked: Callable[..., Tensor], backend: Backend, tensors: Sequence[Tensor], constants: tuple[Any, ...]
) -> Tensor:
    if not is_plain_eager(tensors):
        return call_operator(name, *tensors, *constants)
    compute = partial(checked, backend, *tensors, *constants)
    recorded = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    y: Tensor = EAGER[name](*tensors, constants, backend, compute) if recorded else compute()
    return y


def choose_planes(data: Tensor, modes: Sequence[str] = ()) -> Backend | None:
    """Return the back end whose kernels for planes take data like this, or `None`."""
    forced = forced_backend() if torch.compiler.is_compiling() else FORCED.get()
    backend = BACKENDS[forced or ("triton" if data.is_cuda else "cpu")]
    traced = torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
    served, dtypes, devices = backend.PLANES
    if data.device.type in devices and data.dtype in dtypes and all(mode in served for mode in modes) and not traced:
        return backend
    return None
