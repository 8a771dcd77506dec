"""The 2-D operators in flat form: checks, shapes for tracers, gradients in plain torch; see `_flat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import reference
from ._supports import Backend
from ._validate import aligned, check_bank, check_data, check_mode, check_needs, check_operand

_FILTERS = ("lo0", "hi0", "lo1", "hi1")
_BANDS = ("aa", "ad", "da", "dd")

reference_dwt2_backward = reference.dwt2_backward
reference_idwt2_backward = reference.idwt2_backward


def of_planes(backend: Backend) -> Any:
    """Return the `PlaneBackend`: the reference in place of a back end that is none."""
    return backend if backend.PLANES.dtypes else reference


def dwt2(backend: Backend, x: Tensor, *args: Any) -> Tensor:
    tensors, _ = _checked_plane(backend, x, *args)
    return owned(backend, of_planes(backend).dwt2(*tensors, *args[4:]))[0]


def dwt2_apart(backend: Backend, x: Tensor, *args: Any) -> tuple[Tensor, ...]:
    """Compute `dwt2` into four tensors."""
    tensors, _ = _checked_plane(backend, x, *args)
    bands: list[Tensor] = of_planes(backend).dwt2_apart(*tensors, *args[4:])
    return tuple(bands)


def dwt2_pullback(backend: Backend, grads: Sequence[Tensor], x: Tensor, *args: Any) -> tuple[Tensor, ...]:
    """Compute `dwt2_backward` from the gradients of four tensors."""
    tensors, lengths = _checked_plane(backend, x, *args[:-1])
    for grad in grads:
        check_operand("grad", grad, (*x.shape[:-2], *lengths), x.dtype, x)
    found = of_planes(backend).dwt2_pullback([*map(aligned, grads)], *tensors, *args[4:-1], args[-1])
    return tuple(found)


def dwt2_backward(backend: Backend, grad: Tensor, x: Tensor, *args: Any) -> tuple[Tensor, ...]:
    tensors, lengths = _checked_plane(backend, x, *args[:-1])
    check_operand("grad", grad, (4, *x.shape[:-2], *lengths), x.dtype, x)
    needs = check_needs(args[-1], tensors)
    return owned(backend, *of_planes(backend).dwt2_backward(aligned(grad), *tensors, *args[4:-1], needs))


def idwt2(backend: Backend, *args: Any) -> Tensor:
    tensors = _checked_bands(backend, *args)
    return owned(backend, of_planes(backend).idwt2(*tensors, *args[8:]))[0]


def idwt2_backward(backend: Backend, grad: Tensor, *args: Any) -> tuple[Tensor, ...]:
    *arguments, needs = args
    tensors = _checked_bands(backend, *arguments)
    check_operand("grad", grad, (*args[0].shape[:-2], *args[8:10]), args[0].dtype, args[0])
    needs = check_needs(needs, tensors)
    return owned(backend, *of_planes(backend).idwt2_backward(aligned(grad), *tensors, *args[8:-1], needs))


def owned(backend: Backend, *results: Tensor) -> tuple[Tensor, ...]:
    """Return contiguous results that are no views, where the reference stands in for a kernel."""
    if backend.PLANES.dtypes:
        return results
    return tuple(t.clone(memory_format=torch.contiguous_format) for t in results)


def _checked_plane(backend: Backend, x: Tensor, *args: Any) -> tuple[tuple[Tensor, ...], tuple[int, int]]:
    """Return x and the filters, contiguous, and the lengths of the bands."""
    *filters, mode0, mode1 = args
    _check_kind(backend, "x", x, filters, (mode0, mode1))
    lengths = plane_lengths((x.shape[-2], x.shape[-1]), filters, (mode0, mode1))
    return (aligned(x), *[f.contiguous() for f in filters]), lengths


def _checked_bands(backend: Backend, *args: Any) -> tuple[Tensor, ...]:
    """Return bands and filters, contiguous."""
    bands, filters, n0, n1, *modes = args[:4], args[4:8], *args[8:]
    _check_kind(backend, "aa", bands[0], filters, modes)
    shape = (*bands[0].shape[:-2], *plane_lengths((n0, n1), filters, modes))
    for name, band in zip(_BANDS, bands, strict=True):
        check_operand(name, band, shape, bands[0].dtype, bands[0])
    if any(mode == "periodization" and n % 2 for n, mode in zip((n0, n1), modes, strict=True)):
        raise ValueError(f"`n0` and `n1` must be even in mode 'periodization', got {n0} and {n1}")
    return (*map(aligned, bands), *[f.contiguous() for f in filters])


def _check_kind(backend: Backend, name: str, data: Tensor, filters: Sequence[Tensor], modes: Sequence[str]) -> None:
    for mode in modes:
        check_data(data, name, of_planes(backend).PLANES, mode)
    if data.dim() < 2:
        raise ValueError(f"`{name}` must have at least 2 dimensions, got shape {tuple(data.shape)}")
    for argument, taps in zip(_FILTERS, filters, strict=True):
        check_operand(argument, taps, tuple(taps.shape), data.dtype, data)


def plane_lengths(sizes: tuple[int, int], filters: Sequence[Tensor], modes: Sequence[str]) -> tuple[int, int]:
    """Return the lengths of the bands of a plane, after a check that the sizes fit together."""
    found = []
    for n, (lo, hi), mode in zip(sizes, (filters[:2], filters[2:]), modes, strict=True):
        check_mode(mode)
        if n < 1:
            raise ValueError(f"a plane must have at least 1 sample along each axis, got {n}")
        found.append(reference.coeff_lengths(n, check_bank(lo, hi), mode, 1)[0])
    return found[0], found[1]


def fake_dwt2(x: Tensor, *args: Any) -> Tensor:
    check_data(x, "x")
    return x.new_empty((4, *x.shape[:-2], *plane_lengths((x.shape[-2], x.shape[-1]), args[:4], args[4:])))


def fake_idwt2(aa: Tensor, *args: Any) -> Tensor:
    check_data(aa, "aa")
    return aa.new_empty((*aa.shape[:-2], *args[7:9]))


def fake_dwt2_backward(grad: Tensor, x: Tensor, *args: Any) -> tuple[Tensor, ...]:
    return fake_gradients((x, *args[:4]), args[-1])


def fake_idwt2_backward(grad: Tensor, *args: Any) -> tuple[Tensor, ...]:
    return fake_gradients(args[:8], args[-1])


def fake_gradients(inputs: Sequence[Tensor], needs: Sequence[bool]) -> tuple[Tensor, ...]:
    wanted = check_needs(needs, inputs)
    return tuple(t.new_empty(t.shape if needed else (0,)) for t, needed in zip(inputs, wanted, strict=True))
