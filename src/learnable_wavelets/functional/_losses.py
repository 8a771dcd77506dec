"""Losses of a filter bank: zero exactly where its transform has the property."""

from __future__ import annotations

from torch import Tensor

from .._checks import check_choice
from . import _conditions
from ._bank import FilterBank, WaveletLike


def perfect_reconstruction_loss(wavelet: WaveletLike) -> Tensor:
    r"""Return the squared distance from perfect reconstruction.

    $\sum_k ((h_0 * f_0 + h_1 * f_1)_k - 2\,\delta_{k, L-1})^2$: the delay is fixed to $L - 1$. Zero, together with
    `alias_cancellation_loss`, means `idwt(*dwt(x)) == x`.

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
    return _conditions.evaluate(_conditions.reconstruction, FilterBank.from_wavelet(wavelet))


def alias_cancellation_loss(wavelet: WaveletLike, alias: str = "general") -> Tensor:
    r"""Return the squared size of the aliasing that the synthesis leaves.

    `general`: $\sum_k ((m h_0) * f_0 + (m h_1) * f_1)_k^2$ with the alternating sign $m = (-1, +1, \dots)$, zero
    exactly for the alias-free banks.
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
    condition = _conditions.ALIAS_FORMS[check_choice("alias", alias, tuple(_conditions.ALIAS_FORMS))]
    return _conditions.evaluate(condition, FilterBank.from_wavelet(wavelet))


def orthogonality_loss(wavelet: WaveletLike) -> Tensor:
    r"""Return the squared distance from an orthonormal bank, whose synthesis is the transpose of its analysis.

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
    return _conditions.evaluate(_conditions.orthogonality, FilterBank.from_wavelet(wavelet))
