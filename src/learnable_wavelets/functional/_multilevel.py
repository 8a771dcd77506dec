"""Multilevel transforms, as PyWavelets has them: a list of coefficients."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .._checks import check_axis, check_mode, check_signal, check_size
from ..kernels.reference import coeff_lengths
from ._bank import WaveletLike, bank_for
from ._coeffs import check_coeffs, check_lengths, check_other_axes, check_samples
from ._dwtn import recompose
from ._levels import read_level
from ._per_level import PerLevel, analysis_plans, synthesis_plans
from ._separable import decompose_levels, widen
from ._transform import channel_axis, decompose, reconstruct


def wavedec(
    data: Tensor, wavelet: WaveletLike | PerLevel, mode: str = "symmetric", level: int | None = None, axis: int = -1
) -> list[Tensor]:
    """Compute the multilevel discrete wavelet transform.

    Equals `pywt.wavedec`, and is differentiable in data and filters.

    Args:
        data: real signal of any shape; float16 and bfloat16 are computed in float32.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`; or `PerLevel` of those.
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
    if isinstance(wavelet, PerLevel):
        cA, *details = decompose_levels(widen(data), analysis_plans(data, wavelet, mode, axis, level))
        return [c.to(data.dtype) for c in (cA, *[bands["d"] for bands in details])]
    bank = bank_for(wavelet, data)
    depth = read_level(level, [(data.shape[axis], bank.taps)])
    return decompose(data, bank, mode, depth, axis, channel_axis(data, bank, (axis,)))


def waverec(
    coeffs: Sequence[Tensor | None], wavelet: WaveletLike | PerLevel, mode: str = "symmetric", axis: int = -1,
    *, n: int | None = None,
) -> Tensor:  # fmt: skip
    """Invert `wavedec`; equals `pywt.waverec`, and is differentiable in coefficients and filters.

    `waverec(wavedec(x), n=len(x)) == x` for every mode and every bank with perfect reconstruction; without `n` an odd
    length comes back with one trailing sample more, as in PyWavelets.

    Args:
        coeffs: `[cA_n, cD_n, ..., cD_1]`; entries that are `None` count as zeros.
        wavelet: as in the forward transform.
        mode: the mode of the forward transform.
        axis: the axis to transform.
        n: the number of samples to return, exactly.

    Raises:
        TypeError: `coeffs` is not a list of real floating-point tensors; `n` is not an int.
        ValueError: no coefficients, lengths that do not belong together, or dimensions beside `axis` that differ, an
            `n` that has other coefficients, and as for `idwt`.

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
    if isinstance(wavelet, PerLevel):
        plans = synthesis_plans(first, wavelet, mode, axis, len(coeffs) - 1)
        shape = None if n is None else (check_size("n", n),)
        return recompose(coeffs[0], [{"d": c} for c in coeffs[1:]], first, plans, shape, "n")
    bank = bank_for(wavelet, first, "coeffs")
    channel = channel_axis(first, bank, (axis,), "coeffs")
    if n is None:
        check_lengths(coeffs, axis, bank.taps, mode)
        return reconstruct(coeffs, first, bank, mode, axis, channel)
    lengths = coeff_lengths(check_size("n", n), bank.taps, mode, len(coeffs) - 1)
    check_samples(n, coeffs, lengths, axis)
    full = _with_zeros(coeffs, first, lengths, axis)
    return reconstruct(full, first, bank, mode, axis, channel).narrow(axis, 0, n)


def _with_zeros(
    coeffs: Sequence[Tensor | None], like: Tensor, lengths: tuple[int, ...], axis: int
) -> Sequence[Tensor | None]:
    """Replace `None` by zeros of the known lengths, so that every level is cut to its length."""
    before, after = like.shape[:axis], like.shape[like.dim() + axis + 1 :]
    pairs = zip(coeffs, lengths, strict=True)
    return [like.new_zeros((*before, k, *after)) if c is None else c for c, k in pairs]
