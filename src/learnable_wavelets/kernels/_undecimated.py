"""The operators of the stationary transform in flat form: checks, shapes for tracers, gradients; see `_flat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from . import reference
from ._planes import fake_gradients, of_planes, owned
from ._supports import Backend
from ._validate import aligned, check_bank, check_data, check_needs, check_operand

_DEEPEST = 48

reference_swt_backward = reference.swt_backward
reference_iswt_backward = reference.iswt_backward


def swt(backend: Backend, x: Tensor, lo: Tensor, hi: Tensor, *args: Any) -> Tensor:
    tensors = _checked(backend, {"x": x}, lo, hi, *args[:3])
    return owned(backend, of_planes(backend).swt(*tensors, *args))[0]


def swt_backward(backend: Backend, grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, *args: Any) -> tuple[Tensor, ...]:
    *arguments, needs = args
    tensors = _checked(backend, {"x": x}, lo, hi, *arguments[:3])
    check_operand("grad", grad, (_count(*arguments[2:]), *x.shape), x.dtype, x)
    needs = check_needs(needs, tensors)
    return owned(backend, *of_planes(backend).swt_backward(aligned(grad), *tensors, *arguments, needs))


def iswt(backend: Backend, cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int) -> Tensor:
    tensors = _checked(backend, {"cA": cA, "cD": cD}, lo, hi, axis, start_level)
    return owned(backend, of_planes(backend).iswt(*tensors, axis, start_level))[0]


def iswt_backward(
    backend: Backend, grad: Tensor, cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int,
    needs: Sequence[bool],
) -> tuple[Tensor, ...]:  # fmt: skip
    tensors = _checked(backend, {"cA": cA, "cD": cD}, lo, hi, axis, start_level)
    check_operand("grad", grad, tuple(cA.shape), cA.dtype, cA)
    needs = check_needs(needs, tensors)
    return owned(backend, *of_planes(backend).iswt_backward(aligned(grad), *tensors, axis, start_level, needs))


def _checked(
    backend: Backend, named: dict[str, Tensor], lo: Tensor, hi: Tensor, axis: int, start_level: int, level: int = 1
) -> tuple[Tensor, ...]:
    """Return data and filters, contiguous."""
    first = next(iter(named.values()))
    for name, data in named.items():
        check_data(data, name, of_planes(backend).PLANES)
        check_operand(name, data, tuple(first.shape), first.dtype, first)
    _check_levels(first, axis, start_level, level)
    taps = check_bank(lo, hi)
    for name, taps_of in (("lo", lo), ("hi", hi)):
        check_operand(name, taps_of, (taps,), first.dtype, first)
    return (*map(aligned, named.values()), lo.contiguous(), hi.contiguous())


def _check_levels(x: Tensor, axis: int, start_level: int, level: int) -> None:
    if not -x.dim() <= axis < 0:
        raise ValueError(f"`axis` must be between {-x.dim()} and -1, got {axis}")
    if x.shape[axis] < 1:
        raise ValueError(f"`x` must have at least 1 sample along axis {axis}, got shape {tuple(x.shape)}")
    if start_level < 0 or level < 1 or start_level + level > _DEEPEST:
        expected = f"`start_level` and `level` must be at least 0 and 1 and at most {_DEEPEST} together"
        raise ValueError(f"{expected}, got {start_level} and {level}")


def _count(level: int, trim: bool) -> int:
    return level + 1 if trim else 2 * level


def fake_swt(x: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int, level: int, trim: bool) -> Tensor:
    check_data(x, "x")
    _check_levels(x, axis, start_level, level)
    check_bank(lo, hi)
    return x.new_empty((_count(level, trim), *x.shape))


def fake_iswt(cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int) -> Tensor:
    check_data(cA, "cA")
    check_bank(lo, hi)
    return cA.new_empty(cA.shape)


def fake_swt_backward(grad: Tensor, *args: Any) -> tuple[Tensor, ...]:
    return fake_gradients(args[:3], args[-1])


def fake_iswt_backward(grad: Tensor, *args: Any) -> tuple[Tensor, ...]:
    return fake_gradients(args[:4], args[-1])
