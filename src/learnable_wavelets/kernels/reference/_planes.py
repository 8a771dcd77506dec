"""One level of the 2-D transform of the last two axes, and its inverse, in plain torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ._backward import Gradients, gradients
from ._wavelet import decompose_level, reconstruct_level


def dwt2(x: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor, mode0: str, mode1: str) -> Tensor:
    """Return the bands aa, ad, da, dd, `(4, ..., m0, m1)`; the first letter and filter belong to axis -2."""
    columns = decompose_level(x.transpose(-2, -1), lo0, hi0, mode0)
    bands = [band for c in columns for band in decompose_level(c.transpose(-2, -1), lo1, hi1, mode1)]
    return torch.stack(bands)


def idwt2(
    aa: Tensor, ad: Tensor, da: Tensor, dd: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor,
    n0: int, n1: int, mode0: str, mode1: str,
) -> Tensor:  # fmt: skip
    """Invert `dwt2`, and return the first n0 x n1 samples."""
    low, high = (reconstruct_level(a, d, lo1, hi1, mode1)[..., :n1].transpose(-2, -1) for a, d in ((aa, ad), (da, dd)))
    return reconstruct_level(low, high, lo0, hi0, mode0)[..., :n0].transpose(-2, -1)


def dwt2_backward(
    grad: Tensor, x: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor, mode0: str, mode1: str,
    needs: Sequence[bool],
) -> Gradients:  # fmt: skip
    modes: Any = (mode0, mode1)

    def function(*inputs: Any) -> Tensor:
        return dwt2(*inputs, *modes)

    return gradients(function, (x, lo0, hi0, lo1, hi1), grad, needs)


def idwt2_backward(
    grad: Tensor, aa: Tensor, ad: Tensor, da: Tensor, dd: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor,
    n0: int, n1: int, mode0: str, mode1: str, needs: Sequence[bool],
) -> Gradients:  # fmt: skip
    rest: Any = (n0, n1, mode0, mode1)

    def function(*inputs: Any) -> Tensor:
        return idwt2(*inputs, *rest)

    return gradients(function, (aa, ad, da, dd, lo0, hi0, lo1, hi1), grad, needs)
