"""A wavelet for each level of a multilevel transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from .._checks import check_int, shown
from ._axes import Axes, ModesLike, Plan, WaveletsLike, read_plan, sizes_along
from ._levels import read_level


class PerLevel(NamedTuple):
    """Wavelets for the levels of `wavedec`, `swt`, their 2-D and n-D forms, packets and inverses: pass it as `wavelet`.

    Attributes:
        wavelets: a list: the one for level 1, which transforms the data, then those for levels 2, 3, ... Each may be
            whatever `wavelet` may be: a bank with a filter for each channel, or, in n dimensions, a tuple for the axes.
            Their number is that of the levels, and no warning is given about it.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> wavelets = lw.functional.PerLevel(["bior4.4", "db2", "haar"])
        >>> x = torch.randn(3, 100, dtype=torch.float64)
        >>> coeffs = lw.functional.wavedec(x, wavelets)
        >>> [c.shape[-1] for c in coeffs]
        [14, 14, 28, 54]
        >>> torch.allclose(lw.functional.waverec(coeffs, wavelets, n=100), x)
        True
    """

    wavelets: Sequence[WaveletsLike]


def analysis_plans(
    data: Tensor, wavelet: WaveletsLike | PerLevel, mode: ModesLike, axes: Axes, level: int | None,
    *, count: int | None = None,
) -> list[Plan]:  # fmt: skip
    """Return a plan for each level, fine to coarse."""
    plans = read_plans(data, wavelet, mode, axes, "data", count)
    if isinstance(wavelet, PerLevel):
        check_depth(level, len(plans))
        return plans
    taps = [step.bank.taps for step in plans[0]]
    return plans * read_level(level, [*zip(sizes_along(data, plans[0]), taps, strict=True)], stacklevel=4)


def synthesis_plans(
    like: Tensor, wavelet: WaveletsLike | PerLevel, mode: ModesLike, axes: Axes, level: int,
    *, count: int | None = None,
) -> list[Plan]:  # fmt: skip
    """Return a plan for each level, fine to coarse; one where there is no level."""
    plans = read_plans(like, wavelet, mode, axes, "coeffs", count)
    if not isinstance(wavelet, PerLevel):
        return plans * max(1, level)
    if len(plans) != level:
        raise ValueError(f"`coeffs` must have {len(plans)} levels, one for each wavelet, got {level}")
    return plans


def check_depth(level: int | None, wavelets: int) -> int:
    """Return the number of levels of `PerLevel`; `level` may be given, but not otherwise."""
    if level is not None and check_int("level", level) != wavelets:
        raise ValueError(f"`level` must be {wavelets}, the number of wavelets, or None, got {level}")
    return wavelets


def read_plans(
    data: Tensor, wavelet: WaveletsLike | PerLevel, mode: ModesLike, axes: Axes, name: str, count: int | None
) -> list[Plan]:
    """Return a plan for each wavelet of `PerLevel`, else a single one."""
    if not isinstance(wavelet, PerLevel):
        return [read_plan(data, wavelet, mode, axes, name, count=count)]
    if not isinstance(wavelet.wavelets, (list, tuple)) or not wavelet.wavelets:
        raise ValueError(f"`wavelet` must have a list of wavelets, one for each level, got {shown(wavelet.wavelets)}")
    return [read_plan(data, one, mode, axes, name, count=count) for one in wavelet.wavelets]
