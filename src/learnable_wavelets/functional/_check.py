"""Checks of user input and the dtype rule, once, at the public edge."""

from __future__ import annotations

import pywt
import torch
from torch import Tensor

from ..kernels._precision import compute_dtype as compute_dtype
from ..kernels._precision import full_precision as full_precision
from ..kernels.reference import MODES
from ._arguments import check_int
from ._bank import FilterBank, WaveletLike

HALF_TYPES = (torch.float16, torch.bfloat16)


def check_signal(x: Tensor, name: str = "x") -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(f"`{name}` must be a torch.Tensor, got {type(x).__name__}")
    if not x.is_floating_point():
        raise TypeError(f"`{name}` must be real floating point, got {x.dtype}")
    if x.layout != torch.strided:
        raise TypeError(f"`{name}` must be a dense tensor, got layout {x.layout}")
    return x


def check_axis(x: Tensor, axis: int, name: str = "x") -> int:
    """`axis` as an index from the end, with at least one sample along it."""
    axis = check_int("axis", axis)
    if x.dim() == 0 or not -x.dim() <= axis < x.dim():
        raise ValueError(f"`axis` must be an axis of `{name}` with shape {tuple(x.shape)}, got {axis}")
    if x.shape[axis] == 0:
        raise ValueError(f"`{name}` must have at least one sample along axis {axis}, got shape {tuple(x.shape)}")
    return axis if axis < 0 else axis - x.dim()


def check_mode(mode: str) -> str:
    if mode not in MODES:
        raise ValueError(f"`mode` must be one of {', '.join(MODES)}; got {mode!r}")
    return mode


def bank_for(wavelet: WaveletLike, x: Tensor) -> FilterBank:
    """The bank in the dtype in which `x` is computed, on its device."""
    # a name or a pywt.Wavelet has no device of its own and follows x; tensors stay where they are
    device = x.device if isinstance(wavelet, (str, pywt.Wavelet)) else None
    return check_device(FilterBank.from_wavelet(wavelet, device=device, dtype=compute_dtype(x.dtype)), x)


def check_device(bank: FilterBank, x: Tensor) -> FilterBank:
    if bank.dec_lo.device != x.device:
        raise ValueError(f"`wavelet` must be on the device of `x`, {x.device}, got {bank.dec_lo.device}")
    return bank
