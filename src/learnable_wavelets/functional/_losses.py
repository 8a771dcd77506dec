"""Losses of a filter bank: zero exactly where its transform has the property."""

from __future__ import annotations

import torch
from torch import Tensor

from ._bank import FilterBank, WaveletLike
from ._check import compute_dtype, full_precision

ALIAS_FORMS = ("general", "quadrature")


def check_alias(alias: str) -> str:
    if alias not in ALIAS_FORMS:
        raise ValueError(f"`alias` must be one of {', '.join(ALIAS_FORMS)}; got {alias!r}")
    return alias


def _convolve(a: Tensor, b: Tensor) -> Tensor:
    """Full convolution of equally long filters, summed over the leading axis."""
    taps = a.shape[-1]
    windows = torch.nn.functional.pad(a, (taps - 1, taps - 1)).unfold(-1, taps, 1)
    return (windows * b.flip(-1)[:, None, :]).sum(dim=(0, 2))


def _float_bank(wavelet: WaveletLike) -> FilterBank:
    bank = FilterBank.from_wavelet(wavelet)
    return bank.to(dtype=compute_dtype(bank.dec_lo.dtype))


def alternating(h: Tensor) -> Tensor:
    """`h * (-1, +1, ..., -1, +1)`: the filter at $-z$, up to the sign that PyWavelets' order gives it."""
    return h * (1 - 2 * (torch.arange(1, h.shape[-1] + 1, device=h.device) % 2)).to(h.dtype)


def perfect_reconstruction_loss(wavelet: WaveletLike) -> Tensor:
    r"""Squared distance from perfect reconstruction: $\sum_k ((h_0 * f_0 + h_1 * f_1)_k - 2\,\delta_{k, L-1})^2$.

    Zero, together with `alias_cancellation_loss`, means `idwt(*dwt(x)) == x`; the delay is fixed to $L - 1$.

    Args:
        wavelet: a `FilterBank`, a `WaveletFilter`, a PyWavelets name or a `pywt.Wavelet`.

    Returns:
        A scalar in the dtype of the filters (float32 for half types).

    Examples:
        >>> import learnable_wavelets as lw
        >>> bool(lw.functional.perfect_reconstruction_loss("db4") < 1e-10)
        True

    References:
        Wolter, Lin and Yao, 2020, [arXiv 2004.09569](https://arxiv.org/abs/2004.09569).
        Strang and Nguyen, *Wavelets and Filter Banks*, 1996, chapter 4.
    """
    bank = _float_bank(wavelet)
    with full_precision(bank.dec_lo):
        product = _convolve(torch.stack([bank.dec_lo, bank.dec_hi]), torch.stack([bank.rec_lo, bank.rec_hi]))
        target = torch.zeros_like(product)
        target[bank.taps - 1] = 2
        return (product - target).square().sum()


def alias_cancellation_loss(wavelet: WaveletLike, alias: str = "general") -> Tensor:
    r"""Squared size of the aliasing that the synthesis leaves; m is the alternating sign $(-1, +1, \dots)$.

    `general`: $\sum_k ((m h_0) * f_0 + (m h_1) * f_1)_k^2$, zero exactly for the alias-free banks.
    `quadrature`: $\sum_k (f_0 - m h_1)_k^2 + \sum_k (f_1 + m h_0)_k^2$, the paper's stricter condition, which refuses
    some exact banks (double $h_0$ and halve $f_0$: still exact, yet not zero).

    Args:
        wavelet: a `FilterBank`, a `WaveletFilter`, a PyWavelets name or a `pywt.Wavelet`.
        alias: `general` or `quadrature`.

    Returns:
        A scalar in the dtype of the filters (float32 for half types).

    Raises:
        ValueError: unknown `alias`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> bank = lw.FilterBank.from_wavelet("db2", dtype=torch.float64)
        >>> scaled = bank._replace(dec_lo=2 * bank.dec_lo, rec_lo=bank.rec_lo / 2)
        >>> [round(float(lw.functional.alias_cancellation_loss(scaled, a)), 6) for a in ("general", "quadrature")]
        [0.0, 1.25]

    References:
        Strang and Nguyen, *Wavelets and Filter Banks*, 1996, p. 105.
    """
    check_alias(alias)
    bank = _float_bank(wavelet)
    with full_precision(bank.dec_lo):
        if alias == "quadrature":
            low = (bank.rec_lo - alternating(bank.dec_hi)).square().sum()
            return low + (bank.rec_hi + alternating(bank.dec_lo)).square().sum()
        modulated = alternating(torch.stack([bank.dec_lo, bank.dec_hi]))
        return _convolve(modulated, torch.stack([bank.rec_lo, bank.rec_hi])).square().sum()


def orthogonality_loss(wavelet: WaveletLike) -> Tensor:
    r"""Squared distance from an orthonormal bank, whose synthesis is the transpose of its analysis.

    $\sum_{i,j,k} (\langle h_i, h_j(\cdot - 2k)\rangle - \delta_{ij}\delta_k)^2 + \sum_i \lVert f_i - \tilde h_i
    \rVert^2$ with $\tilde h$ the reversed filter: zero exactly where `periodization` gives an orthogonal matrix.

    Args:
        wavelet: a `FilterBank`, a `WaveletFilter`, a PyWavelets name or a `pywt.Wavelet`.

    Returns:
        A scalar in the dtype of the filters (float32 for half types).

    Examples:
        >>> import learnable_wavelets as lw
        >>> [bool(lw.functional.orthogonality_loss(name) < 1e-10) for name in ("sym5", "bior2.2")]
        [True, False]
    """
    bank = _float_bank(wavelet)
    with full_precision(bank.dec_lo):
        loss = (bank.rec_lo - bank.dec_lo.flip(0)).square().sum() + (bank.rec_hi - bank.dec_hi.flip(0)).square().sum()
        for first, second, norm in (
            (bank.dec_lo, bank.dec_lo, 1.0), (bank.dec_hi, bank.dec_hi, 1.0), (bank.dec_lo, bank.dec_hi, 0.0),
        ):  # fmt: skip
            correlation = _convolve(first[None], second.flip(0)[None])
            lags = correlation[(bank.taps - 1) % 2 :: 2]  # even lags; lag 0 stands in the middle
            target = torch.zeros_like(lags)
            target[lags.shape[0] // 2] = norm
            loss = loss + (lags - target).square().sum()
        return loss
