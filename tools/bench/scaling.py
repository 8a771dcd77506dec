"""Growth of the time with n: the same number of elements in longer and longer rows."""

from collections.abc import Mapping
from math import log, log2
from pathlib import Path

import numpy as np

from learnable_wavelets._output import Table
from learnable_wavelets.benchmarks._layers import COPY, PASSES, Case, Record, run_case
from learnable_wavelets.benchmarks._plan import Part
from learnable_wavelets.benchmarks._plot import draw, panels_of

SIZES = tuple(2**k for k in range(8, 17))
ELEMENTS = 2**22


def cases(steps: tuple[str, ...] = PASSES, precision: str = "float32") -> list[Case]:
    """List one case for each size, with the rows that keep the number of elements."""
    return [Case(step, precision, n, max(1, ELEMENTS // n)) for step in steps for n in SIZES]


def exponents(rows: list[Record]) -> list[Record]:
    """Fit the exponent of the time of one row over n, for each candidate and pass, beside the theoretical one."""
    groups: dict[tuple[str, str], dict[int, float]] = {}
    for row in rows:
        groups.setdefault((row["layer"], row["step"]), {})[row["n"]] = row["seconds"]["median"] / row["batch"]
    return [
        {"layer": layer, "step": step, "exponent": exponent(points), **_theory(layer, points)}
        for (layer, step), points in groups.items()
    ]


def _theory(layer: str, points: dict[int, float]) -> Record:
    """Return the law; n log n has no exponent, so the same fit at the same sizes gives one."""
    if layer == "fastfood":
        return {"law": "n log n", "expected": exponent({n: n * log2(n) for n in points})}
    return {"law": "n" if layer != COPY else "n (a copy)", "expected": 1.0}


def exponent(points: Mapping[int, float]) -> float:
    """Fit the slope of log time over log n by least squares.

    Raises:
        ValueError: fewer than two sizes.
    """
    if len(points) < 2:
        raise ValueError(f"an exponent needs at least two sizes, got {len(points)}")
    return float(np.polyfit([log(n) for n in points], [log(seconds) for seconds in points.values()], 1)[0])


def tables(rows: list[Record]) -> list[Table]:
    header = ("layer", "pass", "fitted exponent", "law", "its exponent by the same fit")
    cells = [
        (row["layer"], row["step"], f"{row['exponent']:.2f}", row["law"], f"{row['expected']:.2f}")
        for row in exponents(rows)
    ]
    note = f"Time of one row over n, least squares in log-log, at {ELEMENTS:,} elements whatever the n."
    return [Table(header, cells, "Growth with n", note)]


def draw_growth(folder: Path, rows: list[Record]) -> list[Path]:
    per_row = [row | {"seconds": {k: v / row["batch"] for k, v in row["seconds"].items()}} for row in rows]
    panels = panels_of(per_row, "layer", ("step",), "{}: one row")
    return [draw(folder / "scaling.png", "Growth with n at a fixed number of elements", panels, 2)]


PART = Part(
    name="scaling",
    help="Also the growth with n, 2^8 to 2^16.",
    cases=lambda plan: cases(plan.passes, plan.dtype[0]),
    label=lambda case: f"growth: {case.step} n = {case.n}",
    run=lambda case, plan, clock: run_case(plan.layers, case, plan.device, clock, plan.seconds),
    tables=tables,
    draw=draw_growth,
    extra=lambda rows: {"exponents": exponents(rows)},
)
