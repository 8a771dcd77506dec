"""The registered operators: schemas, implementations by device, fakes and derivatives.

Defined through `torch.library.Library`, whose call costs a fraction of that of the `custom_op` decorator. A plain eager
call does without even that, see `_autograd`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from . import _flat as flat
from . import _flat_recurrent as recurrent
from . import cpu, triton
from ._autograd import Operator, eager_fwht, eager_path, register, register_fwht
from ._autograd_recurrent import register as register_recurrent
from ._backend import BACKENDS, REFERENCE, forced_backend
from ._sandwich import CONSTANTS, INDEX, TENSORS
from ._sharding import is_distributed, register_rules
from ._supports import Backend
from ._validate import check_present
from .reference import is_exporting_onnx

NAMESPACE = "learnable_wavelets"
_OPERANDS = ", ".join(f"{kind} {name}" for name, kind in {"x": "Tensor", **TENSORS, **CONSTANTS}.items())
_BANK = "Tensor lo, Tensor hi"
_THREE = "(Tensor, Tensor, Tensor)"
_PLANE_BANKS = "Tensor lo0, Tensor hi0, Tensor lo1, Tensor hi1"
_PLANE = f"Tensor x, {_PLANE_BANKS}, str mode0, str mode1"
_BANDS = f"Tensor aa, Tensor ad, Tensor da, Tensor dd, {_PLANE_BANKS}, int n0, int n1, str mode0, str mode1"
_LEVELS = f"Tensor x, {_BANK}, int axis, int start_level, int level, bool trim"
_LEVEL = f"Tensor cA, Tensor cD, {_BANK}, int axis, int start_level"
SCHEMAS = {
    "fwht": "(Tensor x, float scale) -> Tensor",
    "wavedec": f"(Tensor x, {_BANK}, str mode, int level) -> Tensor",
    "waverec": f"(Tensor packed, {_BANK}, int n, str mode, int level) -> Tensor",
    "wavedec_backward": f"(Tensor grad, Tensor x, {_BANK}, str mode, int level, bool[] needs) -> {_THREE}",
    "waverec_backward": f"(Tensor grad, Tensor packed, {_BANK}, int n, str mode, int level, bool[] needs) -> {_THREE}",
    "dwt2": f"({_PLANE}) -> Tensor",
    "idwt2": f"({_BANDS}) -> Tensor",
    "dwt2_backward": f"(Tensor grad, {_PLANE}, bool[] needs) -> ({', '.join(['Tensor'] * 5)})",
    "idwt2_backward": f"(Tensor grad, {_BANDS}, bool[] needs) -> ({', '.join(['Tensor'] * 8)})",
    "swt": f"({_LEVELS}) -> Tensor",
    "iswt": f"({_LEVEL}) -> Tensor",
    "swt_backward": f"(Tensor grad, {_LEVELS}, bool[] needs) -> {_THREE}",
    "iswt_backward": f"(Tensor grad, {_LEVEL}, bool[] needs) -> ({', '.join(['Tensor'] * 4)})",
    "sandwich": f"({_OPERANDS}) -> Tensor",
    "sandwich_backward": f"(Tensor grad, {_OPERANDS}, bool[] needs) -> ({', '.join(['Tensor'] * len(TENSORS))})",
    **recurrent.SCHEMAS,
}


def _backend(x: Tensor) -> Backend:
    """Return the back end of a registered operator: that of the device of x, or a forced one that takes the device."""
    if x.is_cuda or (triton.INTERPRETED and forced_backend() == "triton"):
        return BACKENDS["triton"]
    return BACKENDS["cpu"] if cpu.AVAILABLE else REFERENCE


def _required(name: str) -> list[tuple[int, str]]:
    """Return place and name of each tensor that must not be `None`."""
    arguments = getattr(getattr(torch.ops, NAMESPACE), name).default._schema.arguments
    return [(place, a.name) for place, a in enumerate(arguments) if isinstance(a.type, torch.TensorType)]


def _implementation(name: str) -> Callable[..., Any]:
    function, required = getattr(flat, name), _required(name)
    data = 1 if name.endswith("_backward") else 0  # the place of x

    def run(*args: Any) -> Any:
        for place, argument in required:
            check_present(argument, args[place])
        backend = _backend(args[data])
        with torch.no_grad():  # the derivatives are those of the registered operator
            found = function(backend, *args)
            if backend is not REFERENCE:
                return found
            # plain torch may return a view, or an argument itself, as no operator may
            several = isinstance(found, tuple)
            results = [t.clone(memory_format=torch.contiguous_format) for t in (found if several else (found,))]
            return results if several else results[0]

    return run


def _fake(name: str) -> Callable[..., Any]:
    function, required = getattr(flat, f"fake_{name}"), _required(name)

    def run(*args: Any) -> Any:
        refuse_onnx(name)
        for place, argument in required:
            check_present(argument, args[place])
        return function(*args)

    return run


def refuse_onnx(name: str) -> None:
    """Say how to export, before the exporter says only that it does not know the operator."""
    if is_exporting_onnx():
        raise RuntimeError(
            f"ONNX has no operator {NAMESPACE}::{name}: give `torch.onnx.export` the module, not a program of "
            f"`torch.export`, with `dynamo=True` and outside of `use_backend`"
        )


LIBRARY = torch.library.Library(NAMESPACE, "DEF")  # type: ignore[no-untyped-call]
for _name, _schema in SCHEMAS.items():
    LIBRARY.define(_name + _schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]
    for _device in ("CPU", "CUDA"):
        LIBRARY.impl(_name, _implementation(_name), _device)  # type: ignore[no-untyped-call]
    torch.library.register_fake(f"{NAMESPACE}::{_name}", _fake(_name), lib=LIBRARY)

OPERATORS = {name: getattr(getattr(torch.ops, NAMESPACE), name).default for name in SCHEMAS}


def call_operator(name: str, *arguments: Any) -> Tensor:
    """Call the registered operator, which compilers, modes and tensor subclasses see."""
    refuse_onnx(name)
    if not torch.compiler.is_compiling() and any(map(is_distributed, arguments)):
        register_rules(getattr(torch.ops, NAMESPACE), tuple(name for name in SCHEMAS if name not in recurrent.SCHEMAS))
    result: Tensor = OPERATORS[name](*arguments)
    return result


def _differentiable(name: str, tensors: int, places: Sequence[int], data: int = 1) -> Callable[..., Any]:
    """Register the derivative of an operator, and return its eager path."""
    operator = Operator(name, tensors, tuple(places), getattr(flat, f"reference_{name}_backward"), data)
    backward = OPERATORS[f"{name}_backward"]
    register(operator, backward, LIBRARY)
    return eager_path(operator, getattr(flat, f"{name}_backward"), backward)


register_fwht(OPERATORS["fwht"], LIBRARY)
EAGER = {
    "fwht": eager_fwht(flat.fwht, OPERATORS["fwht"]),
    "wavedec": _differentiable("wavedec", 3, range(3)),
    "waverec": _differentiable("waverec", 3, range(3)),
    "dwt2": _differentiable("dwt2", 5, range(5)),
    "idwt2": _differentiable("idwt2", 8, range(8), data=4),
    "swt": _differentiable("swt", 3, range(3)),
    "iswt": _differentiable("iswt", 4, range(4), data=2),
    "sandwich": _differentiable("sandwich", 1 + len(TENSORS), [p for p in range(1 + len(TENSORS)) if p != 1 + INDEX]),
    **{
        name: register_recurrent(cell, OPERATORS[f"{name}_backward"], LIBRARY) for name, cell in recurrent.CELLS.items()
    },
}
