"""Lists of coefficients: checks, and one vector for them all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .._checks import check_int, check_signal, shown


def check_coeffs(coeffs: Sequence[Tensor | None]) -> Tensor:
    """Return the first coefficient that is not `None`."""
    if not isinstance(coeffs, (list, tuple)):
        raise TypeError(f"`coeffs` must be a list of tensors, got {type(coeffs).__name__}")
    present = [check_signal(c, f"coeffs[{index}]") for index, c in enumerate(coeffs) if c is not None]
    if not present:
        raise ValueError("`coeffs` must hold at least one tensor, got none")
    first = present[0]
    for c in present:
        if c.dtype != first.dtype or c.device != first.device:
            kinds = f"{first.dtype} on {first.device}, {c.dtype} on {c.device}"
            raise TypeError(f"`coeffs` must have one dtype and device, got {kinds}")
    return first


def check_other_axes(coeffs: Sequence[Tensor | None], axis: int) -> None:
    shapes = [tuple(c.shape) for c in coeffs if c is not None]
    others = [(*shape[:axis], len(shape), *shape[len(shape) + axis + 1 :]) for shape in shapes]
    if others.count(others[0]) < len(others):
        raise ValueError(f"`coeffs` must have equal dimensions beside axis {axis}, got shapes {shapes}")


def check_lengths(coeffs: Sequence[Tensor | None], axis: int, taps: int, mode: str) -> None:
    """Follow the lengths through the inverse transform, and name the entry that does not fit."""
    n = None if coeffs[0] is None else coeffs[0].shape[axis]
    for index, detail in enumerate(coeffs[1:], start=1):
        if detail is not None:
            d = detail.shape[axis]
            if n is not None and n not in (d, d + 1):
                raise ValueError(f"`coeffs[{index}]` must have {n} entries (or {n - 1}) at its level, got {d}")
            n = d
        if n is None:
            continue
        if mode != "periodization" and 2 * n < taps:
            raise ValueError(f"`coeffs[{index}]` must have at least taps/2 = {taps // 2} entries, got {n}")
        n = 2 * n if mode == "periodization" else 2 * n - taps + 2


def check_samples(n: int, coeffs: Sequence[Tensor | None], lengths: Sequence[int], axis: int) -> None:
    """Raise unless a signal of n samples has coefficients of these lengths."""
    found = [k if c is None else c.shape[axis] for c, k in zip(coeffs, lengths, strict=True)]
    if found != [*lengths]:
        raise ValueError(f"`n` must be a length with {found} coefficients, got {n} with {[*lengths]}")


def pack(coeffs: Sequence[Tensor]) -> tuple[Tensor, tuple[int, ...]]:
    """Concatenate coefficients on the last axis, and return the lengths that `unpack` needs.

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
    first = check_coeffs(coeffs)
    if any(c is None for c in coeffs):
        raise TypeError("`coeffs` must hold tensors only, got None")
    if len({c.shape[:-1] for c in coeffs}) > 1:
        raise ValueError(f"`coeffs` must have equal leading dimensions, got shapes {[tuple(c.shape) for c in coeffs]}")
    if first.dim() == 0:
        raise ValueError("`coeffs` must have at least one dimension, got scalars")
    return torch.cat(list(coeffs), dim=-1), tuple(c.shape[-1] for c in coeffs)


def unpack(vector: Tensor, lengths: Sequence[int]) -> list[Tensor]:
    """Split `vector` into views with the given lengths on the last axis: the inverse of `pack`.

    Raises:
        TypeError: `vector` is not a real floating-point tensor; `lengths` is not a list of ints.
        ValueError: there are no lengths, or they do not add up to the last dimension of `vector`.
    """
    check_signal(vector, "vector")
    try:
        if isinstance(lengths, (str, bytes)):
            raise TypeError
        given = list(lengths)
    except TypeError:
        raise TypeError(f"`lengths` must be a list of ints, got {type(lengths).__name__}") from None
    sizes = [check_int(f"lengths[{index}]", length) for index, length in enumerate(given)]
    if not sizes:
        raise ValueError("`lengths` must hold at least one length, got none")
    if vector.dim() == 0 or sum(sizes) != vector.shape[-1] or min(sizes) < 0:
        shape = tuple(vector.shape)
        raise ValueError(f"`lengths` must add up to the last dimension of `vector` {shape}, got {shown(tuple(sizes))}")
    return list(torch.split(vector, sizes, dim=-1))
