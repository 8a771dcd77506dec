"""Filters as PyWavelets tabulates them, or as tensors: what a `FilterBank` is read from."""

from __future__ import annotations

from typing import Any, TypeAlias

import pywt
import torch
from torch import Tensor

from .._checks import nearest_names, shown

_Filter: TypeAlias = tuple[float, ...]
Table: TypeAlias = tuple[_Filter, _Filter, _Filter, _Filter]


def named_filters(name: str) -> Table:
    try:
        wavelet = pywt.Wavelet(name)
    except ValueError:
        raise ValueError(_unknown(name)) from None
    return filters_of(wavelet)


# PyWavelets is not for dynamo to trace. What `torch.compiler.assume_constant_result` sets; that imports all of dynamo,
# half of our import time, and with it Triton.
named_filters._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _unknown(name: str) -> str:
    if name.lower().startswith(tuple(pywt.wavelist(kind="continuous"))):  # cmor1.5-1.0: a family with its parameters
        return f"`wavelet` must be a discrete wavelet, got the continuous {shown(name)}"
    hint = nearest_names(name, pywt.wavelist(kind="discrete"))
    return f'`wavelet` must be in `pywt.wavelist(kind="discrete")`, got {shown(name)}{hint}'


def filters_of(wavelet: pywt.Wavelet) -> Table:
    low, high, rec_low, rec_high = map(tuple, wavelet.filter_bank)
    lengths = (len(low), len(high), len(rec_low), len(rec_high))
    if len(set(lengths)) > 1 or len(low) % 2 or not low:
        raise ValueError(f"`wavelet` must have four filters of one even length, got lengths {lengths}")
    return low, high, rec_low, rec_high


def _read(wavelet: Any) -> object:
    """Read `wavelet.filter_bank` once, or return `wavelet`; do not hide an AttributeError raised inside a property."""
    if hasattr(type(wavelet), "filter_bank"):
        return wavelet.filter_bank
    return getattr(wavelet, "filter_bank", wavelet)


def tensors_of(wavelet: object, by_channel: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four filters of a bank, or of an object that has a `filter_bank`; in rows, if `by_channel` allows."""
    bank = _read(wavelet)
    if isinstance(bank, pywt.ContinuousWavelet):
        raise ValueError(f"`wavelet` must be a discrete wavelet, got the continuous {bank.name!r}")
    if not (isinstance(bank, tuple) and len(bank) == 4 and all(map(torch.is_tensor, bank))):
        kinds = "a pywt name, a pywt.Wavelet, a FilterBank or a WaveletFilter"
        raise TypeError(f"`wavelet` must be {kinds}, got {type(wavelet).__name__}")
    if not all(map(torch.is_floating_point, bank)):
        raise TypeError(f"`wavelet` must have real floating-point filters, got {[f.dtype for f in bank]}")
    if odd := ["nested" if f.is_nested else str(f.layout) for f in bank if f.is_nested or f.layout != torch.strided]:
        raise TypeError(f"`wavelet` must have dense filters, got {', '.join(odd)}")
    lo, hi, rec_lo, rec_hi = bank
    if not lo.device == hi.device == rec_lo.device == rec_hi.device:
        raise ValueError(f"`wavelet` must have its four filters on one device, got {[str(f.device) for f in bank]}")
    shapes = lo.shape, hi.shape, rec_lo.shape, rec_hi.shape
    dims = (1, 2) if by_channel else (1,)
    if len(set(shapes)) > 1 or len(shapes[0]) not in dims or shapes[0][-1] % 2 or lo.numel() == 0:
        raise ValueError(f"`wavelet` must have four 1-D filters of one even length, got shapes {[*map(tuple, shapes)]}")
    return lo, hi, rec_lo, rec_hi
