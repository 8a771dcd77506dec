"""Calls of the C extension: contiguous, checked tensors in; addresses and sizes across; new tensors out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .._sandwich import Sandwich, sources
from .._validate import packed_length
from . import _cpu as _c

# Numbers that the C knows them by.
DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}
HADAMARD = 0
MODES = {
    "periodization": 1, "zero": 2, "constant": 3, "symmetric": 4, "periodic": 5, "smooth": 6, "reflect": 7,
    "antisymmetric": 8, "antireflect": 9,
}  # fmt: skip


def _addresses(tensors: Sequence[Tensor | None]) -> list[int]:
    try:
        return list(map(Tensor.data_ptr, tensors))  # type: ignore[arg-type]
    except TypeError:  # some are absent
        return [0 if t is None else t.data_ptr() for t in tensors]


def _rows(x: Tensor) -> int:
    return x.numel() // x.shape[-1]


def _results(inputs: Sequence[Tensor | None], needs: Sequence[bool], like: Tensor) -> tuple[list[Tensor], list[int]]:
    """Allocate gradients, and return them with their addresses; the C reads 0 as not needed."""
    results = [
        torch.empty_like(t) if n and t is not None else like.new_empty(0) for t, n in zip(inputs, needs, strict=True)
    ]
    return results, [r.data_ptr() if needed else 0 for r, needed in zip(results, needs, strict=True)]


def fwht(x: Tensor, scale: float) -> Tensor:
    y = torch.empty_like(x)
    _c.fwht(x.data_ptr(), y.data_ptr(), _rows(x), x.shape[-1], scale, DTYPES[x.dtype], torch.get_num_threads())
    return y


def wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> Tensor:
    n, taps = x.shape[-1], lo.shape[0]
    packed = x.new_empty((*x.shape[:-1], packed_length(n, taps, mode, level)))
    _c.wavedec(
        x.data_ptr(), packed.data_ptr(), _rows(x), n, MODES[mode], level, taps,
        lo.data_ptr(), hi.data_ptr(), DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return packed


def waverec(packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor:
    x = packed.new_empty((*packed.shape[:-1], n))
    _c.waverec(
        packed.data_ptr(), x.data_ptr(), _rows(packed), n, MODES[mode], level, lo.shape[0],
        lo.data_ptr(), hi.data_ptr(), DTYPES[packed.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return x


def wavedec_backward(
    grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int, needs: Sequence[bool]
) -> list[Tensor]:
    """Return the gradients of `wavedec` for its first argument and both filters."""
    return _transform_backward(_c.wavedec_backward, grad, (x, lo, hi), x.shape[-1], mode, level, needs)


def waverec_backward(
    grad: Tensor, packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int, needs: Sequence[bool]
) -> list[Tensor]:
    """Return the gradients of `waverec` for its first argument and both filters."""
    return _transform_backward(_c.waverec_backward, grad, (packed, lo, hi), n, mode, level, needs)


def _transform_backward(
    call: Callable[..., None],
    grad: Tensor,
    inputs: tuple[Tensor, Tensor, Tensor],
    n: int,
    mode: str,
    level: int,
    needs: Sequence[bool],
) -> list[Tensor]:
    x, lo, hi = inputs
    results, addresses = _results(inputs, needs, x)
    call(
        grad.data_ptr(), x.data_ptr(), _rows(x), n, MODES[mode], level, lo.shape[0], lo.data_ptr(), hi.data_ptr(),
        *addresses, DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return results


def sandwich(x: Tensor, operands: Sandwich) -> Tensor:
    layout = operands.layout
    square = layout.in_features == layout.out_features
    y = torch.empty_like(x) if square else x.new_empty((*x.shape[:-1], layout.out_features))
    _c.sandwich(
        x.data_ptr(), y.data_ptr(), *_sizes(x, operands), *_addresses(operands.tensors()),
        DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return y


def sandwich_backward(grad: Tensor, x: Tensor, operands: Sandwich, needs: Sequence[bool]) -> list[Tensor]:
    """Return the gradients of x, B, G, S, bias and the four filters, from x alone: the forward pass is recomputed."""
    tensors = operands.tensors()
    results, addresses = _results(sources(x, tensors), needs, operands.diag_out)
    _c.sandwich_backward(
        grad.data_ptr(), x.data_ptr(), *_sizes(x, operands), *_addresses(tensors), *addresses,
        DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return results


def _sizes(x: Tensor, operands: Sandwich) -> tuple[int | float, ...]:
    """Return the numbers of a call in the order of the C."""
    transform, layout, scale = operands[5:]
    in_features, out_features, n, blocks, sum_blocks, wrap_outputs = layout
    mode = HADAMARD if transform.kind == "hadamard" else MODES[transform.mode]
    return (
        _rows(x), in_features, out_features, blocks, n, sum_blocks, wrap_outputs,
        mode, transform.level, transform.taps, scale,
    )  # fmt: skip
