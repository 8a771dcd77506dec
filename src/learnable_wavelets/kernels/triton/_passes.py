"""Compute the layer in passes over global memory, for widths that do not fit on chip and for unusual layouts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from .._layout import Layout
from .._sandwich import Sandwich, Transform
from . import _tiles
from ._transforms import decompose, decompose_backward, fwht, reconstruct, reconstruct_backward


def sandwich(x: Tensor, operands: Sandwich) -> Tensor:
    diag_in, permutation, diag_mid, diag_out, bias, transform, layout, scale = operands
    rows = x.view(-1, layout.in_features).to(_tiles.real_dtype(x))
    coeffs = _transform(_split_input(rows, diag_in, layout), transform)
    mixed = _permute(coeffs, permutation).mul_(diag_mid * scale)
    y = fold(_join(_inverse(mixed, transform), layout), layout).mul_(diag_out)
    return (y if bias is None else y.add_(bias)).to(x.dtype).view(*x.shape[:-1], layout.out_features)


def sandwich_backward(
    grad: Tensor, x: Tensor, operands: Sandwich, needs: Sequence[bool]
) -> tuple[Tensor, list[Tensor]]:
    """Return the gradients of x, and of B, G, S, bias and the filters; the caller picks those that are needed."""
    diag_in, permutation, diag_mid, diag_out, _, transform, layout, scale = operands
    rows = x.view(-1, layout.in_features).to(_tiles.real_dtype(x))
    grads, middle = grad.view(-1, layout.out_features).to(rows.dtype), diag_mid * scale
    blocks = _split_input(rows, diag_in, layout)
    permuted = _permute(_transform(blocks, transform), permutation)
    mixed = permuted * middle
    raw = fold(_join(_inverse(mixed, transform), layout), layout)
    dmixed, rec = _inverse_backward(_spread(grads * diag_out, layout), mixed, transform)
    dcoeffs = _permute(dmixed * middle, inverse(permutation))
    dblocks, dec = _transform_backward(dcoeffs, blocks, transform)
    dblocks = _undo_split(dblocks, layout)  # (rows, in_features), or (rows, blocks, in_features)
    per_block = rows if layout.sum_blocks else rows[:, None]
    dx = dblocks * diag_in
    dmid = (dmixed * permuted).sum(0) * scale
    sums = [(dblocks * per_block).sum(0), dmid, (grads * raw).sum(0), grads.sum(0)]
    return dx if layout.sum_blocks else dx.sum(1), [*sums, *dec, *rec]


def inverse(permutation: Tensor) -> Tensor:
    """Invert each row: `inverse(p)[p[i]] == i`."""
    places = torch.arange(permutation.shape[-1], device=permutation.device).expand_as(permutation)
    # zeros, so that no place is beyond the row even if an index comes twice
    return torch.zeros_like(permutation).scatter_(-1, permutation, places)


def fold(raw: Tensor, layout: Layout) -> Tensor:
    """Wrap surplus outputs round and add them, or cut: `(..., raw_outputs)` to `(..., out_features)`."""
    out = layout.out_features
    if not layout.wrap_outputs:
        return raw[..., :out]
    turns = -(-layout.raw_outputs // out)
    return pad(raw, (0, turns * out - layout.raw_outputs)).view(*raw.shape[:-1], turns, out).sum(-2)


def _spread(grads: Tensor, layout: Layout) -> Tensor:
    """Apply the adjoint of `fold(_join(...))`: `(rows, out_features)` to `(rows, blocks, n)`."""
    surplus = layout.raw_outputs - layout.out_features
    if layout.wrap_outputs:
        grads = grads.repeat(1, -(-layout.raw_outputs // layout.out_features))[:, : layout.raw_outputs]
    else:
        grads = pad(grads, (0, surplus))
    if layout.sum_blocks:
        return grads[:, None].expand(-1, layout.blocks, -1).contiguous()
    return grads.reshape(-1, layout.blocks, layout.n)


def _join(blocks: Tensor, layout: Layout) -> Tensor:
    return blocks.sum(1) if layout.sum_blocks else blocks.flatten(1)


def _split_input(rows: Tensor, diag_in: Tensor, layout: Layout) -> Tensor:
    """Return `B x` as `(rows, blocks, n)`."""
    x = rows * diag_in if layout.sum_blocks else rows[:, None] * diag_in
    if layout.sum_blocks:
        return pad(x, (0, layout.blocks * layout.n - layout.in_features)).view(-1, layout.blocks, layout.n)
    return pad(x, (0, layout.n - layout.in_features))


def _undo_split(blocks: Tensor, layout: Layout) -> Tensor:
    """Drop the padding of `_split_input`: the adjoint of the padding and the view."""
    return (blocks.flatten(1) if layout.sum_blocks else blocks)[..., : layout.in_features]


def _permute(coeffs: Tensor, permutation: Tensor) -> Tensor:
    blocks, m = permutation.shape
    places = (permutation + m * torch.arange(blocks, device=permutation.device)[:, None]).flatten()
    return coeffs.flatten(1).index_select(1, places).view(coeffs.shape)


def _transform(x: Tensor, transform: Transform) -> Tensor:
    lo, hi = transform.bank[:2]
    if lo is None or hi is None:
        return fwht(x.contiguous(), x.shape[-1] ** -0.5)
    return decompose(x.contiguous(), lo, hi, transform.level)


def _inverse(packed: Tensor, transform: Transform) -> Tensor:
    lo, hi = transform.bank[2:]
    if lo is None or hi is None:
        return fwht(packed.contiguous(), packed.shape[-1] ** -0.5)
    return reconstruct(packed.contiguous(), lo, hi, transform.level)


def _transform_backward(grad: Tensor, x: Tensor, transform: Transform) -> tuple[Tensor, Sequence[Tensor]]:
    lo, hi = transform.bank[:2]
    if lo is None or hi is None:
        return fwht(grad.contiguous(), grad.shape[-1] ** -0.5), grad.new_empty(2, 0).unbind()
    dx, filters = decompose_backward(grad.contiguous(), x.contiguous(), lo, hi, transform.level)
    return dx, filters.unbind()


def _inverse_backward(grad: Tensor, packed: Tensor, transform: Transform) -> tuple[Tensor, Sequence[Tensor]]:
    lo, hi = transform.bank[2:]
    if lo is None or hi is None:
        return fwht(grad.contiguous(), grad.shape[-1] ** -0.5), grad.new_empty(2, 0).unbind()
    dpacked, filters = reconstruct_backward(grad.contiguous(), packed.contiguous(), lo, hi, transform.level)
    return dpacked, filters.unbind()
