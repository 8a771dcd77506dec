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
    """Return `pywt.dwt_coeff_len`: `ceil(n / 2)` for periodization, else `floor((n + taps - 1) / 2)`."""
    return (n + 1) // 2 if mode == "periodization" else (n + taps - 1) // 2


def coeff_lengths(n: int, taps: int, mode: str, level: int) -> tuple[int, ...]:
    """Return the lengths of `[cA_n, cD_n, ..., cD_1]` for a signal of length n."""
    details = []
    for _ in range(level):
        n = coeff_length(n, taps, mode)
        details.append(n)
    return (n, *reversed(details))


def decompose_level(x: Tensor, lo: Tensor, hi: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """Transform one level of the last axis: `cA[k] = sum_j lo[j] x[2k + s - j]`, s = 1, or taps/2 for periodization."""
    taps = lo.shape[0]
    if mode == "periodization":
        if x.shape[-1] % 2:
            x = torch.cat([x, x[..., -1:]], dim=-1)
        left = right = taps // 2 - 1
    else:
        left = taps - 2
        right = taps - 2 + x.shape[-1] % 2
    windows = extend(x, left, right, mode).unfold(-1, taps, 2)
    cA, cD = _product(windows.flip(-1), torch.stack([lo, hi], dim=-1)).unbind(-1)
    return cA, cD


def reconstruct_level(cA: Tensor | None, cD: Tensor | None, lo: Tensor, hi: Tensor, mode: str) -> Tensor:
    """Invert `decompose_level`: `x[i] = sum_k lo[i + s - 2k] cA[k] + hi[i + s - 2k] cD[k]`, either may be absent."""
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
    """Return `windows @ matrix` as one matrix product; of overlapping windows torch would make many small ones."""
    flat = windows.reshape(-1, windows.shape[-1]) @ matrix
    return flat.view(*windows.shape[:-1], matrix.shape[-1])


def decompose(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> list[Tensor]:
    """Return `[cA_n, cD_n, ..., cD_1]` on the last axis."""
    details = []
    if level == 0:
        x = keep_in_graph(x, lo, hi)
    for _ in range(level):
        x, detail = decompose_level(x, lo, hi, mode)
        details.append(detail)
    return [x, *reversed(details)]


def reconstruct(coeffs: Sequence[Tensor | None], lo: Tensor, hi: Tensor, mode: str) -> Tensor:
    """Invert `decompose`; absent coefficients count as zeros, an odd length gets one trailing sample more."""
    x = coeffs[0]
    for detail in coeffs[1:]:
        if x is not None and detail is not None and x.shape[-1] == detail.shape[-1] + 1:
            x = x[..., :-1]  # the sample by which the previous level overshot an odd length
        if x is not None or detail is not None:
            x = reconstruct_level(x, detail, lo, hi, mode)
    if x is None:
        raise ValueError("`coeffs` must hold at least one tensor, got none")
    return keep_in_graph(x, lo, hi) if len(coeffs) == 1 else x


def keep_in_graph(x: Tensor, *filters: Tensor) -> Tensor:
    """Return `x`, with the filters in its graph: at level 0 they get zero gradients, as from a kernel, not `None`."""
    return x + torch.cat([f[:0] for f in filters]).sum()


def wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> Tensor:
    """Return the coefficients of `decompose` in one packed vector."""
    real = x.to(lo.dtype)
    return torch.cat(decompose(real, lo, hi, mode, level), dim=-1).to(x.dtype)


def waverec(packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor:
    """Return n samples from packed coefficients."""
    lengths = list(coeff_lengths(n, lo.shape[0], mode, level))
    coeffs = torch.split(packed.to(lo.dtype), lengths, dim=-1)
    return reconstruct(coeffs, lo, hi, mode)[..., :n].to(packed.dtype)
