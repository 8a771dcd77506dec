"""The Walsh-Hadamard transform in plain torch, as a few small matrix products."""

from __future__ import annotations

import torch
from torch import Tensor

# 64 x 64 factors: two products up to n = 4096. Larger factors cost arithmetic, smaller ones passes over memory.
_FACTOR_BITS = 6


def hadamard(n: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> Tensor:
    """The n x n Sylvester matrix, entries +1 and -1: the sign is the parity of the bits that i and j share."""
    i = torch.arange(n, device=device)
    shared = i[:, None] & i[None, :]
    for shift in (16, 8, 4, 2, 1):
        shared = shared ^ (shared >> shift)
    return (1 - 2 * (shared & 1)).to(dtype or torch.get_default_dtype())


def hadamard_transform(x: Tensor) -> Tensor:
    """`x @ H_n` on the last axis, unnormalised and unchecked: H_n is a Kronecker product, each factor one product."""
    n = x.shape[-1]
    bits = n.bit_length() - 1
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
