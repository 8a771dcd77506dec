"""Compute the whole layer: one kernel where a row fits on chip, else passes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
from torch import Tensor

from .._layout import Layout
from .._sandwich import Sandwich, sources
from . import _launch, _passes, _tiles
from .device import _sandwich as device


def sandwich(x: Tensor, operands: Sandwich) -> Tensor:
    layout, level, half = operands.layout, operands.transform.level, operands.transform.taps // 2
    y = x.new_empty((*x.shape[:-1], layout.out_features))
    if y.numel() == 0:
        return y
    if not on_chip(layout, x.dtype, "forward"):
        return _passes.sandwich(x, operands)
    diag_in, permutation, diag_mid, diag_out, bias = operands[:5]
    rows = _launch.row_count(x)
    size = _tiles.tile(layout.n, rows, x, "forward")
    slots = 1 if layout.sum_blocks else layout.blocks
    tail = slots > 1 and layout.wrap_outputs and layout.raw_outputs > layout.out_features
    turns = -(-layout.raw_outputs // layout.out_features) if slots == 1 and layout.wrap_outputs else 1
    count = slots * _tiles.programs(triton.cdiv(rows, size.R), size, x.device)
    with _launch.on(x):
        device.sandwich[(count,)](
            x, diag_in, permutation, diag_mid, diag_out, bias, *operands.transform.bank, y, rows, layout.in_features,
            layout.out_features, layout.blocks, slots, R=size.R, N=size.N, n=layout.n, LEVEL=level, HALF=half,
            K=_tiles.shifts(half)[0], BITS=layout.n.bit_length() - 1, REDUCE=layout.sum_blocks, TAIL=tail, TURNS=turns,
            SINGLE=not tail and layout.blocks == slots, HAS_BIAS=bias is not None, SCALE=operands.scale,
            **_tiles.options(x, *size[2:]),
        )  # fmt: skip
    return y


def sandwich_backward(grad: Tensor, x: Tensor, operands: Sandwich, needs: Sequence[bool]) -> list[Tensor]:
    """Return the gradients of x, B, G, S, bias and the four filters; an empty tensor where none is needed."""
    work = _one_kernel if on_chip(operands.layout, x.dtype, "backward") else _passes.sandwich_backward
    dx, sums = work(grad, x, operands, needs)
    inputs = sources(x, operands.tensors())
    return [
        g.to(t.dtype).reshape(t.shape) if needed and t is not None else operands.diag_out.new_empty(0)
        for g, t, needed in zip((dx, *sums), inputs, needs, strict=True)
    ]


def on_chip(layout: Layout, dtype: torch.dtype, direction: str) -> bool:
    """Return whether rows fit and outputs wrap as in the layers: in one slot, or from the last block to the first."""
    surplus = layout.raw_outputs - layout.out_features
    simple = layout.sum_blocks or layout.blocks == 1 or surplus < layout.n
    return _tiles.fits(layout.n, dtype, direction) and simple


def _one_kernel(grad: Tensor, x: Tensor, operands: Sandwich, needs: Sequence[bool]) -> tuple[Tensor, list[Tensor]]:
    diag_in, permutation, diag_mid, diag_out, _, transform, layout, scale = operands
    rows, half, blocks = _launch.row_count(x), transform.taps // 2, layout.blocks
    size = _tiles.tile(layout.n, rows, x, "backward")
    K, C = _tiles.shifts(half)
    count = _tiles.programs(triton.cdiv(rows, size.R), size, x.device)
    several = blocks > 1 and not layout.sum_blocks  # blocks that read the same x: their gradients are added afterwards
    real = torch.empty(0, dtype=_tiles.real_dtype(x), device=x.device)
    dx = real.new_empty(blocks, *x.shape) if several else torch.empty_like(x)
    parts = real.new_empty(count, blocks, 4 * layout.n + 8 * half)
    if rows:
        with _launch.on(x):
            device.sandwich_backward[(count * blocks,)](
                grad, x, diag_in, permutation, _passes.inverse(permutation), diag_mid, diag_out, *transform.bank, dx,
                parts, rows, layout.in_features, layout.out_features, blocks, R=size.R, N=size.N, n=layout.n,
                LEVEL=transform.level, HALF=half, K=K, BITS=layout.n.bit_length() - 1, REDUCE=layout.sum_blocks,
                WRAP=layout.wrap_outputs, C=C,
                V=_tiles.partial_sums(half, size.warps), DIAGONALS=any(needs[1:5]), FILTERS=any(needs[5:]),
                SCALE=scale, **_tiles.options(x, *size[2:]),
            )  # fmt: skip
    return dx.sum(0) if several else dx, _unpack(parts.sum(0), layout)


def _unpack(sums: Tensor, layout: Layout) -> list[Tensor]:
    """Split `[blocks, 4*n + filters]` into the gradients of B, G, S, bias and the filters."""
    n = layout.n
    first, middle, last, bias = (sums[:, i * n : (i + 1) * n] for i in range(4))
    if layout.sum_blocks:
        first, last, bias = first.flatten()[: layout.in_features], last.sum(0), bias[0]
    else:
        first, last, bias = first[:, : layout.in_features], last.flatten(), bias.flatten()
    filters = sums[:, 4 * n :].sum(0).chunk(4)
    return [first, middle, _passes.fold(last, layout), bias[: layout.out_features], *filters]
