r"""Compute `fwht`, `wavedec`, `waverec` and their gradients: on chip where rows fit, else in passes.

The rule for passes. Hadamard: $H_{ab} = H_a \otimes H_b$, so a row of a*b values is a matrix, transformed along its
rows, with b as wide as fits, and then along its columns, at most 256 values a pass. Wavelet: level by level through
global memory, until the approximation fits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import _launch, _tiles


def fwht(x: Tensor, scale: float) -> Tensor:
    y = torch.empty_like(x)
    if x.numel() == 0:
        return y
    n = x.shape[-1]
    if _tiles.fits(n, x.dtype, "forward"):
        _launch.fwht_rows(x, y, scale)
        return y
    done = n
    while not _tiles.fits(done, x.dtype, "forward"):
        done //= 2
    between = torch.empty_like(x, dtype=_tiles.real_dtype(x))
    _launch.fwht_rows(x.view(-1, done), between.view(-1, done), scale)
    while done < n:
        shape = (-1, min(n // done, _launch.TALLEST), done)
        done *= shape[1]
        _launch.fwht_columns(between.view(shape), (between if done < n else y).view(shape))
    return y


def wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> Tensor:
    return decompose(x, lo, hi, level).view(x.shape)


def waverec(packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor:
    return reconstruct(packed, lo, hi, level).view(packed.shape)


def wavedec_backward(
    grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int, needs: Sequence[bool]
) -> list[Tensor]:
    return _backward(grad, x, lo, hi, level, needs, analysis=True)


def waverec_backward(
    grad: Tensor, packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int, needs: Sequence[bool]
) -> list[Tensor]:
    return _backward(grad, packed, lo, hi, level, needs, analysis=False)


def _backward(
    grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, level: int, needs: Sequence[bool], *, analysis: bool
) -> list[Tensor]:
    if needs[1] or needs[2]:
        dx, filters = (decompose_backward if analysis else reconstruct_backward)(grad, x, lo, hi, level)
    else:
        adjoint = reconstruct if analysis else decompose
        dx, filters = adjoint(grad, lo, hi, level, flip=True), lo.new_empty(2, 0)
    wanted = (dx.view(x.shape), filters[0].to(lo.dtype), filters[1].to(hi.dtype))
    return [t.clone() if needed else t.new_empty(0) for t, needed in zip(wanted, needs, strict=True)]


def decompose(x: Tensor, lo: Tensor, hi: Tensor, level: int, *, flip: bool = False) -> Tensor:
    """Return the packed coefficients of contiguous rows."""
    packed = torch.empty_like(x)
    if x.numel() == 0:
        return packed
    if level == 0 or _tiles.fits(x.shape[-1], x.dtype, "forward"):
        _launch.transform(x, lo, hi, packed, level, flip=flip, analysis=True)
        return packed
    rows = packed.view(-1, x.shape[-1])
    coarse, cD = _bands(rows)
    cA = torch.empty_like(coarse, memory_format=torch.contiguous_format)
    _launch.decompose_level(x.view(rows.shape), lo, hi, cA, cD, flip=flip)
    coarse.copy_(decompose(cA, lo, hi, level - 1, flip=flip))
    return packed


def reconstruct(packed: Tensor, lo: Tensor, hi: Tensor, level: int, *, flip: bool = False) -> Tensor:
    """Return the signal of contiguous rows of packed coefficients."""
    x = torch.empty_like(packed)
    if x.numel() == 0:
        return x
    if level == 0 or _tiles.fits(x.shape[-1], x.dtype, "forward"):
        _launch.transform(packed, lo, hi, x, level, flip=flip, analysis=False)
        return x
    rest, cD = _bands(packed.view(-1, x.shape[-1]))
    cA = reconstruct(rest.contiguous(), lo, hi, level - 1, flip=flip)
    _launch.reconstruct_level(cA, cD, lo, hi, x.view(-1, x.shape[-1]), flip=flip)
    return x


def decompose_backward(grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, level: int) -> tuple[Tensor, Tensor]:
    """Return the gradients of the signal, and of both filters as `(2, taps)`."""
    dx = torch.empty_like(x)
    if level == 0 or x.numel() == 0:
        return dx.copy_(grad), lo.new_zeros(2, lo.shape[0])
    if _tiles.fits(x.shape[-1], x.dtype, "backward"):
        return dx, _launch.transform_backward(grad, x, lo, hi, dx, level, analysis=True)
    rows = x.view(-1, x.shape[-1])
    rest, dD = _bands(grad.view(rows.shape))
    cA, cD = (torch.empty_like(dD, memory_format=torch.contiguous_format) for _ in range(2))
    _launch.decompose_level(rows, lo, hi, cA, cD, flip=False)
    dA, coarser = decompose_backward(rest.contiguous(), cA, lo, hi, level - 1)
    _launch.reconstruct_level(dA, dD, lo, hi, dx.view(rows.shape), flip=True)
    return dx, coarser + _launch.filter_gradient(dA, dD, rows, lo.shape[0], flip=False)


def reconstruct_backward(grad: Tensor, packed: Tensor, lo: Tensor, hi: Tensor, level: int) -> tuple[Tensor, Tensor]:
    """Return the gradients of the packed coefficients, and of both filters as `(2, taps)`."""
    dpacked = torch.empty_like(packed)
    if level == 0 or packed.numel() == 0:
        return dpacked.copy_(grad), lo.new_zeros(2, lo.shape[0])
    if _tiles.fits(packed.shape[-1], packed.dtype, "backward"):
        return dpacked, _launch.transform_backward(grad, packed, lo, hi, dpacked, level, analysis=False)
    rows = grad.view(-1, packed.shape[-1])
    rest, cD = _bands(packed.view(rows.shape))
    drest, dD = _bands(dpacked.view(rows.shape))
    dA, cA = torch.empty_like(rest, memory_format=torch.contiguous_format), rest.contiguous()
    _launch.decompose_level(rows, lo, hi, dA, dD, flip=True)
    filters = _launch.filter_gradient(reconstruct(cA, lo, hi, level - 1), cD, rows, lo.shape[0], flip=True)
    below, coarser = reconstruct_backward(dA, cA, lo, hi, level - 1)
    drest.copy_(below)
    return dpacked, coarser + filters


def _bands(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Return views: the coefficients before the details of the finest level, and these details."""
    first, second = packed.chunk(2, dim=-1)
    return first, second
