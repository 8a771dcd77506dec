"""The operators: functional schemas, kernels by device, fake implementations; and how they are called.

Defined through `torch.library.Library`, whose call costs a fraction of that of the `custom_op` decorator. An ordinary
eager step does without even that, see `_derivatives`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from . import _cpu_calls as _cpu
from . import _derivatives, reference
from . import _triton_calls as _triton
from ._backend import kernel_for

_NAMESPACE = "learnable_wavelets"
_SANDWICH = (
    "Tensor x, Tensor diag_in, Tensor permutation, Tensor diag_mid, Tensor diag_out, Tensor? bias, "
    "Tensor? dec_lo, Tensor? dec_hi, Tensor? rec_lo, Tensor? rec_hi, int[] layout, str mode, int level"
)
_SCHEMAS = {
    "fwht": "(Tensor x, float scale) -> Tensor",
    "wavedec": "(Tensor x, Tensor lo, Tensor hi, str mode, int level) -> Tensor",
    "waverec": "(Tensor packed, Tensor lo, Tensor hi, int n, str mode, int level) -> Tensor",
    "wavedec_backward": "(Tensor grad, Tensor x, Tensor lo, Tensor hi, str mode, int level, bool[] needs) "
    "-> (Tensor, Tensor, Tensor)",
    "waverec_backward": "(Tensor grad, Tensor packed, Tensor lo, Tensor hi, int n, str mode, int level, bool[] needs) "
    "-> (Tensor, Tensor, Tensor)",
    "sandwich": f"({_SANDWICH}) -> Tensor",
    "sandwich_backward": f"(Tensor grad, {_SANDWICH}, bool[] needs) -> Tensor[]",
}

_LIBRARY = torch.library.Library(_NAMESPACE, "DEF")  # type: ignore[no-untyped-call]
for _name, _schema in _SCHEMAS.items():
    _LIBRARY.define(_name + _schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]


def _packed_length(n: int, lo: Tensor, mode: str, level: int) -> int:
    return sum(reference.coeff_lengths(n, lo.shape[0], mode, level))


# --- on the CPU


_CPU: dict[str, Callable[..., Any]] = {
    "fwht": _cpu.fwht,
    "wavedec": _cpu.wavedec,
    "waverec": _cpu.waverec,
    "wavedec_backward": _cpu.wavedec_backward,
    "waverec_backward": _cpu.waverec_backward,
    "sandwich": _cpu.sandwich,
    "sandwich_backward": _cpu.sandwich_backward,
}


# --- on the GPU


def _by_device(name: str) -> Callable[..., Any]:
    """Triton's kernel for CUDA, and under its interpreter for a CPU too where it is forced; else the C kernel."""

    def kernel(*args: Any) -> Any:
        x = args[0]
        return (_triton.operator(name) if x.is_cuda or kernel_for(x) == "triton" else _CPU[name])(*args)

    return kernel


_KERNELS = {name: _by_device(name) for name in _CPU}
for _name, _kernel in _KERNELS.items():
    _LIBRARY.impl(_name, _kernel if _triton.INTERPRETED else _CPU[_name], "CPU")  # type: ignore[no-untyped-call]
    _LIBRARY.impl(_name, _kernel, "CUDA")  # type: ignore[no-untyped-call]


# --- shapes alone


def _empty(like: Tensor, needed: bool) -> Tensor:
    return like.new_empty(like.shape if needed else (0,))


def _fake_sandwich_backward(grad: Tensor, x: Tensor, *args: Any) -> list[Tensor]:
    diag_in, _, diag_mid, diag_out, bias, *bank = args[:9]
    sources = (x, diag_in, diag_mid, diag_out, bias, *bank)
    return [_empty(diag_out if t is None else t, needed) for t, needed in zip(sources, args[-1], strict=True)]


def _fake_transform_backward(grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, *args: Any) -> tuple[Tensor, ...]:
    return tuple(_empty(t, needed) for t, needed in zip((x, lo, hi), args[-1], strict=True))


_FAKES: dict[str, Callable[..., Any]] = {
    "fwht": lambda x, scale: torch.empty_like(x, memory_format=torch.contiguous_format),
    "wavedec": lambda x, lo, hi, mode, level: x.new_empty(
        (*x.shape[:-1], _packed_length(x.shape[-1], lo, mode, level))
    ),
    "waverec": lambda packed, lo, hi, n, mode, level: packed.new_empty((*packed.shape[:-1], n)),
    "wavedec_backward": _fake_transform_backward,
    "waverec_backward": _fake_transform_backward,
    "sandwich": lambda x, *args: x.new_empty((*x.shape[:-1], args[3].shape[0])),
    "sandwich_backward": _fake_sandwich_backward,
}
for _name, _fake in _FAKES.items():
    torch.library.register_fake(f"{_NAMESPACE}::{_name}", _fake, lib=_LIBRARY)


# --- derivatives and calls

_OPERATORS = getattr(torch.ops, _NAMESPACE)
_TENSORS = {"fwht": 1, "wavedec": 3, "waverec": 3, "sandwich": 10}  # how many of the inputs, the first ones


def _callable(name: str) -> Callable[..., Any]:
    """The operator; or its kernel under the same derivatives, where nobody would see the operator."""
    operator, tensors = getattr(_OPERATORS, name).default, _TENSORS[name]
    if name == "fwht":
        _derivatives.register_fwht(operator, _LIBRARY)
        straight = _derivatives.direct_fwht(_KERNELS[name], operator)
    else:
        backward = getattr(_OPERATORS, f"{name}_backward").default
        _derivatives.register(name, backward, _LIBRARY)
        straight = _derivatives.direct(name, _KERNELS[name], _KERNELS[f"{name}_backward"], backward)

    def call(*inputs: Any) -> Any:
        return (straight if _derivatives.nobody_looks(*inputs[:tensors]) else operator)(*inputs)

    return call


fwht, wavedec, waverec, sandwich = map(_callable, _TENSORS)
