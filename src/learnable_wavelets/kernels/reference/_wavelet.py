"""The wavelet transform in plain torch: twin and oracle of the kernels, and the path of every other mode.

Both directions are a matrix product of sliding windows with a small matrix of taps. That is several times faster than
a strided one-channel convolution, and every gradient, filters included, is that of a matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ._boundary import extend


def coeff_length(n: int, taps: int, mode: str) -> int:
    """`pywt.dwt_coeff_len`: `ceil(n / 2)` for periodization, else `floor((n + taps - 1) / 2)`."""
    return (n + 1) // 2 if mode == "periodization" else (n + taps - 1) // 2


def coeff_lengths(n: int, taps: int, mode: str, level: int) -> tuple[int, ...]:
    """Lengths of `[cA_n, cD_n, ..., cD_1]` for a signal of length n."""
    details = []
    for _ in range(level):
        n = coeff_length(n, taps, mode)
        details.append(n)
    return (n, *reversed(details))


def analyse_level(x: Tensor, lo: Tensor, hi: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """One level on the last axis: `cA[k] = sum_j lo[j] x[2k + s - j]`, s = 1, or taps/2 for periodization."""
    taps = lo.shape[0]
    if mode == "periodization":
        if x.shape[-1] % 2:
            x = torch.cat([x, x[..., -1:]], dim=-1)
        left = right = taps // 2 - 1
    else:
        left = taps - 2
        right = 2 * coeff_length(x.shape[-1], taps, mode) - x.shape[-1]
    windows = extend(x, left, right, mode).unfold(-1, taps, 2)
    cA, cD = _product(windows, torch.stack([lo, hi], dim=-1).flip(0)).unbind(-1)
    return cA, cD


def synthesise_level(cA: Tensor | None, cD: Tensor | None, lo: Tensor, hi: Tensor, mode: str) -> Tensor:
    """Inverse of `analyse_level`: `x[i] = sum_k lo[i + s - 2k] cA[k] + hi[i + s - 2k] cD[k]`, either may be absent."""
    taps = lo.shape[0]
    parts = [_upsample(c, f, mode) for c, f in ((cA, lo), (cD, hi)) if c is not None]
    x = sum(parts[1:], start=parts[0])
    if mode == "periodization":  # the wrapped coefficients begin taps/2 - 1 samples before the signal, or one less
        start = 2 * (taps // 4) - taps // 2 + 1
        length = 2 * next(c for c in (cA, cD) if c is not None).shape[-1]
        x = x[..., start : start + length]
    return x


def _upsample(c: Tensor, f: Tensor, mode: str) -> Tensor:
    """Upsample by two and filter, only where the filter lies wholly on coefficients: even and odd taps as columns."""
    taps = f.shape[0]
    if mode == "periodization":
        c = extend(c, taps // 4, taps // 4, mode)
    return _product(c.unfold(-1, taps // 2, 1), f.view(-1, 2).flip(0)).flatten(-2)


def _product(windows: Tensor, matrix: Tensor) -> Tensor:
    """`windows @ matrix` as one matrix product: torch would make a batch of small ones of overlapping windows."""
    flat = windows.reshape(-1, windows.shape[-1]) @ matrix
    return flat.view(*windows.shape[:-1], matrix.shape[-1])


def analyse(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> list[Tensor]:
    """`[cA_n, cD_n, ..., cD_1]` on the last axis."""
    details = []
    for _ in range(level):
        x, detail = analyse_level(x, lo, hi, mode)
        details.append(detail)
    return [x, *reversed(details)]


def synthesise(coeffs: Sequence[Tensor | None], lo: Tensor, hi: Tensor, mode: str) -> Tensor | None:
    """Inverse of `analyse`; an odd length comes back with one trailing sample more."""
    x = coeffs[0]
    for detail in coeffs[1:]:
        if x is not None and detail is not None and x.shape[-1] == detail.shape[-1] + 1:
            x = x[..., :-1]  # the sample by which the previous level overshot an odd length
        if x is not None or detail is not None:
            x = synthesise_level(x, detail, lo, hi, mode)
    return x
