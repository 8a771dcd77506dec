"""The whole layer: one kernel where a row fits on chip, else in passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton
from torch import Tensor

from .._checks import check_grad, check_needs, check_sandwich
from .._layout import Layout
from . import _launch, _passes, _tiles
from .device import _sandwich as device

Bank = Sequence[Tensor | None]


def sandwich(*args: Any) -> Any:
    """The operator; arguments as its schema has them."""
    x, (diag_in, permutation, diag_mid, diag_out, bias, *bank), layout, level = _checked(args)
    y = x.new_empty((*x.shape[:-1], layout.out_features))
    if y.numel() == 0:
        return y
    if not on_chip(layout, x.dtype, "forward"):
        return _passes.sandwich(x, diag_in, permutation, diag_mid, diag_out, bias, bank, layout, level)
    rows, half = _launch.row_count(x), _half(bank)
    size = _tiles.tile(layout.n, rows, x, "forward")
    slots = 1 if layout.reduce else layout.blocks
    tail = slots > 1 and layout.wrap and layout.made > layout.out_features
    turns = -(-layout.made // layout.out_features) if slots == 1 and layout.wrap else 1
    count = slots * _tiles.programs(triton.cdiv(rows, size.R), size, x.device)
    with _launch.on(x):
        device.sandwich[(count,)](
            x, diag_in, permutation, diag_mid, diag_out, bias, *bank, y, rows, layout.in_features,
            layout.out_features, layout.blocks, slots, R=size.R, N=size.N, n=layout.n, LEVEL=level, HALF=half,
            K=_tiles.shifts(half)[0], BITS=layout.n.bit_length() - 1, REDUCE=layout.reduce, TAIL=tail, TURNS=turns,
            SINGLE=not tail and layout.blocks == slots, HAS_BIAS=bias is not None, **_tiles.options(x, *size[2:]),
        )  # fmt: skip
    return y


def sandwich_backward(*args: Any) -> list[Tensor]:
    """The operator: gradients of x, B, G, S, bias and the four filters; nothing where none is needed."""
    grad, *inputs, needs = args
    x, (diag_in, permutation, diag_mid, diag_out, bias, *bank), layout, level = _checked(inputs)
    grad = check_grad(grad, x, layout.out_features)
    needs = check_needs(needs, (x, diag_in, diag_mid, diag_out, bias, *bank))
    work = _one_kernel if on_chip(layout, x.dtype, "backward") else _passes.sandwich_backward
    dx, sums = work(grad, x, diag_in, permutation, diag_mid, diag_out, bank, layout, level, needs)
    sources = (x, diag_in, diag_mid, diag_out, bias, *bank)
    found = (dx, *sums)
    return [
        g.to(source.dtype).reshape(source.shape) if needed else diag_out.new_empty(0)
        for g, source, needed in zip(found, sources, needs, strict=True)
    ]


def on_chip(layout: Layout, dtype: torch.dtype, direction: str) -> bool:
    """Rows fit, and outputs are wrapped as in the layers: within one slot, or from the last block to the first."""
    surplus = layout.made - layout.out_features
    simple = layout.reduce or layout.blocks == 1 or surplus < layout.n
    return _tiles.fits(layout.n, dtype, direction) and simple


def _one_kernel(
    grad: Tensor, x: Tensor, diag_in: Tensor, permutation: Tensor, diag_mid: Tensor, diag_out: Tensor, bank: Bank,
    layout: Layout, level: int, needs: Sequence[bool],
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    rows, half, blocks = _launch.row_count(x), _half(bank), layout.blocks
    size = _tiles.tile(layout.n, rows, x, "backward")
    K, C = _tiles.shifts(half)
    count = _tiles.programs(triton.cdiv(rows, size.R), size, x.device)
    several = blocks > 1 and not layout.reduce  # blocks that read the same x: their gradients are added afterwards
    real = torch.empty(0, dtype=_tiles.real_dtype(x), device=x.device)
    dx = real.new_empty(blocks, *x.shape) if several else torch.empty_like(x)
    parts = real.new_empty(count, blocks, 4 * layout.n + 8 * half)
    if rows:
        with _launch.on(x):
            device.sandwich_backward[(count * blocks,)](
                grad, x, diag_in, permutation, _passes.inverse(permutation), diag_mid, diag_out, *bank, dx, parts,
                rows, layout.in_features, layout.out_features, blocks, R=size.R, N=size.N, n=layout.n, LEVEL=level,
                HALF=half, K=K, BITS=layout.n.bit_length() - 1, REDUCE=layout.reduce, WRAP=layout.wrap, C=C,
                V=_tiles.partial_sums(half, size.warps), DIAGONALS=any(needs[1:5]), FILTERS=any(needs[5:]),
                **_tiles.options(x, *size[2:]),
            )  # fmt: skip
    return dx.sum(0) if several else dx, _unpack(parts.sum(0), layout)


def _unpack(sums: Tensor, layout: Layout) -> list[Tensor]:
    """Of `[blocks, 4*n + filters]`: the gradients of B, G, S, bias and the filters."""
    n = layout.n
    first, middle, last, bias = (sums[:, i * n : (i + 1) * n] for i in range(4))
    if layout.reduce:
        first, last, bias = first.flatten()[: layout.in_features], last.sum(0), bias[0]
    else:
        first, last, bias = first[:, : layout.in_features], last.flatten(), bias.flatten()
    filters = sums[:, 4 * n :].sum(0).chunk(4)
    return [first, middle, _passes.fold(last, layout), bias[: layout.out_features], *filters]


def _half(bank: Bank) -> int:
    return 0 if bank[0] is None else bank[0].shape[0] // 2


def _checked(inputs: Sequence[Any]) -> tuple[Tensor, list[Any], Layout, int]:
    x, tensors, layout, mode, level, _ = check_sandwich(inputs)
    if mode == "zero":
        raise ValueError("`mode` must be periodization or hadamard for these kernels, got 'zero'")
    return x, tensors, Layout(*layout), level  # type: ignore[arg-type]
