"""Calls of the C extension: contiguous tensors in, addresses and sizes across, new tensors out.

Trusts its input; the checks are at the public edge, and the C refuses sizes that do not fit together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ._layout import Layout

try:
    from . import _cpu as _c
except ImportError:  # built without a compiler: everything works in plain torch
    AVAILABLE = False
else:
    AVAILABLE = True

DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}
MODES = {"hadamard": 0, "periodization": 1, "zero": 2}


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _rows(x: Tensor) -> int:
    return x.numel() // x.shape[-1]


def _result(like: Tensor, needed: bool) -> Tensor:
    """Room for a gradient; nothing where none is needed, which the C reads as an address of zero."""
    return torch.empty_like(like, memory_format=torch.contiguous_format) if needed else like.new_empty(0)


def _wanted(results: Sequence[Tensor], needs: Sequence[bool]) -> list[int]:
    return [result.data_ptr() if needed else 0 for result, needed in zip(results, needs, strict=True)]


def fwht(x: Tensor, scale: float) -> Tensor:
    x = x.contiguous()
    y = torch.empty_like(x)
    _c.fwht(x.data_ptr(), y.data_ptr(), _rows(x), x.shape[-1], scale, DTYPES[x.dtype], torch.get_num_threads())
    return y


def wavedec(x: Tensor, lo: Tensor, hi: Tensor, m: int, mode: str, level: int) -> Tensor:
    x, lo, hi = x.contiguous(), lo.contiguous(), hi.contiguous()
    packed = x.new_empty((*x.shape[:-1], m))
    _c.wavedec(
        x.data_ptr(), packed.data_ptr(), _rows(x), x.shape[-1], MODES[mode], level, lo.shape[0],
        lo.data_ptr(), hi.data_ptr(), DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return packed


def waverec(packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor:
    packed, lo, hi = packed.contiguous(), lo.contiguous(), hi.contiguous()
    x = packed.new_empty((*packed.shape[:-1], n))
    _c.waverec(
        packed.data_ptr(), x.data_ptr(), _rows(packed), n, MODES[mode], level, lo.shape[0],
        lo.data_ptr(), hi.data_ptr(), DTYPES[packed.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return x


def transform_backward(
    name: str, grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int, needs: Sequence[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `wavedec` or `waverec` for their first argument and both filters."""
    grad, x, lo, hi = grad.contiguous(), x.contiguous(), lo.contiguous(), hi.contiguous()
    results = tuple(_result(t, needed) for t, needed in zip((x, lo, hi), needs, strict=True))
    getattr(_c, f"{name}_backward")(
        grad.data_ptr(), x.data_ptr(), _rows(x), n, MODES[mode], level, lo.shape[0], lo.data_ptr(), hi.data_ptr(),
        *_wanted(results, needs), DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return results[0], results[1], results[2]


def _sizes(x: Tensor, bank: Sequence[Tensor | None], layout: Layout, mode: str, level: int) -> tuple[int, ...]:
    taps = 0 if bank[0] is None else bank[0].shape[0]
    return (
        _rows(x), layout.in_features, layout.out_features, layout.blocks, layout.n,
        int(layout.reduce), int(layout.wrap), MODES[mode], level, taps,
    )  # fmt: skip


def sandwich(
    x: Tensor,
    diag_in: Tensor,
    permutation: Tensor,
    diag_mid: Tensor,
    diag_out: Tensor,
    bias: Tensor | None,
    bank: Sequence[Tensor | None],
    layout: Layout,
    mode: str,
    level: int,
) -> Tensor:
    x, bank = x.contiguous(), _contiguous(bank)
    parameters = _contiguous((diag_in, diag_mid, permutation, diag_out, bias))
    y = x.new_empty((*x.shape[:-1], layout.out_features))
    _c.sandwich(
        x.data_ptr(), y.data_ptr(), *_sizes(x, bank, layout, mode, level),
        *map(_address, parameters), *map(_address, bank), DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return y


def sandwich_backward(
    grad: Tensor,
    x: Tensor,
    diag_in: Tensor,
    permutation: Tensor,
    diag_mid: Tensor,
    diag_out: Tensor,
    bias: Tensor | None,
    bank: Sequence[Tensor | None],
    layout: Layout,
    mode: str,
    level: int,
    needs: Sequence[bool],
) -> list[Tensor]:
    """Gradients of x, B, G, S, bias and the four filters, from x alone: the forward pass is recomputed."""
    grad, x, bank = grad.contiguous(), x.contiguous(), _contiguous(bank)
    diag_in, diag_mid, permutation, diag_out, bias = _contiguous((diag_in, diag_mid, permutation, diag_out, bias))  # type: ignore[assignment]
    sources = [diag_out if t is None else t for t in (x, diag_in, diag_mid, diag_out, bias, *bank)]
    results = [_result(t, needed) for t, needed in zip(sources, needs, strict=True)]
    _c.sandwich_backward(
        grad.data_ptr(), x.data_ptr(), *_sizes(x, bank, layout, mode, level),
        *map(_address, (diag_in, diag_mid, permutation, diag_out, bias)), *map(_address, bank),
        *_wanted(results, needs), DTYPES[x.dtype], torch.get_num_threads(),
    )  # fmt: skip
    return results


def _contiguous(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if t is None else t.contiguous() for t in tensors]
