"""The formula that both layers share, y = scale * S W^-1 G P W B x + bias, in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from .._layout import Layout
from .._sandwich import Sandwich, Transform
from ._form import decompose, is_one_matrix, reconstruct, take
from ._hadamard import hadamard_transform
from ._wavelet import coeff_lengths


def sandwich(x: Tensor, operands: Sandwich) -> Tensor:
    r"""Return $y = c\, S\, W^{-1}\, G\, P\, W\, B\, x + \text{bias}$ with c the `scale` of the operands.

    Args:
        x: `(..., in_features)`; may have a half dtype beside float32 parameters, and then so does the result.
        operands: the diagonals, the permutation, the bias, the pair of transforms, the layout and the scale.

    Returns:
        `(..., out_features)`.
    """
    form = _product if is_one_matrix(operands.layout, operands.transform) else _formula
    return form(x, operands)


def _product(x: Tensor, operands: Sandwich) -> Tensor:
    """Multiply by the matrix of the layer, which a runtime computes when it loads the program."""
    unit = torch.eye(operands.layout.in_features, dtype=operands.diag_out.dtype, device=x.device)
    y = x.to(unit.dtype) @ _formula(unit, operands._replace(bias=None))
    return (y if operands.bias is None else y + operands.bias).to(x.dtype)


def _formula(x: Tensor, operands: Sandwich) -> Tensor:
    diag_in, permutation, diag_mid, diag_out, bias, transform, layout, scale = operands
    coeffs = _transform(_split_input(x.to(diag_out.dtype), diag_in, layout), transform)
    mixed = _permute(coeffs, permutation) * (diag_mid if scale == 1 else diag_mid * scale)
    y = _merge_blocks(_inverse(mixed, transform, layout.n), layout) * diag_out
    return (y if bias is None else y + bias).to(x.dtype)


def _transform(x: Tensor, transform: Transform) -> Tensor:
    lo, hi = transform.bank[:2]
    if lo is None or hi is None:
        return hadamard_transform(x).mul(x.shape[-1] ** -0.5)
    return torch.cat(decompose(x, lo, hi, transform.mode, transform.level), dim=-1)


def _inverse(packed: Tensor, transform: Transform, n: int) -> Tensor:
    lo, hi = transform.bank[2:]
    if lo is None or hi is None:
        return hadamard_transform(packed).mul(n**-0.5)
    lengths = list(coeff_lengths(n, transform.taps, transform.mode, transform.level))
    return reconstruct(torch.split(packed, lengths, dim=-1), lo, hi, transform.mode)[..., :n]


def _permute(coeffs: Tensor, permutation: Tensor) -> Tensor:
    """Permute each block by its own row, in one gather along the last axis."""
    blocks, m = permutation.shape
    if blocks > 1:
        permutation = permutation + m * torch.arange(blocks, device=permutation.device)[:, None]
    return take(coeffs.flatten(-2), permutation.flatten()).view(coeffs.shape)


def _split_input(x: Tensor, diag_in: Tensor, layout: Layout) -> Tensor:
    """Return `B x`, in blocks: `(..., in_features)` to `(..., blocks, n)`."""
    if layout.sum_blocks:
        padded = pad(x * diag_in, (0, layout.blocks * layout.n - layout.in_features))
        return padded.view(*x.shape[:-1], layout.blocks, layout.n)
    return pad(x[..., None, :] * diag_in, (0, layout.n - layout.in_features))


def _merge_blocks(blocks: Tensor, layout: Layout) -> Tensor:
    """Sum or concatenate blocks, then wrap or cut: `(..., blocks, n)` to `(..., out_features)`."""
    y = blocks.sum(-2) if layout.sum_blocks and layout.blocks > 1 else blocks.flatten(-2)
    if not layout.wrap_outputs:
        return y[..., : layout.out_features]
    turns = -(-layout.raw_outputs // layout.out_features)
    if turns == 1:
        return y
    padded = pad(y, (0, turns * layout.out_features - layout.raw_outputs))
    return padded.view(*y.shape[:-1], turns, layout.out_features).sum(-2)
