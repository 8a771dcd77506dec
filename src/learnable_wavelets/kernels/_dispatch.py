"""The door to the transforms: one function for each, which `functional` and the layers call.

Each takes a kernel where one serves the call and plain torch elsewhere, or the back end that the user forces. A plain
eager call goes to the kernel itself; compilers, tracers, modes and tensor subclasses see a registered operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import reference
from ._autograd import is_plain_eager
from ._backend import BACKENDS, FORCED, REFERENCE, forced_backend, warn_without_kernels
from ._flat import fwht as checked_fwht
from ._flat_recurrent import Call, checked
from ._library import EAGER, OPERATORS, call_operator
from ._precision import full_precision
from ._recurrence import Inputs, Recurrence
from ._sandwich import Sandwich
from ._supports import Backend
from ._validate import check_operands, check_sandwich, check_transform


def fwht(x: Tensor, scale: float) -> Tensor:
    """Return `scale * x @ H_n` on the last axis, in the dtype of x; half dtypes are computed in float32."""
    backend = choose(x, "periodization")
    if backend is REFERENCE:
        return reference.fwht(x, scale)
    if not is_plain_eager((x,)):
        return call_operator("fwht", x, scale)
    recorded = torch.is_grad_enabled() and x.requires_grad
    y: Tensor = EAGER["fwht"](x, scale, backend) if recorded else checked_fwht(backend, x, scale)
    return y


def wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> list[Tensor]:
    """Return `[cA_n, cD_n, ..., cD_1]` on the last axis, x and filters in one dtype."""
    n, taps = x.shape[-1], lo.shape[0]
    backend = choose(x, mode, mode != "periodization" or n % (1 << level) == 0)
    if backend is REFERENCE:
        return reference.decompose(x, lo, hi, mode, level)
    if not is_plain_eager((x, lo, hi)):
        packed = call_operator("wavedec", x, lo, hi, mode, level)
        return list(torch.split(packed, list(reference.coeff_lengths(n, taps, mode, level)), dim=-1))
    data, low, high, _ = check_transform(x, lo, hi, mode, level)
    compute = partial(backend.wavedec, data, low, high, mode, level)
    recorded = torch.is_grad_enabled() and (x.requires_grad or lo.requires_grad or hi.requires_grad)
    packed = EAGER["wavedec"](x, lo, hi, (mode, level), backend, compute) if recorded else compute()
    return list(torch.split(packed, _coeff_lengths(n, taps, mode, level), dim=-1))


def waverec(coeffs: Sequence[Tensor | None], lo: Tensor, hi: Tensor, mode: str) -> Tensor:
    """Invert `wavedec`; absent coefficients count as zeros."""
    present, level, taps = [c for c in coeffs if c is not None], len(coeffs) - 1, lo.shape[0]
    if level == 0:
        return reference.reconstruct(coeffs, lo, hi, mode)
    mode = mode if mode == "periodization" else "zero"  # the inverse of every other mode too
    d = present[-1].shape[-1]
    n = 2 * d if mode == "periodization" else 2 * d - taps + 2
    lengths = tuple(c.shape[-1] for c in present)
    fits = len(lengths) == len(coeffs) and n > 0 and (mode != "periodization" or n % (1 << level) == 0)
    backend = choose(present[0], mode, fits and lengths == reference.coeff_lengths(n, taps, mode, level))
    if backend is REFERENCE:
        return reference.reconstruct(coeffs, lo, hi, mode)
    packed = torch.cat(present, dim=-1)
    if not is_plain_eager((packed, lo, hi)):
        return call_operator("waverec", packed, lo, hi, n, mode, level)
    data, low, high, _ = check_transform(packed, lo, hi, mode, level, n)
    compute = partial(backend.waverec, data, low, high, n, mode, level)
    recorded = torch.is_grad_enabled() and (packed.requires_grad or lo.requires_grad or hi.requires_grad)
    y: Tensor = EAGER["waverec"](packed, lo, hi, (n, mode, level), backend, compute) if recorded else compute()
    return y


def sandwich(x: Tensor, operands: Sandwich) -> Tensor:
    """Return `y = scale * S W^-1 G P W B x + bias`, see `reference.sandwich`."""
    backend, tensors = choose(x, operands.transform.mode), (x, *operands.tensors())
    if backend is REFERENCE:
        if not torch.compiler.is_dynamo_compiling():  # which would guard on every shape
            check_operands(x, operands)
            if x.device.type == "cpu" and forced_backend() is None:
                warn_without_kernels(operands.layout.n)
        with full_precision(x):
            return reference.sandwich(x, operands)
    if not is_plain_eager(tensors):
        return call_operator("sandwich", *tensors, *operands.constants())
    data, checked = check_sandwich(x, operands)
    compute = partial(backend.sandwich, data, checked)
    if not torch.is_grad_enabled():
        return compute()
    y: Tensor = EAGER["sandwich"](*tensors, operands.constants(), backend, compute)
    return y


def serves_sequences(x: Tensor, mode: str) -> bool:
    """Return whether a kernel takes whole sequences of data like x; where none does, a loop calls `sandwich`."""
    backend = choose(x, mode, required=False)
    modes, dtypes, devices = backend.RECURRENT
    return mode in modes and x.dtype in dtypes and x.device.type in devices


def recurrent(inputs: Inputs, start: tuple[Tensor, ...], recurrence: Recurrence) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the outputs of all steps and the last states, see `reference.recurrent`; where `serves_sequences`."""
    call = Call(inputs, start, recurrence)
    name = "lstm" if recurrence.cell == "lstm" else "gru"
    tensors = (*inputs, *start, recurrence.sizes, *recurrence.gates.tensors())
    if not is_plain_eager(tensors):
        results = OPERATORS[name](*call.flat())
    else:
        backend, taken = checked(choose(inputs.data, recurrence.gates.transform.mode), call)
        compute = partial(backend.recurrent, *taken)
        constants = call.flat()[len(tensors) :]
        results = EAGER[name](*tensors, constants, backend, compute) if torch.is_grad_enabled() else compute()
    return results[0], tuple(results[1 : 1 + len(start)])


@lru_cache(maxsize=256)
def _coeff_lengths(n: int, taps: int, mode: str, level: int) -> list[int]:
    return list(reference.coeff_lengths(n, taps, mode, level))


def choose(x: Tensor, mode: str, fits: bool = True, required: bool = True) -> Backend:
    """Return the back end for data like x, a signal extension mode, and sizes that `fits` says a kernel takes.

    Raises:
        RuntimeError: the forced back end does not serve the call, and is `required` to.
    """
    if torch.compiler.is_compiling():
        forced = forced_backend()
        if forced is None and reference.is_exporting_onnx():  # its runtimes have no kernel of ours
            return REFERENCE
    else:
        forced = FORCED.get()
    backend = BACKENDS[forced or ("triton" if x.is_cuda else "cpu")]
    if backend is REFERENCE:
        return REFERENCE
    modes, dtypes, devices = backend.SUPPORTS
    traced = torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
    if fits and mode in modes and x.dtype in dtypes and x.device.type in devices and not traced:
        return backend
    if forced is not None and required:
        raise RuntimeError(f"back end {forced!r} does not serve this call: {_obstacle(backend, x, mode)}")
    return REFERENCE


def _obstacle(backend: Backend, x: Tensor, mode: str) -> str:
    """Return why a kernel does not serve the call."""
    missing = backend.missing()
    _, dtypes, devices = backend.SUPPORTS
    if missing is not None:
        return missing
    if x.device.type not in devices:
        return f"the data is on {x.device}"
    if x.dtype not in dtypes:
        return f"the dtype is {x.dtype}"
    if torch._C._are_functorch_transforms_active():
        return "a torch.func transform is active"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation is active"
    return f"no kernel for mode {mode!r} at these sizes"
