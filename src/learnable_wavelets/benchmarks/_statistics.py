"""From times to statements: quartiles, ratios, crossover, exponents."""

from collections.abc import Mapping, Sequence
from math import log
from typing import NamedTuple

import numpy as np


class Spread(NamedTuple):
    """Median and quartiles."""

    median: float
    lower: float
    upper: float


def spread(values: Sequence[float]) -> Spread:
    lower, median, upper = np.percentile(values, [25, 50, 75])
    return Spread(float(median), float(lower), float(upper))


def ratio(baseline: Sequence[float], ours: Sequence[float]) -> Spread:
    """How many times faster than the baseline: of each round, then the median, so that a slow minute cancels out."""
    return spread([b / o for b, o in zip(baseline, ours, strict=True)])


def crossover(ratios: Mapping[int, float]) -> int | None:
    """The smallest n from which on every measured n has a ratio above 1; `None` if the largest n has not."""
    found = None
    for n in sorted(ratios, reverse=True):
        if not ratios[n] > 1:
            break
        found = n
    return found


def exponent(points: Mapping[int, float]) -> float:
    """Slope of log time over log n by least squares.

    Raises:
        ValueError: fewer than two sizes.
    """
    if len(points) < 2:
        raise ValueError(f"an exponent needs at least two sizes, got {len(points)}")
    return float(np.polyfit([log(n) for n in points], [log(seconds) for seconds in points.values()], 1)[0])
