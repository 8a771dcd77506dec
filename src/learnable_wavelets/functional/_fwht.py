"""The fast Walsh-Hadamard transform as a few small matrix products."""

from __future__ import annotations

import torch
from torch import Tensor

from ._check import check_axis, check_signal, compute_dtype, full_precision

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


def fwht(x: Tensor, normalized: bool = True) -> Tensor:
    r"""Fast Walsh-Hadamard transform on the last axis: equals `x @ scipy.linalg.hadamard(n)`, over $\sqrt n$.

    Natural (Hadamard, Sylvester) order, $H_{2n} = \begin{pmatrix} H_n & H_n \\ H_n & -H_n \end{pmatrix}$ and
    $H_n H_n^T = n I$; normalised, the transform is orthogonal and its own inverse.

    Args:
        x: real tensor whose last dimension is a power of two; float16 and bfloat16 are computed in float32.
        normalized: divide by $\sqrt n$.

    Shape:
        `(..., n)` to `(..., n)`.

    Raises:
        TypeError: `x` is not a real floating-point tensor.
        ValueError: the last dimension of `x` is not a power of two.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> lw.functional.fwht(torch.tensor([1.0, 0.0, 0.0, 0.0]), normalized=False).tolist()
        [1.0, 1.0, 1.0, 1.0]

    References:
        Fino and Algazi, *Unified matrix treatment of the fast Walsh-Hadamard transform*, 1976.
    """
    check_axis(check_signal(x), -1)
    n = x.shape[-1]
    if n & (n - 1):
        raise ValueError(f"`x` must have a last dimension that is a power of two, got {n}")
    with full_precision(x):
        y = hadamard_transform(x.to(compute_dtype(x.dtype)))
        return (y * n**-0.5 if normalized else y).to(x.dtype)
