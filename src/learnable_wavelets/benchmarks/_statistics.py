"""Statistics of times: quartiles, ratios, crossover."""

from collections.abc import Mapping, Sequence

import numpy as np

Spread = dict[str, float]


def spread(values: Sequence[float]) -> Spread:
    """Compute `median` and the quartiles `lower` and `upper`."""
    return dict(zip(("median", "lower", "upper"), np.percentile(values, [50, 25, 75]).tolist(), strict=True))


def ratio(baseline: Sequence[float], ours: Sequence[float]) -> Spread:
    """Divide baseline by ours round by round and take the median, so that a slow minute cancels out."""
    return spread([b / o for b, o in zip(baseline, ours, strict=True)])


def crossover(ratios: Mapping[int, float]) -> int | None:
    """Find the smallest n from which on every measured ratio is above 1; `None` if that of the largest n is not."""
    found = None
    for n in sorted(ratios, reverse=True):
        if not ratios[n] > 1:
            break
        found = n
    return found
