"""One level of the discrete wavelet transform and of its inverse."""

from __future__ import annotations

from torch import Tensor

from .._checks import check_axis, check_mode, check_signal, check_size
from ..kernels.reference import coeff_lengths
from ._bank import WaveletLike, bank_for
from ._coeffs import check_samples
from ._transform import channel_axis, decompose, reconstruct


def dwt(data: Tensor, wavelet: WaveletLike, mode: str = "symmetric", axis: int = -1) -> tuple[Tensor, Tensor]:
    r"""Compute one level of the discrete wavelet transform.

    Equals `pywt.dwt`, and is differentiable in data and filters.

    $cA_k = \sum_j h_0[j]\, x[2k + 1 - j]$ and $cD_k = \sum_j h_1[j]\, x[2k + 1 - j]$, with the data x extended by
    `mode` (for `periodization`: $2k + \mathrm{taps}/2 - j$, modulo the even length).

    Args:
        data: real signal of any shape; float16 and bfloat16 are computed in float32.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        mode: one of PyWavelets' nine signal extension modes, by its long or short name (`periodization`, `per`).
        axis: the axis to transform.

    Shape:
        `(..., n, ...)` to twice `(..., k, ...)` with `k == floor((n + taps - 1) / 2)`, for `periodization`
        `k == ceil(n / 2)`.

    Returns:
        Approximation and detail coefficients `(cA, cD)`.

    Raises:
        TypeError: `data` is not a real floating-point tensor.
        ValueError: unknown wavelet or mode, bad axis, no sample along the axis (one, for `reflect` and
            `antireflect`), filters on another device.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> cA, cD = lw.functional.dwt(torch.tensor([1.0, 1.0, 2.0, 4.0]), "haar")
        >>> (cA / 2**0.5).tolist(), (cD * 2**0.5).round().tolist()
        ([1.0, 3.0], [0.0, -2.0])

    References:
        PyWavelets, `pywt.dwt`. Strang and Nguyen, *Wavelets and Filter Banks*, 1996.
    """
    mode = check_mode(mode)
    axis = check_axis(check_signal(data), axis)
    bank = bank_for(wavelet, data)
    cA, cD = decompose(data, bank, mode, 1, axis, channel_axis(data, bank, (axis,)))
    return cA, cD


def idwt(
    cA: Tensor | None, cD: Tensor | None, wavelet: WaveletLike, mode: str = "symmetric", axis: int = -1,
    *, n: int | None = None,
) -> Tensor:  # fmt: skip
    r"""Invert `dwt`; equals `pywt.idwt`, and is differentiable in coefficients and filters.

    $x_i = \sum_k f_0[i + \mathrm{taps} - 2 - 2k]\, cA_k + f_1[i + \mathrm{taps} - 2 - 2k]\, cD_k$
    (for `periodization`: $i + \mathrm{taps}/2 - 1 - 2k$, k modulo its length). `idwt(*dwt(x)) == x` for every bank
    with perfect reconstruction, up to one trailing sample for an odd length, which `n` cuts off.

    Args:
        cA: approximation coefficients, or `None` for zeros.
        cD: detail coefficients, or `None` for zeros.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        mode: the mode of the forward transform; only `periodization` differs from the others here.
        axis: the axis to transform.
        n: the number of samples to return, exactly.

    Shape:
        `(..., k, ...)` to `(..., 2 k - taps + 2, ...)`, for `periodization` `(..., 2 k, ...)`.

    Raises:
        TypeError: coefficients that are not real floating-point tensors, or of two dtypes; `n` is not an int.
        ValueError: both are `None`, two shapes, too few coefficients for the filters, an `n` that has another number of
            coefficients, and as for `dwt`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.arange(8.0)
        >>> torch.allclose(lw.functional.idwt(*lw.functional.dwt(x, "db2"), "db2"), x, atol=1e-5)
        True
    """
    mode = check_mode(mode)
    given = _check_pair(cA, cD)
    axis = check_axis(given, axis, "cA or cD")
    bank = bank_for(wavelet, given, "cA or cD")
    if mode != "periodization" and 2 * given.shape[axis] < bank.taps:
        raise ValueError(f"`cA` and `cD` must have at least taps/2 = {bank.taps // 2} entries, got {given.shape[axis]}")
    data = reconstruct([cA, cD], given, bank, mode, axis, channel_axis(given, bank, (axis,), "cA or cD"))
    if n is None:
        return data
    check_samples(check_size("n", n), [given], coeff_lengths(n, bank.taps, mode, 1)[:1], axis)
    return data.narrow(axis, 0, n)


def _check_pair(cA: Tensor | None, cD: Tensor | None) -> Tensor:
    """Check that the two bands fit together, and return one of them."""
    bands = [check_signal(c, name) for c, name in ((cA, "cA"), (cD, "cD")) if c is not None]
    if not bands:
        raise ValueError("`cA` or `cD` must be given, got None for both")
    if bands[0].shape != bands[-1].shape:
        raise ValueError(f"`cA` and `cD` must have one shape, got {tuple(bands[0].shape)} and {tuple(bands[1].shape)}")
    if bands[0].dtype != bands[-1].dtype or bands[0].device != bands[-1].device:
        kinds = [f"{c.dtype} on {c.device}" for c in bands]
        raise TypeError(f"`cA` and `cD` must have one dtype and device, got {kinds[0]} and {kinds[1]}")
    return bands[0]
