"""Multilevel transforms, as PyWavelets has them: a list of coefficients."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import ceil, log2

import torch
from torch import Tensor

from .._checks import check_axis, check_level, check_mode, check_signal
from ._bank import WaveletLike, bank_for
from ._coeffs import check_coeffs, check_lengths, check_other_axes
from ._transform import decompose, reconstruct


def useful_level(n: int, taps: int) -> int:
    """Return `pywt.dwt_max_level`, which dynamo cannot trace: the last level with a coefficient off the boundary."""
    return max(0, (n // (taps - 1)).bit_length() - 1)


def deepest_level(n: int, taps: int) -> int:
    """Return the level from which on a transform cannot get any deeper: `2**level >= n * taps`."""
    return max(1, ceil(log2(n * taps)))


def wavedec(
    data: Tensor, wavelet: WaveletLike, mode: str = "symmetric", level: int | None = None, axis: int = -1
) -> list[Tensor]:
    """Compute the multilevel discrete wavelet transform.

    Equals `pywt.wavedec`, and is differentiable in data and filters.

    Args:
        data: real signal of any shape; float16 and bfloat16 are computed in float32.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        mode: one of PyWavelets' nine signal extension modes, by its long or short name (`periodization`, `per`).
        level: number of levels; default: `pywt.dwt_max_level(n, taps)`.
        axis: the axis to transform.

    Returns:
        `[cA_n, cD_n, ..., cD_1]`, coarse to fine.

    Raises:
        TypeError: `data` is not a real floating-point tensor; `level` is not an int.
        ValueError: `level` is negative or deeper than `ceil(log2(n * taps))`, and as for `dwt`.

    Warns:
        UserWarning: `level` is above `pywt.dwt_max_level`, so that every coefficient depends on the boundary.
            `pywt.wavedec` warns too; `periodization` stays exact all the same. Compiled code does not warn.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> [c.shape[-1] for c in lw.functional.wavedec(torch.randn(100), "db2", level=3)]
        [15, 15, 27, 51]
    """
    mode = check_mode(mode)
    axis = check_axis(check_signal(data), axis)
    bank = bank_for(wavelet, data)
    n, taps = data.shape[axis], bank.dec_lo.shape[0]
    useful = useful_level(n, taps)
    if level is None:
        level = useful
    else:
        level = check_level(level, deepest_level(n, taps), f"{n} samples and {taps} taps")
        if level > useful and not torch.compiler.is_compiling():  # a warning would break the graph
            allowed = (
                f"the {useful} that {n} samples and {taps} taps allow without boundary effects in every coefficient"
            )
            warnings.warn(f"`level` {level} is above {allowed}", stacklevel=2)
    return decompose(data, bank, mode, level, axis)


def waverec(coeffs: Sequence[Tensor | None], wavelet: WaveletLike, mode: str = "symmetric", axis: int = -1) -> Tensor:
    """Invert `wavedec`; equals `pywt.waverec`, and is differentiable in coefficients and filters.

    `waverec(wavedec(x)) == x` for every mode and every bank with perfect reconstruction; an odd length comes back with
    one trailing sample more, as in PyWavelets.

    Args:
        coeffs: `[cA_n, cD_n, ..., cD_1]`; entries that are `None` count as zeros.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        mode: the mode of the forward transform.
        axis: the axis to transform.

    Raises:
        TypeError: `coeffs` is not a list of real floating-point tensors.
        ValueError: no coefficients, lengths that do not belong together, or dimensions beside `axis` that differ, and
            as for `idwt`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(3, 64, dtype=torch.float64)
        >>> coeffs = lw.functional.wavedec(x, "bior4.4", mode="reflect")
        >>> torch.allclose(lw.functional.waverec(coeffs, "bior4.4", mode="reflect"), x)
        True
    """
    mode = check_mode(mode)
    first = check_coeffs(coeffs)
    axis = check_axis(first, axis, "coeffs")
    check_other_axes(coeffs, axis)
    bank = bank_for(wavelet, first, "coeffs")
    check_lengths(coeffs, axis, bank.taps, mode)
    return reconstruct(coeffs, first, bank, mode, axis)
