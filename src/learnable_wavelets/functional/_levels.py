"""Choose the depth of a transform, and check it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import ceil, log2

import torch

from .._checks import check_level


def useful_level(n: int, taps: int) -> int:
    """Return `pywt.dwt_max_level`, which dynamo cannot trace: the last level with a coefficient off the boundary."""
    return max(0, (n // (taps - 1)).bit_length() - 1)


def deepest_level(n: int, taps: int) -> int:
    """Return the level from which on a transform cannot get any deeper: `2**level >= n * taps`."""
    return max(1, ceil(log2(n * taps)))


def read_level(level: int | None, axes: Sequence[tuple[int, int]], stacklevel: int = 3) -> int:
    """Return the number of levels for axes of n samples with filters of so many taps; warn as PyWavelets does."""
    deepest = max(deepest_level(*axis) for axis in axes)
    n, taps = axes[0]
    for axis in axes[1:]:
        if useful_level(*axis) < useful_level(n, taps):
            n, taps = axis
    useful = useful_level(n, taps)
    if level is None:
        return useful
    # lengths may be symbolic, which have no hash
    different = [axis for index, axis in enumerate(axes) if axis not in axes[:index]]
    reason = " and ".join([f"{size} samples and {length} taps" for size, length in different])
    level = check_level(level, deepest, reason)
    if level > useful and not torch.compiler.is_compiling():  # a warning would break the graph
        allowed = f"the {useful} that {n} samples and {taps} taps allow without boundary effects in every coefficient"
        warnings.warn(f"`level` {level} is above {allowed}", stacklevel=stacklevel)
    return level
