"""Multilevel transforms, as a list of coefficients (PyWavelets) or packed in one vector (the layers)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from math import ceil, log2

import torch
from torch import Tensor

from ..kernels import _dispatch as kernels
from ._arguments import check_int
from ._bank import WaveletLike
from ._check import bank_for, check_axis, check_mode, check_signal, full_precision


def useful_level(n: int, taps: int) -> int:
    """`pywt.dwt_max_level`, which `torch.compile` cannot trace: the last level with a coefficient off the boundary."""
    return max(0, (n // (taps - 1)).bit_length() - 1)


def deepest_level(n: int, taps: int) -> int:
    """The level from which on a transform cannot get any deeper: `2**level >= n * taps`."""
    return max(1, ceil(log2(n * taps)))


def check_level(level: int, deepest: int, why: str) -> int:
    level = check_int("level", level)
    if not 0 <= level <= deepest:
        raise ValueError(f"`level` must be between 0 and {deepest} for {why}, got {level}")
    return level


def without_effect(x: Tensor, *filters: Tensor) -> Tensor:
    """`x`. At level 0 no filter has an effect: its gradient is then zeros, as that of a kernel is, and not `None`."""
    return x + torch.cat([f[:0] for f in filters]).sum()


def wavedec(
    x: Tensor, wavelet: WaveletLike, mode: str = "symmetric", level: int | None = None, axis: int = -1
) -> list[Tensor]:
    """Multilevel discrete wavelet transform; equals `pywt.wavedec` and is differentiable in data and filters.

    Args:
        x: real signal of any shape; float16 and bfloat16 are computed in float32.
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        mode: one of PyWavelets' nine signal extension modes.
        level: number of levels; default: `pywt.dwt_max_level(n, taps)`.
        axis: the axis to transform.

    Returns:
        `[cA_n, cD_n, ..., cD_1]`, coarse to fine.

    Raises:
        TypeError: `x` is not a real floating-point tensor; `level` is not an int.
        ValueError: `level` is negative or deeper than `ceil(log2(n * taps))`, and as for `dwt`.

    Warns:
        UserWarning: `level` is above `pywt.dwt_max_level`, so that every coefficient feels the boundary
            (as `pywt.wavedec` does; `periodization` stays exact all the same). Compiled code does not warn.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> [c.shape[-1] for c in lw.functional.wavedec(torch.randn(100), "db2", level=3)]
        [15, 15, 27, 51]
    """
    check_mode(mode)
    axis = check_axis(check_signal(x), axis)
    bank = bank_for(wavelet, x)
    n = x.shape[axis]
    useful = useful_level(n, bank.taps)
    if level is None:
        level = useful
    level = check_level(level, deepest_level(n, bank.taps), f"{n} samples and {bank.taps} taps")
    if level > useful and not torch.compiler.is_compiling():  # a warning would break the graph
        warnings.warn(
            f"`level` {level} is above the {useful} that {n} samples and {bank.taps} taps allow without "
            "boundary effects in every coefficient",
            stacklevel=2,
        )
    with full_precision(x):
        moved = x.to(bank.dec_lo.dtype).movedim(axis, -1)
        if level == 0:
            moved = without_effect(moved, bank.dec_lo, bank.dec_hi)
        coeffs = kernels.wavedec(moved, bank.dec_lo, bank.dec_hi, mode, level)
    return [c.to(x.dtype).movedim(-1, axis) for c in coeffs]


def waverec(coeffs: Sequence[Tensor | None], wavelet: WaveletLike, mode: str = "symmetric", axis: int = -1) -> Tensor:
    """Multilevel inverse transform; equals `pywt.waverec` and is differentiable in coefficients and filters.

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
    check_mode(mode)
    some = _check_coeffs(coeffs)
    axis = check_axis(some, axis, "coeffs")
    _check_other_axes(coeffs, axis)
    bank = bank_for(wavelet, some)
    with full_precision(some):
        moved = [None if c is None else c.to(bank.dec_lo.dtype).movedim(axis, -1) for c in coeffs]
        _check_lengths(moved, bank.taps, mode)
        if len(moved) == 1:
            moved = [None if c is None else without_effect(c, bank.rec_lo, bank.rec_hi) for c in moved]
        x = kernels.waverec(moved, bank.rec_lo, bank.rec_hi, mode)
    assert x is not None  # some coefficient is there: the checks above
    return x.to(some.dtype).movedim(-1, axis)


def _check_coeffs(coeffs: Sequence[Tensor | None]) -> Tensor:
    """The first coefficient that is there."""
    if not isinstance(coeffs, (list, tuple)):
        raise TypeError(f"`coeffs` must be a list of tensors, got {type(coeffs).__name__}")
    present = [check_signal(c, f"coeffs[{index}]") for index, c in enumerate(coeffs) if c is not None]
    if not present:
        raise ValueError("`coeffs` must hold at least one tensor, got none")
    if len({(c.dtype, c.device) for c in present}) > 1:
        kinds = sorted({f"{c.dtype} on {c.device}" for c in present})
        raise TypeError(f"`coeffs` must have one dtype and device, got {', '.join(kinds)}")
    return present[0]


def _check_other_axes(coeffs: Sequence[Tensor | None], axis: int) -> None:
    shapes = [tuple(c.shape) for c in coeffs if c is not None]
    if len({(*shape[:axis], *shape[len(shape) + axis + 1 :]) for shape in shapes}) > 1 or len({*map(len, shapes)}) > 1:
        raise ValueError(f"`coeffs` must have equal dimensions beside axis {axis}, got shapes {shapes}")


def _check_lengths(coeffs: Sequence[Tensor | None], taps: int, mode: str) -> None:
    """Walks the lengths through the inverse transform, so that a misfit is told in the user's words."""
    n = None if coeffs[0] is None else coeffs[0].shape[-1]
    for index, detail in enumerate(coeffs[1:], start=1):
        if detail is not None:
            d = detail.shape[-1]
            if n is not None and n not in (d, d + 1):
                raise ValueError(f"`coeffs[{index}]` must have {n} entries (or {n - 1}) at its level, got {d}")
            n = d
        if n is None:
            continue
        if mode != "periodization" and 2 * n < taps:
            raise ValueError(f"`coeffs[{index}]` must have at least taps/2 = {taps // 2} entries, got {n}")
        n = 2 * n if mode == "periodization" else 2 * n - taps + 2


def pack(coeffs: Sequence[Tensor]) -> tuple[Tensor, tuple[int, ...]]:
    """Coefficients of the last axis as one vector, with the lengths that `unpack` needs.

    Args:
        coeffs: `[cA_n, cD_n, ..., cD_1]` with equal leading dimensions.

    Returns:
        The concatenation on the last axis, and the length of each entry.

    Raises:
        TypeError: `coeffs` is not a list of real floating-point tensors.
        ValueError: `coeffs` is empty, or the leading dimensions differ.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> packed, lengths = lw.functional.pack(lw.functional.wavedec(torch.randn(5, 16), "haar", level=2))
        >>> packed.shape, lengths
        (torch.Size([5, 16]), (4, 4, 8))
    """
    first = _check_coeffs(coeffs)
    if any(c is None for c in coeffs):
        raise TypeError("`coeffs` must hold tensors only, got None")
    if len({c.shape[:-1] for c in coeffs}) > 1:
        raise ValueError(f"`coeffs` must have equal leading dimensions, got shapes {[tuple(c.shape) for c in coeffs]}")
    if first.dim() == 0:
        raise ValueError("`coeffs` must have at least one dimension, got scalars")
    return torch.cat(list(coeffs), dim=-1), tuple(c.shape[-1] for c in coeffs)


def unpack(vector: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """Inverse of `pack`: views of `vector` with the given lengths on the last axis.

    Raises:
        TypeError: `vector` is not a real floating-point tensor; `lengths` is not a list of ints.
        ValueError: there are no lengths, or they do not add up to the last dimension of `vector`.
    """
    check_signal(vector, "vector")
    if isinstance(lengths, (str, bytes)) or not isinstance(lengths, Iterable):
        raise TypeError(f"`lengths` must be a list of ints, got {type(lengths).__name__}")
    sizes = [check_int(f"lengths[{index}]", length) for index, length in enumerate(lengths)]
    if not sizes:
        raise ValueError("`lengths` must hold at least one length, got none")
    if vector.dim() == 0 or sum(sizes) != vector.shape[-1] or min(sizes) < 0:
        shape = tuple(vector.shape)
        raise ValueError(f"`lengths` must add up to the last dimension of `vector` {shape}, got {tuple(sizes)}")
    return list(torch.split(vector, sizes, dim=-1))
