"""How time grows with n: the same number of elements in longer and longer rows."""

from math import log2

from ._layers import COPY, PASSES, Case, Record
from ._statistics import exponent

SIZES = tuple(2**k for k in range(8, 17))
ELEMENTS = 2**22


def cases(steps: tuple[str, ...] = PASSES, precision: str = "float32") -> list[Case]:
    """One case for each size, with as many rows as keep the number of elements."""
    return [Case(step, precision, n, max(1, ELEMENTS // n)) for step in steps for n in SIZES]


def exponents(rows: list[Record]) -> list[Record]:
    """The fitted exponent of the time of one row over n, for each candidate and pass, and what theory says."""
    groups: dict[tuple[str, str], dict[int, float]] = {}
    for row in rows:
        groups.setdefault((row["layer"], row["step"]), {})[row["n"]] = row["seconds"]["median"] / row["batch"]
    return [
        {"layer": layer, "step": step, "exponent": exponent(points), **_theory(layer, points)}
        for (layer, step), points in groups.items()
    ]


def _theory(layer: str, points: dict[int, float]) -> Record:
    """The law n log n has no exponent; this is what the same fit makes of it at the same sizes."""
    if layer == "fastfood":
        return {"law": "n log n", "expected": exponent({n: n * log2(n) for n in points})}
    return {"law": "n" if layer != COPY else "n (a copy)", "expected": 1.0}
