"""Lists of coefficients: checks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .._checks import check_signal


def unexpected_detail(name: str, expected: str, entry: object) -> TypeError:
    """Return the error for an entry of another transform, in the words that PyWavelets begins with."""
    return TypeError(f"Unexpected detail coefficient type: `{name}` must be {expected}, got {type(entry).__name__}")


def check_coeffs(coeffs: Sequence[Tensor | None]) -> Tensor:
    """Return the first coefficient that is not `None`."""
    if not isinstance(coeffs, (list, tuple)):
        raise TypeError(f"`coeffs` must be a list of tensors, got {type(coeffs).__name__}")
    present = []
    for index, c in enumerate(coeffs):
        if index and not isinstance(c, (Tensor, type(None))):
            raise unexpected_detail(f"coeffs[{index}]", "a torch.Tensor", c)
        if c is not None:
            present.append(check_signal(c, f"coeffs[{index}]"))
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
    if any(other != others[0] for other in others):
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
