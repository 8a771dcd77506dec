"""One level of the discrete wavelet transform and of its inverse.

Both directions are a matrix product of sliding windows with a small matrix of taps. That is several times faster than
a strided one-channel convolution, and every gradient, filters included, is that of a matrix product.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._bank import FilterBank, WaveletLike
from ._boundary import check_mode, extend
from ._check import bank_for, check_axis, check_signal, full_precision


def coeff_length(n: int, taps: int, mode: str) -> int:
    """`pywt.dwt_coeff_len`: `ceil(n / 2)` for periodization, else `floor((n + taps - 1) / 2)`."""
    return (n + 1) // 2 if mode == "periodization" else (n + taps - 1) // 2


def analyse_level(x: Tensor, bank: FilterBank, mode: str) -> tuple[Tensor, Tensor]:
    """One level on the last axis: `cA[k] = sum_j dec_lo[j] x[2k + s - j]`, s = 1, or taps/2 for periodization."""
    taps = bank.taps
    if mode == "periodization":
        if x.shape[-1] % 2:
            x = torch.cat([x, x[..., -1:]], dim=-1)
        left = right = taps // 2 - 1
    else:
        left = taps - 2
        right = 2 * coeff_length(x.shape[-1], taps, mode) - x.shape[-1]
    windows = extend(x, left, right, mode).unfold(-1, taps, 2)
    both = _product(windows, torch.stack([bank.dec_lo, bank.dec_hi], dim=-1).flip(0))
    cA, cD = both.unbind(-1)
    return cA, cD


def synthesise_level(cA: Tensor | None, cD: Tensor | None, bank: FilterBank, mode: str) -> Tensor:
    """Inverse of `analyse_level`: `x[i] = sum_k rec_lo[i + s - 2k] cA[k] + rec_hi[i + s - 2k] cD[k]`."""
    taps = bank.taps
    parts = [
        _upsample(c, f, mode, taps) for c, f in ((cA, bank.rec_lo), (cD, bank.rec_hi)) if c is not None
    ]  # either band may be absent: it counts as zeros
    x = sum(parts[1:], start=parts[0])
    if mode == "periodization":  # the wrapped coefficients begin taps/2 - 1 samples before the signal, or one less
        start = 2 * (taps // 4) - taps // 2 + 1
        length = 2 * next(c for c in (cA, cD) if c is not None).shape[-1]
        x = x[..., start : start + length]
    return x


def _upsample(c: Tensor, f: Tensor, mode: str, taps: int) -> Tensor:
    """Upsample by two and filter, only where the filter lies wholly on coefficients: even and odd taps as columns."""
    if mode == "periodization":
        c = extend(c, taps // 4, taps // 4, mode)
    return _product(c.unfold(-1, taps // 2, 1), f.view(-1, 2).flip(0)).flatten(-2)


def _product(windows: Tensor, matrix: Tensor) -> Tensor:
    """`windows @ matrix` as one matrix product: torch would make a batch of small ones of overlapping windows."""
    flat = windows.reshape(-1, windows.shape[-1]) @ matrix
    return flat.view(*windows.shape[:-1], matrix.shape[-1])


def dwt(x: Tensor, wavelet: WaveletLike, mode: str = "symmetric", axis: int = -1) -> tuple[Tensor, Tensor]:
    r"""Single-level discrete wavelet transform; equals `pywt.dwt` and is differentiable in data and filters.

    $cA_k = \sum_j h_0[j]\, x[2k + 1 - j]$ and $cD_k = \sum_j h_1[j]\, x[2k + 1 - j]$, with x extended by `mode`
    (for `periodization`: $2k + \mathrm{taps}/2 - j$, modulo the even length).

    Args:
        x: real signal of any shape; float16 and bfloat16 are computed in float32.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        mode: one of PyWavelets' nine signal extension modes.
        axis: the axis to transform.

    Shape:
        `(..., n, ...)` to twice `(..., k, ...)` with `k == floor((n + taps - 1) / 2)`, for `periodization`
        `k == ceil(n / 2)`.

    Returns:
        Approximation and detail coefficients `(cA, cD)`.

    Raises:
        TypeError: `x` is not a real floating-point tensor.
        ValueError: unknown wavelet or mode, bad axis, nothing along the axis, filters on another device.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> cA, cD = lw.functional.dwt(torch.tensor([1.0, 1.0, 2.0, 4.0]), "haar")
        >>> (cA / 2**0.5).tolist(), (cD * 2**0.5).round().tolist()
        ([1.0, 3.0], [0.0, -2.0])

    References:
        PyWavelets, `pywt.dwt`. Strang and Nguyen, *Wavelets and Filter Banks*, 1996.
    """
    check_mode(mode)
    axis = check_axis(check_signal(x), axis)
    bank = bank_for(wavelet, x)
    with full_precision(x):
        cA, cD = analyse_level(x.to(bank.dec_lo.dtype).movedim(axis, -1), bank, mode)
    return cA.to(x.dtype).movedim(-1, axis), cD.to(x.dtype).movedim(-1, axis)


def idwt(cA: Tensor | None, cD: Tensor | None, wavelet: WaveletLike, mode: str = "symmetric", axis: int = -1) -> Tensor:
    r"""Single-level inverse transform; equals `pywt.idwt` and is differentiable in coefficients and filters.

    $x_i = \sum_k f_0[i + \mathrm{taps} - 2 - 2k]\, cA_k + f_1[i + \mathrm{taps} - 2 - 2k]\, cD_k$
    (for `periodization`: $i + \mathrm{taps}/2 - 1 - 2k$, k modulo its length). `idwt(*dwt(x)) == x` for every bank
    with perfect reconstruction, up to one trailing sample when n is odd.

    Args:
        cA: approximation coefficients, or `None` for zeros.
        cD: detail coefficients, or `None` for zeros.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        mode: the mode of the forward transform; only `periodization` differs from the others here.
        axis: the axis to transform.

    Shape:
        `(..., k, ...)` to `(..., 2 k - taps + 2, ...)`, for `periodization` `(..., 2 k, ...)`.

    Raises:
        TypeError: coefficients that are not real floating-point tensors, or of two dtypes.
        ValueError: both are `None`, two shapes, too few coefficients for the filters, and as for `dwt`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.arange(8.0)
        >>> torch.allclose(lw.functional.idwt(*lw.functional.dwt(x, "db2"), "db2"), x, atol=1e-5)
        True
    """
    check_mode(mode)
    given = _check_pair(cA, cD)
    axis = check_axis(given, axis, "cA or cD")
    bank = bank_for(wavelet, given)
    if mode != "periodization" and 2 * given.shape[axis] < bank.taps:
        raise ValueError(f"`cA` and `cD` must have at least taps/2 = {bank.taps // 2} entries, got {given.shape[axis]}")
    with full_precision(given):
        bands = [None if c is None else c.to(bank.dec_lo.dtype).movedim(axis, -1) for c in (cA, cD)]
        x = synthesise_level(bands[0], bands[1], bank, mode)
    return x.to(given.dtype).movedim(-1, axis)


def _check_pair(cA: Tensor | None, cD: Tensor | None) -> Tensor:
    """Whichever band is there, after checking that the two fit."""
    bands = [check_signal(c, name) for c, name in ((cA, "cA"), (cD, "cD")) if c is not None]
    if not bands:
        raise ValueError("`cA` or `cD` must be given, got None for both")
    if bands[0].shape != bands[-1].shape:
        raise ValueError(f"`cA` and `cD` must have one shape, got {tuple(bands[0].shape)} and {tuple(bands[1].shape)}")
    if bands[0].dtype != bands[-1].dtype or bands[0].device != bands[-1].device:
        kinds = [f"{c.dtype} on {c.device}" for c in bands]
        raise TypeError(f"`cA` and `cD` must have one dtype and device, got {kinds[0]} and {kinds[1]}")
    return bands[0]
