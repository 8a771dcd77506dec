"""Width, blocks and depth of a wavelet layer, and the variance that its transforms pass on."""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pad
from torch.utils._python_dispatch import _disable_current_modes

from .._checks import check_level
from ..functional._levels import deepest_level, useful_level
from ..kernels._layout import Layout, narrow_blocks, wide_blocks
from ..kernels.reference import coeff_lengths, decompose, reconstruct

_PROBES = 2**18  # entries of noise: the variance at the start is then within some per cent of 1
_ORTHONORMAL = 1e-3
# level=None pads to a multiple of this. More would give deeper transforms, but zeros cost the start its orthogonality;
# `docs/theory.md#width` compares.
_MULTIPLE = 4
_DEPTH = 4  # and goes this deep, if the width halves so often, where `pywt.dwt_max_level` is less

_GAINS: dict[tuple[Any, ...], tuple[float, float] | None] = {}


def choose_layout(in_features: int, out_features: int, level: int | None, mode: str, taps: int) -> tuple[Layout, int]:
    """Return the layout of a layer and the depth of its transforms."""
    wide = out_features > in_features
    # a narrow layer: as many blocks as out_features go into in_features, each about out_features wide
    needed = in_features if wide else ceil(in_features / (in_features // out_features))
    if level is not None:
        deepest = ceil(log2(needed)) if mode == "periodization" else deepest_level(needed, taps)
        blocks = "" if needed == in_features else f" in blocks of {needed}"
        level = check_level(level, deepest, f"{in_features} in_features{blocks} and mode {mode!r}")
    n, depth = block_size(needed, level, mode, taps)
    if wide:
        return wide_blocks(in_features, out_features, n, wrap_outputs=True), depth
    # A single output would be the sum over the block, which no detail coefficient survives; its first entry has all.
    return narrow_blocks(in_features, out_features, n, wrap_outputs=out_features > 1), depth


def block_size(needed: int, level: int | None, mode: str, taps: int) -> tuple[int, int]:
    """Return the width n >= needed of a block, and its depth."""
    if mode != "periodization":
        return needed, max(1, useful_level(needed, taps)) if level is None else level
    if level is not None:
        return -(-needed // 2**level) * 2**level, level
    multiple = min(_MULTIPLE, max(2, 1 << (needed - 1).bit_length()))
    n = -(-needed // multiple) * multiple
    halvings = (n & -n).bit_length() - 1
    return n, min(halvings, max(_DEPTH, useful_level(n, taps)))


def transform_gains(
    start: tuple[tuple[float, ...], ...], mode: str, level: int, n: int, in_features: int
) -> tuple[float, float] | None:
    """Return the mean squares of `SandwichLayer._gains`, measured on noise; `None` for an orthonormal bank."""
    key = (start, mode, level, n, in_features)
    if key not in _GAINS:  # dynamo warns of an `lru_cache`
        _GAINS[key] = _measure_gains(*key)
    return _GAINS[key]


def _measure_gains(
    start: tuple[tuple[float, ...], ...], mode: str, level: int, n: int, in_features: int
) -> tuple[float, float] | None:
    if mode in ("periodization", "zero") and _is_orthonormal(start):
        return None
    # the generator is its own: the user's random numbers stay as they are
    options: dict[str, Any] = {"device": "cpu", "dtype": torch.float64}
    with torch.inference_mode(False), _disable_current_modes(), torch.no_grad():
        dec_lo, dec_hi, rec_lo, rec_hi = (torch.tensor(f, **options) for f in start)
        options["generator"] = torch.Generator("cpu").manual_seed(0)
        rows = max(4, min(256, _PROBES // in_features))
        x = torch.randn(rows, in_features, **options)
        x = pad(x, (0, -in_features % n)).view(-1, n)
        coeffs = torch.cat(decompose(x, dec_lo, dec_hi, mode, level), dim=-1)
        unit = [torch.randn(rows, length, **options) for length in coeff_lengths(n, len(dec_lo), mode, level)]
        signal = reconstruct(unit, rec_lo, rec_hi, mode)[:, :n]
        return float(coeffs.square().mean()), float(signal.square().mean())


def _is_orthonormal(start: tuple[tuple[float, ...], ...]) -> bool:
    """Return whether the even shifts of both filters are orthonormal and the synthesis is the transpose."""
    low, high, rec_low, rec_high = (np.array(f) for f in start)
    length = 2 * len(low)
    low_spectrum, high_spectrum = np.fft.rfft(low, length), np.fft.rfft(high, length)

    def even_lags(spectrum: Any) -> Any:
        return np.fft.irfft(spectrum, length)[::2]  # lag 0 first

    unit = np.eye(1, len(low))[0]
    defects = (
        even_lags(abs(low_spectrum) ** 2) - unit,
        even_lags(abs(high_spectrum) ** 2) - unit,
        even_lags(low_spectrum * high_spectrum.conj()),
    )
    defect = max(np.abs(values).max() for values in defects)
    return bool(max(defect, np.abs(rec_low - low[::-1]).max(), np.abs(rec_high - high[::-1]).max()) < _ORTHONORMAL)
