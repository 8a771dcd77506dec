"""The layer in passes over global memory, for widths that do not fit on chip and for layouts out of the ordinary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from .._layout import Layout
from . import _tiles
from ._transforms import analyse, analyse_backward, fwht, synthesise, synthesise_backward

Bank = Sequence[Tensor | None]


def sandwich(
    x: Tensor, diag_in: Tensor, permutation: Tensor, diag_mid: Tensor, diag_out: Tensor, bias: Tensor | None,
    bank: Bank, layout: Layout, level: int,
) -> Tensor:  # fmt: skip
    rows = x.view(-1, layout.in_features).to(_tiles.real_dtype(x))
    coeffs = _transform(_deal(rows * diag_in if layout.reduce else rows[:, None] * diag_in, layout), bank[:2], level)
    mixed = _permute(coeffs, permutation).mul_(diag_mid)
    y = fold(_join(_inverse(mixed, bank[2:], level), layout), layout).mul_(diag_out)
    return (y if bias is None else y.add_(bias)).to(x.dtype).view(*x.shape[:-1], layout.out_features)


def sandwich_backward(
    grad: Tensor, x: Tensor, diag_in: Tensor, permutation: Tensor, diag_mid: Tensor, diag_out: Tensor, bank: Bank,
    layout: Layout, level: int, needs: Sequence[bool],
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    """Gradients of x, and of B, G, S, bias and the filters; `needs` is left to the caller."""
    rows = x.view(-1, layout.in_features).to(_tiles.real_dtype(x))
    grads = grad.view(-1, layout.out_features).to(rows.dtype)
    dealt = _deal(rows * diag_in if layout.reduce else rows[:, None] * diag_in, layout)
    permuted = _permute(_transform(dealt, bank[:2], level), permutation)
    mixed = permuted * diag_mid
    made = fold(_join(_inverse(mixed, bank[2:], level), layout), layout)
    dmixed, rec = _inverse_backward(_spread(grads * diag_out, layout), mixed, bank[2:], level)
    dcoeffs = _permute(dmixed * diag_mid, inverse(permutation))
    ddealt, dec = _transform_backward(dcoeffs, dealt, bank[:2], level)
    ddealt = _undeal(ddealt, layout)  # (rows, in_features), or (rows, blocks, in_features)
    per_block = rows if layout.reduce else rows[:, None]
    dx = ddealt * diag_in
    sums = [(ddealt * per_block).sum(0), (dmixed * permuted).sum(0), (grads * made).sum(0), grads.sum(0)]
    return dx if layout.reduce else dx.sum(1), [*sums, *dec, *rec]


def inverse(permutation: Tensor) -> Tensor:
    """`inverse(p)[p[i]] == i` in each row."""
    places = torch.arange(permutation.shape[-1], device=permutation.device).expand_as(permutation)
    # zeros, so that no place is beyond the row even if an index comes twice
    return torch.zeros_like(permutation).scatter_(-1, permutation, places)


def fold(made: Tensor, layout: Layout) -> Tensor:
    """Outputs from what the blocks made, `(..., made)`: surplus is wrapped and added, or cut."""
    out = layout.out_features
    if not layout.wrap:
        return made[..., :out]
    turns = -(-layout.made // out)
    return pad(made, (0, turns * out - layout.made)).view(*made.shape[:-1], turns, out).sum(-2)


def _spread(grads: Tensor, layout: Layout) -> Tensor:
    """Adjoint of `fold(_join(...))`: `(rows, out_features)` to `(rows, blocks, n)`."""
    surplus = layout.made - layout.out_features
    if layout.wrap:
        grads = grads.repeat(1, -(-layout.made // layout.out_features))[:, : layout.made]
    else:
        grads = pad(grads, (0, surplus))
    if layout.reduce:
        return grads[:, None].expand(-1, layout.blocks, -1).contiguous()
    return grads.reshape(-1, layout.blocks, layout.n)


def _join(blocks: Tensor, layout: Layout) -> Tensor:
    return blocks.sum(1) if layout.reduce else blocks.flatten(1)


def _deal(x: Tensor, layout: Layout) -> Tensor:
    """To `(rows, blocks, n)`."""
    if layout.reduce:
        return pad(x, (0, layout.blocks * layout.n - layout.in_features)).view(-1, layout.blocks, layout.n)
    return pad(x, (0, layout.n - layout.in_features))


def _undeal(blocks: Tensor, layout: Layout) -> Tensor:
    """Adjoint of `_deal`."""
    return (blocks.flatten(1) if layout.reduce else blocks)[..., : layout.in_features]


def _permute(coeffs: Tensor, permutation: Tensor) -> Tensor:
    blocks, m = permutation.shape
    places = (permutation + m * torch.arange(blocks, device=permutation.device)[:, None]).flatten()
    return coeffs.flatten(1).index_select(1, places).view(coeffs.shape)


def _transform(x: Tensor, bank: Bank, level: int) -> Tensor:
    lo, hi = bank
    return fwht(x, x.shape[-1] ** -0.5) if lo is None or hi is None else analyse(x.contiguous(), lo, hi, level)


def _inverse(packed: Tensor, bank: Bank, level: int) -> Tensor:
    lo, hi = bank
    if lo is None or hi is None:
        return fwht(packed, packed.shape[-1] ** -0.5)
    return synthesise(packed.contiguous(), lo, hi, level)


def _transform_backward(grad: Tensor, x: Tensor, bank: Bank, level: int) -> tuple[Tensor, Sequence[Tensor]]:
    lo, hi = bank
    if lo is None or hi is None:
        return fwht(grad, grad.shape[-1] ** -0.5), grad.new_empty(2, 0).unbind()
    dx, filters = analyse_backward(grad.contiguous(), x.contiguous(), lo, hi, level)
    return dx, filters.unbind()


def _inverse_backward(grad: Tensor, packed: Tensor, bank: Bank, level: int) -> tuple[Tensor, Sequence[Tensor]]:
    lo, hi = bank
    if lo is None or hi is None:
        return fwht(grad, grad.shape[-1] ** -0.5), grad.new_empty(2, 0).unbind()
    dpacked, filters = synthesise_backward(grad.contiguous(), packed.contiguous(), lo, hi, level)
    return dpacked, filters.unbind()
