"""Soft thresholding with thresholds that train."""

from __future__ import annotations

from math import log
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_dtype, check_int, check_number, check_size
from ._dwt import Coefficients


class SoftThreshold(nn.Module):
    r"""Shrink details towards zero, with one learned threshold for each band: $c - \mathrm{clamp}(c, -t, t)$.

    $t = e^\theta$ with the parameter $\theta$, so that it stays positive and moves in proportion. The approximation
    passes through.

    Args:
        level: number of levels of the coefficients.
        dims: number of transformed dimensions: $2^{dims} - 1$ detail bands at each level.
        initial: every threshold at the start.
        device: device of the parameter.
        dtype: dtype of the parameter.

    Shape:
        `Coefficients` to `Coefficients` with bands of the same shapes.

    Attributes:
        log_threshold: $\theta$, of shape `(level, bands)`, in the order of the coefficients.

    Raises:
        ValueError: `level` below 1, `dims` other than 1, 2 or 3, an `initial` that is not positive; coefficients with
            another number of levels or bands.
        TypeError: arguments of another type; coefficients that are not from `DWT` or `SWT`.

    Examples:
        A learnable denoiser:

        >>> import torch, learnable_wavelets as lw
        >>> dwt = lw.nn.DWT("db4", level=3)
        >>> denoise = torch.nn.Sequential(dwt, lw.nn.SoftThreshold(level=3, initial=0.5), lw.nn.IDWT(dwt.filter))
        >>> denoise(torch.randn(8, 101)).shape, sum(p.numel() for p in denoise.parameters())
        (torch.Size([8, 101]), 35)

    References:
        Donoho, *De-noising by soft-thresholding*, IEEE Transactions on Information Theory 41, 1995.
    """

    def __init__(
        self, level: int, dims: int = 1, initial: float = 0.1, device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if not 1 <= check_int("dims", dims) <= 3:
            raise ValueError(f"`dims` must be 1, 2 or 3, got {dims}")
        if not check_number("initial", initial) > 0:
            raise ValueError(f"`initial` must be positive, got {initial}")
        self.initial = float(initial)
        shape = (check_size("level", level), 2**dims - 1)
        self.log_threshold = nn.Parameter(torch.empty(shape, device=device, dtype=check_dtype(dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every threshold to `initial`."""
        nn.init.constant_(self.log_threshold, log(self.initial))

    def forward(self, coeffs: Coefficients) -> Coefficients:
        """Return the coefficients with shrunken details."""
        if not isinstance(coeffs, Coefficients):
            raise TypeError(f"`coeffs` must be the `Coefficients` of DWT or SWT, got {type(coeffs).__name__}")
        levels, bands = self.log_threshold.shape
        found = [_count(details) for details in coeffs.coeffs[1:]]
        if found != [bands] * levels:
            raise ValueError(f"`coeffs` must have {levels} levels of {bands} detail bands, got {found}")
        thresholds = self.log_threshold.exp()

        def shrink(level: int, band: int, c: Tensor) -> Tensor:
            t = thresholds[level, band].to(c.dtype)
            return c - torch.minimum(torch.maximum(c, -t), t)

        return coeffs.map_details(shrink)

    def extra_repr(self) -> str:
        levels, bands = self.log_threshold.shape
        return f"level={levels}, bands={bands}, initial={self.initial}"


def _count(details: Any) -> int:
    return 1 if isinstance(details, Tensor) else len(details)
