"""The operators: functional schemas, kernels by device, fake implementations and autograd.

Defined through `torch.library.Library`, whose call costs a fraction of that of the `custom_op` decorator: a recurrent
step or a batch of one row would feel the difference. Derivatives of first order run in kernels that recompute from x;
those of second order differentiate the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from . import _cpu_calls as _cpu
from . import _triton_calls as _triton
from . import reference
from ._backend import kernel_for
from ._layout import Layout

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


def _wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> Tensor:
    return _cpu.wavedec(x, lo, hi, _packed_length(x.shape[-1], lo, mode, level), mode, level)


def _wavedec_backward(
    grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int, needs: Sequence[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    return _cpu.transform_backward("wavedec", grad, x, lo, hi, x.shape[-1], mode, level, needs)


def _waverec_backward(
    grad: Tensor, packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int, needs: Sequence[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    return _cpu.transform_backward("waverec", grad, packed, lo, hi, n, mode, level, needs)


def _sandwich(*args: Any) -> Tensor:
    x, diag_in, permutation, diag_mid, diag_out, bias, *bank, layout, mode, level = args
    return _cpu.sandwich(x, diag_in, permutation, diag_mid, diag_out, bias, bank, Layout(*layout), mode, level)


def _sandwich_backward(*args: Any) -> list[Tensor]:
    grad, x, diag_in, permutation, diag_mid, diag_out, bias, *bank, layout, mode, level, needs = args
    return _cpu.sandwich_backward(
        grad, x, diag_in, permutation, diag_mid, diag_out, bias, bank, Layout(*layout), mode, level, needs
    )


_CPU: dict[str, Callable[..., Any]] = {
    "fwht": _cpu.fwht,
    "wavedec": _wavedec,
    "waverec": _cpu.waverec,
    "wavedec_backward": _wavedec_backward,
    "waverec_backward": _waverec_backward,
    "sandwich": _sandwich,
    "sandwich_backward": _sandwich_backward,
}

# --- on the GPU


def _by_triton(name: str) -> Callable[..., Any]:
    return lambda *args: _triton.operator(name)(*args)


def _interpreted(name: str) -> Callable[..., Any]:
    """On a CPU under Triton's interpreter: its kernels where they are forced."""
    return lambda *args: (_triton.operator(name) if kernel_for(args[0]) == "triton" else _CPU[name])(*args)


for _name, _kernel in _CPU.items():
    _LIBRARY.impl(_name, _interpreted(_name) if _triton.INTERPRETED else _kernel, "CPU")  # type: ignore[no-untyped-call]
    _LIBRARY.impl(_name, _by_triton(_name), "CUDA")  # type: ignore[no-untyped-call]


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


# --- derivatives


def _reference_wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> Tensor:
    return torch.cat(reference.analyse(x, lo, hi, mode, level), dim=-1)


def _reference_waverec(packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor:
    lengths = list(reference.coeff_lengths(n, lo.shape[0], mode, level))
    x = reference.synthesise(torch.split(packed, lengths, dim=-1), lo, hi, mode)
    assert x is not None  # every coefficient is there
    return x[..., :n]


def _reference_sandwich(*args: Any) -> Tensor:
    x, diag_in, permutation, diag_mid, diag_out, bias, *bank, layout, mode, level = args
    y = reference.sandwich(
        x.to(diag_out.dtype), diag_in, permutation, diag_mid, diag_out, bias, bank, layout, mode, level
    )
    return y.to(x.dtype)


_TWINS: dict[str, Callable[..., Tensor]] = {
    "wavedec": _reference_wavedec,
    "waverec": _reference_waverec,
    "sandwich": _reference_sandwich,
}
_OPERATORS = getattr(torch.ops, _NAMESPACE)


def _register(name: str, places: Sequence[int]) -> None:
    """Autograd of an operator whose backward takes `(grad, *inputs, needs)` for the inputs at `places`."""
    forward, backward = getattr(_OPERATORS, name), getattr(_OPERATORS, f"{name}_backward")

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*(v if isinstance(v, Tensor) else None for v in inputs))
        ctx.constants = tuple(None if isinstance(v, Tensor) else v for v in inputs)

    def differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs = [c if t is None else t for t, c in zip(ctx.saved_tensors, ctx.constants, strict=True)]
        needs = [bool(ctx.needs_input_grad[place]) for place in places]
        if torch.is_grad_enabled():  # create_graph=True: these gradients are to be differentiated once more
            grads = _twin_gradients(name, inputs, [p for p, needed in zip(places, needs, strict=True) if needed], grad)
        else:
            grads = dict(zip(places, backward(grad, *inputs, needs), strict=True))
            grads = {place: g for (place, g), needed in zip(grads.items(), needs, strict=True) if needed}
        return tuple(grads.get(place) for place in range(len(inputs)))

    torch.library.register_autograd(
        f"{_NAMESPACE}::{forward.__name__}", differentiate, setup_context=setup_context, lib=_LIBRARY
    )


def _twin_gradients(name: str, inputs: list[Any], places: list[int], grad: Tensor) -> dict[int, Tensor]:
    y = _TWINS[name](*inputs)
    wanted = [inputs[place] for place in places]
    # at level 0 the filters have no effect: zeros
    found = torch.autograd.grad(y, wanted, grad, create_graph=True, allow_unused=True, materialize_grads=True)
    return dict(zip(places, found, strict=True))


def _fwht_setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.scale = inputs[1]


def _fwht_backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    return _OPERATORS.fwht(grad, ctx.scale), None  # a symmetric matrix; the call is differentiable as it is


torch.library.register_autograd(f"{_NAMESPACE}::fwht", _fwht_backward, setup_context=_fwht_setup, lib=_LIBRARY)
_register("wavedec", (0, 1, 2))
_register("waverec", (0, 1, 2))
_register("sandwich", (0, 1, 3, 4, 5, 6, 7, 8, 9))

fwht = _OPERATORS.fwht.default
wavedec = _OPERATORS.wavedec.default
waverec = _OPERATORS.waverec.default
sandwich = _OPERATORS.sandwich.default
