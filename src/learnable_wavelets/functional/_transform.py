"""Transforms along any axis, in full precision: the common part of `dwt`, `wavedec` and their inverses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..kernels import _dispatch as kernels
from ..kernels._precision import full_precision
from ..kernels.reference import coeff_lengths
from ._bank import FilterBank


def channel_axis(data: Tensor, bank: FilterBank, axes: Sequence[int], name: str = "data") -> int:
    """Return the last axis that is not transformed, counted from the end, if the bank has a filter for each channel."""
    if bank.dec_lo.dim() == 1:
        return 0
    others = [axis for axis in range(-data.dim(), 0) if axis not in axes]
    channels = bank.dec_lo.shape[0]
    if not others or data.shape[others[-1]] != channels:
        expected = f"{channels} channels, one for each filter, on the last axis that is not transformed"
        raise ValueError(f"`{name}` must have {expected}, got shape {tuple(data.shape)}")
    return others[-1]


def by_channel(
    function: Callable[..., Sequence[Tensor]],
    tensors: Sequence[Tensor | None],
    bank: FilterBank,
    axis: int,
    channel: int,
) -> list[Tensor]:
    """Apply `function(tensors, bank, axis)` to each channel with its own filters, and stack what it returns."""
    moved = axis + 1 if channel > axis else axis
    rows = [
        function(
            [None if t is None else t.select(channel, c) for t in tensors], FilterBank(*[f[c] for f in bank]), moved
        )
        for c in range(bank.dec_lo.shape[0])
    ]
    return [torch.stack(bands, dim=channel) for bands in zip(*rows, strict=True)]


def decompose(data: Tensor, bank: FilterBank, mode: str, level: int, axis: int, channel: int = 0) -> list[Tensor]:
    """Return `[cA_n, cD_n, ..., cD_1]` along `axis`, in the dtype of `data`; `channel` as `channel_axis` has it."""
    if channel:
        return by_channel(lambda t, own, axis: decompose(t[0], own, mode, level, axis), [data], bank, axis, channel)
    if level and (mode == "reflect" or mode == "antireflect"):
        check_reflection(data.shape[axis], bank.taps, mode, level)
    dtype = data.dtype
    with full_precision(data):
        moved = data.to(bank.dec_lo.dtype).movedim(axis, -1)
        coeffs = kernels.wavedec(moved, bank.dec_lo, bank.dec_hi, mode, level)
    return [c.to(dtype).movedim(-1, axis) for c in coeffs]


def reconstruct(
    coeffs: Sequence[Tensor | None], like: Tensor, bank: FilterBank, mode: str, axis: int, channel: int = 0
) -> Tensor:
    """Invert `decompose`; the result has the dtype of `like`, and `None` counts as zeros."""
    if channel:
        return by_channel(lambda t, own, axis: [reconstruct(t, like, own, mode, axis)], coeffs, bank, axis, channel)[0]
    dtype = bank.dec_lo.dtype
    with full_precision(like):
        moved = [None if c is None else c.to(dtype).movedim(axis, -1) for c in coeffs]
        data = kernels.waverec(moved, bank.rec_lo, bank.rec_hi, mode)
    return data.to(like.dtype).movedim(-1, axis)


def check_reflection(n: int, taps: int, mode: str, level: int) -> None:
    """Refuse a single sample at any level, as PyWavelets does: it has no second one to reflect."""
    shortest = min(n, coeff_lengths(n, taps, mode, level - 1)[0])
    if shortest < 2:
        where = "" if n < 2 else f" at level {level}"
        raise ValueError(f"`data` must have at least 2 samples for mode {mode!r}, got {shortest}{where}")
