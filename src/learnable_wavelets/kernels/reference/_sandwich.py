"""The formula that both layers share, y = S W^-1 G P W B x + bias, in plain torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from .._layout import Layout
from ._hadamard import hadamard_transform
from ._wavelet import analyse, coeff_lengths, synthesise


def sandwich(
    x: Tensor,
    diag_in: Tensor,
    permutation: Tensor,
    diag_mid: Tensor,
    diag_out: Tensor,
    bias: Tensor | None,
    bank: Sequence[Tensor | None],
    layout: Sequence[int],
    mode: str,
    level: int,
) -> Tensor:
    r"""$y = S\, W^{-1}\, G\, P\, W\, B\, x + \text{bias}$.

    Args:
        x: `(..., in_features)`; may be of a half type beside float32 parameters, and then so is the result.
        diag_in: the diagonal of B, `layout.diag_in_shape`.
        permutation: P as indices, `(blocks, m)`: coefficient i of the result is number `permutation[i]`.
        diag_mid: the diagonal of G, `(blocks, m)`.
        diag_out: the diagonal of S, `(out_features,)`.
        bias: `(out_features,)` or nothing.
        bank: dec_lo, dec_hi, rec_lo, rec_hi; four times nothing for the Hadamard matrix.
        layout: the entries of a `Layout`.
        mode: `hadamard`, or the signal extension of the wavelet transform.
        level: number of scales.

    Returns:
        `(..., out_features)`.
    """
    shape = Layout(*layout)  # type: ignore[arg-type]
    coeffs = _transform(_deal(x.to(diag_out.dtype), diag_in, shape), bank, mode, level)
    mixed = _permute(coeffs, permutation) * diag_mid
    y = _gather(_inverse(mixed, bank, mode, level, shape.n), shape) * diag_out
    return (y if bias is None else y + bias).to(x.dtype)


def _transform(x: Tensor, bank: Sequence[Tensor | None], mode: str, level: int) -> Tensor:
    lo, hi = bank[:2]
    if lo is None or hi is None:
        return hadamard_transform(x).mul(x.shape[-1] ** -0.5)
    return torch.cat(analyse(x, lo, hi, mode, level), dim=-1)


def _inverse(packed: Tensor, bank: Sequence[Tensor | None], mode: str, level: int, n: int) -> Tensor:
    lo, hi = bank[2:]
    if lo is None or hi is None:
        return hadamard_transform(packed).mul(n**-0.5)
    lengths = list(coeff_lengths(n, lo.shape[0], mode, level))
    signal = synthesise(torch.split(packed, lengths, dim=-1), lo, hi, mode)
    assert signal is not None  # every coefficient is there
    return signal[..., :n]


def _permute(coeffs: Tensor, permutation: Tensor) -> Tensor:
    """Each block by its own permutation, as one gather along the last axis."""
    blocks, m = permutation.shape
    if coeffs.shape[-1] != m:  # filters of another length than those that the layer was made with
        raise ValueError(f"`permutation` must have shape {tuple(coeffs.shape[-2:])}, got {(blocks, m)}")
    if blocks > 1:
        permutation = permutation + m * torch.arange(blocks, device=permutation.device)[:, None]
    return coeffs.flatten(-2).index_select(-1, permutation.flatten()).view(coeffs.shape)


def _deal(x: Tensor, diag_in: Tensor, layout: Layout) -> Tensor:
    """`B x`, in blocks: `(..., in_features)` to `(..., blocks, n)`."""
    if layout.reduce:
        padded = pad(x * diag_in, (0, layout.blocks * layout.n - layout.in_features))
        return padded.view(*x.shape[:-1], layout.blocks, layout.n)
    return pad(x[..., None, :] * diag_in, (0, layout.n - layout.in_features))


def _gather(blocks: Tensor, layout: Layout) -> Tensor:
    """`(..., blocks, n)` to `(..., out_features)`."""
    y = blocks.sum(-2) if layout.reduce and layout.blocks > 1 else blocks.flatten(-2)
    if not layout.wrap:
        return y[..., : layout.out_features]
    turns = -(-layout.made // layout.out_features)
    if turns == 1:
        return y
    padded = pad(y, (0, turns * layout.out_features - layout.made))
    return padded.view(*y.shape[:-1], turns, layout.out_features).sum(-2)
