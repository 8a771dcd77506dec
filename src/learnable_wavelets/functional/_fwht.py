"""The fast Walsh-Hadamard transform."""

from __future__ import annotations

from torch import Tensor

from ..kernels import _dispatch as kernels
from ._arguments import check_flag
from ._check import check_axis, check_signal, full_precision


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
        TypeError: `x` is not a real floating-point tensor; `normalized` is no bool.
        ValueError: the last dimension of `x` is not a power of two.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> lw.functional.fwht(torch.tensor([1.0, 0.0, 0.0, 0.0]), normalized=False).tolist()
        [1.0, 1.0, 1.0, 1.0]

    References:
        Fino and Algazi, *Unified matrix treatment of the fast Walsh-Hadamard transform*, 1976.
    """
    if check_signal(x).dim() == 0:
        raise ValueError("`x` must have at least one dimension, got shape ()")
    check_axis(x, -1)
    check_flag("normalized", normalized)
    n = x.shape[-1]
    if n & (n - 1):
        raise ValueError(f"`x` must have a last dimension that is a power of two, got {n}")
    with full_precision(x):
        return kernels.fwht(x, n**-0.5 if normalized else 1.0)
