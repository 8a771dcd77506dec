"""The fast Walsh-Hadamard transform."""

from __future__ import annotations

from torch import Tensor

from .._checks import check_axis, check_flag, check_signal
from ..kernels import _dispatch as kernels
from ..kernels._precision import full_precision


def fwht(data: Tensor, normalized: bool = True) -> Tensor:
    r"""Compute the Walsh-Hadamard transform of the last axis: `data @ scipy.linalg.hadamard(n)`, over $\sqrt n$.

    Natural (Hadamard, Sylvester) order, $H_{2n} = \begin{pmatrix} H_n & H_n \\ H_n & -H_n \end{pmatrix}$ and
    $H_n H_n^T = n I$; normalised, the transform is orthogonal and its own inverse.

    Args:
        data: real tensor whose last dimension is a power of two; float16 and bfloat16 are computed in float32.
        normalized: divide by $\sqrt n$.

    Shape:
        `(..., n)` to `(..., n)`.

    Raises:
        TypeError: `data` is not a real floating-point tensor; `normalized` is not a bool.
        ValueError: the last dimension of `data` is not a power of two.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> lw.functional.fwht(torch.tensor([1.0, 0.0, 0.0, 0.0]), normalized=False).tolist()
        [1.0, 1.0, 1.0, 1.0]

    References:
        Fino and Algazi, *Unified matrix treatment of the fast Walsh-Hadamard transform*, 1976.
    """
    if check_signal(data).dim() == 0:
        raise ValueError("`data` must have at least one dimension, got shape ()")
    check_axis(data, -1)
    check_flag("normalized", normalized)
    n = data.shape[-1]
    if n & (n - 1):
        raise ValueError(f"`data` must have a last dimension that is a power of two, got {n}")
    with full_precision(data):
        return kernels.fwht(data, n**-0.5 if normalized else 1.0)
