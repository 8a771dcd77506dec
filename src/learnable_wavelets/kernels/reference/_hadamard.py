"""The Walsh-Hadamard transform in plain torch, as a few small matrix products."""

from __future__ import annotations

import torch
from torch import Tensor

from .._precision import compute_dtype

# 64 x 64 factors: two products up to n = 4096. Larger factors cost arithmetic, smaller ones passes over memory.
_FACTOR_BITS = 6


def hadamard(n: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Tensor:
    """Return the n x n Sylvester matrix: entry (i, j) is +1 or -1 by the parity of the bits that i and j share."""
    i = torch.arange(n, device=device)
    shared = i[:, None] & i[None, :]
    for shift in (16, 8, 4, 2, 1):
        shared = shared ^ (shared >> shift)
    return (1 - 2 * (shared & 1)).to(dtype or torch.get_default_dtype())


def fwht(x: Tensor, scale: float) -> Tensor:
    """Return `scale * x @ H_n` on the last axis, in the dtype of x; half dtypes are computed in float32."""
    return hadamard_transform(x.to(compute_dtype(x.dtype))).mul(scale).to(x.dtype)


def hadamard_transform(x: Tensor) -> Tensor:
    """Return `x @ H_n` on the last axis: H_n is a Kronecker product, and each factor one matrix product."""
    n = x.shape[-1]
    bits = int(n).bit_length() - 1
    steps = max(1, -(-bits // _FACTOR_BITS))
    y = x
    inner = 1
    for step in range(steps):
        size = 1 << (bits // steps + (step < bits % steps))
        factor = hadamard(size, device=x.device, dtype=x.dtype)
        if inner == 1:
            y = y.reshape(*x.shape[:-1], n // size, size) @ factor
        else:
            y = factor @ y.reshape(*x.shape[:-1], n // (size * inner), size, inner)
        inner *= size
    return y.reshape(x.shape)
