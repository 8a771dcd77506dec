"""Calls of the C extension: contiguous tensors in, addresses and sizes across, new tensors out.

The C sees addresses only; `_checks` has made sure of what lies there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ._checks import aligned, check_grad, check_needs, check_power_of_two, check_sandwich, check_transform

try:
    from . import _cpu as _c
except ImportError:  # built without a compiler: everything works in plain torch
    AVAILABLE = False
else:
    AVAILABLE = True

DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}
MODES = {"hadamard": 0, "periodization": 1, "zero": 2}


def _addresses(tensors: list[Tensor | None]) -> list[int]:
    try:
        return list(map(Tensor.data_ptr, tensors))  # type: ignore[arg-type]
    except TypeError:  # some are not there
        return [0 if t is None else t.data_ptr() for t in tensors]


def _rows(x: Tensor) -> int:
    return x.numel() // x.shape[-1]


def _result(like: Tensor, needed: bool) -> Tensor:
    """Room for a gradient; nothing where none is needed, which the C reads as an address of zero."""
    return torch.empty_like(like, memory_format=torch.contiguous_format) if needed else like.new_empty(0)


def _wanted(results: Sequence[Tensor], needs: Sequence[bool]) -> list[int]:
    return [result.data_ptr() if needed else 0 for result, needed in zip(results, needs, strict=True)]


def fwht(x: Tensor, scale: float) -> Tensor:
    check_power_of_two(x.shape[-1])
    x = aligned(x)
    y = torch.empty_like(x)
    _c.fwht(x.data_ptr(), y.data_ptr(), _rows(x), x.shape[-1], scale, DTYPES[x.dtype], torch.get_num_threads())
    return y


def wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> Tensor:
    m = check_transform(x, lo, hi, x.shape[-1], mode, level, packed=False)
    x, lo, hi = aligned(x), lo.contiguous(), hi.contiguous()
    packed = x.new_empty((*x.shape[:-1], m))
    _c.wavedec(
        x.data_ptr(), packed.data_ptr(), _rows(x), x.shape[-1], MODES[mode], level, lo.shape[0],
        lo.data_ptr(), hi.data_ptr(), DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return packed


def waverec(packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor:
    check_transform(packed, lo, hi, n, mode, level, packed=True)
    packed, lo, hi = aligned(packed), lo.contiguous(), hi.contiguous()
    x = packed.new_empty((*packed.shape[:-1], n))
    _c.waverec(
        packed.data_ptr(), x.data_ptr(), _rows(packed), n, MODES[mode], level, lo.shape[0],
        lo.data_ptr(), hi.data_ptr(), DTYPES[packed.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return x


def wavedec_backward(
    grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int, needs: Sequence[bool]
) -> tuple[Tensor, ...]:
    """Gradients of `wavedec` for its first argument and both filters."""
    n = x.shape[-1]
    grad = check_grad(grad, x, check_transform(x, lo, hi, n, mode, level, packed=False))
    return _transform_backward(_c.wavedec_backward, grad, (x, lo, hi), n, mode, level, needs)


def waverec_backward(
    grad: Tensor, packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int, needs: Sequence[bool]
) -> tuple[Tensor, ...]:
    """Gradients of `waverec` for its first argument and both filters."""
    check_transform(packed, lo, hi, n, mode, level, packed=True)
    grad = check_grad(grad, packed, n)
    return _transform_backward(_c.waverec_backward, grad, (packed, lo, hi), n, mode, level, needs)


def _transform_backward(
    call: Callable[..., None],
    grad: Tensor,
    inputs: tuple[Tensor, Tensor, Tensor],
    n: int,
    mode: str,
    level: int,
    needs: Sequence[bool],
) -> tuple[Tensor, ...]:
    x, lo, hi = aligned(inputs[0]), inputs[1].contiguous(), inputs[2].contiguous()
    needs = check_needs(needs, inputs)
    results = tuple(_result(t, needed) for t, needed in zip((x, lo, hi), needs, strict=True))
    call(
        grad.data_ptr(), x.data_ptr(), _rows(x), n, MODES[mode], level, lo.shape[0], lo.data_ptr(), hi.data_ptr(),
        *_wanted(results, needs), DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return results


def sandwich(*inputs: Any) -> Tensor:
    """The inputs are those of the operator: x, B, P, G, S, bias, four filters, layout, mode, level."""
    x, tensors, sizes = _sandwich_inputs(inputs)
    y = torch.empty_like(x) if sizes[1] == sizes[2] else x.new_empty((*x.shape[:-1], sizes[2]))
    _c.sandwich(
        x.data_ptr(), y.data_ptr(), *sizes, *_addresses(tensors), DTYPES[x.dtype], torch.get_num_threads()
    )  # fmt: skip
    return y


def sandwich_backward(grad: Tensor, *inputs: Any) -> list[Tensor]:
    """Gradients of x, B, G, S, bias and the four filters, from x alone: the forward pass is recomputed.

    The inputs are those of the operator, and last which gradients are needed.
    """
    *inputs, needs = inputs  # type: ignore[assignment]
    x, tensors, sizes = _sandwich_inputs(inputs)
    grad = check_grad(grad, x, sizes[2])
    sources = (x, *tensors[:1], *tensors[2:])
    needs = check_needs(needs, sources)
    results = [_result(x if t is None else t, needed) for t, needed in zip(sources, needs, strict=True)]
    _c.sandwich_backward(
        grad.data_ptr(), x.data_ptr(), *sizes, *_addresses(tensors), *_wanted(results, needs),
        DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return results


def _sandwich_inputs(inputs: Sequence[Any]) -> tuple[Tensor, list[Tensor | None], tuple[int, ...]]:
    """Of the C functions, in their order: x, the other tensors, the sizes."""
    x, tensors, layout, mode, level, taps = check_sandwich(inputs)
    in_features, out_features, n, blocks, reduce, wrap = layout
    return x, tensors, (_rows(x), in_features, out_features, blocks, n, reduce, wrap, MODES[mode], level, taps)
