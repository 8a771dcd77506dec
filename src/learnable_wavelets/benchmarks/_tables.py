"""Times of layers as a table, and the formats of times and ratios."""

from .._output import Table
from ._layers import DENSE, PACKED, Record

QUARTILES = "Medians, in brackets the quartiles; `/ clone`: multiple of the time of `x.clone()`."


def layer_tables(rows: list[Record]) -> list[Table]:
    """Make one table for each pass and precision."""
    return [_layer_table(rows, *kind) for kind in dict.fromkeys((row["step"], row["precision"]) for row in rows)]


def _layer_table(rows: list[Record], step: str, precision: str) -> Table:
    header = ("n", "batch", "layer", "time", f"{DENSE} / it", "best dense / it", "/ clone")
    chosen = [row for row in rows if (row["step"], row["precision"]) == (step, precision)]
    cells = [_cells(row) for row in chosen]
    what = "inference, no gradients" if step == "forward" else "forward and backward, all gradients, no optimiser"
    note = (
        "Medians, in brackets quartiles; all quartiles are in results.json. Ratios are taken round by round; above 1 "
        f"is faster than {DENSE}, or than the faster of {DENSE} and {PACKED} (forward, on a CPU). "
        "`/ clone`: multiple of the time of `x.clone()`."
    )
    return Table(header, cells, f"{step.capitalize()} ({what}), {precision}", note, left=2)


def _cells(row: Record) -> tuple[str, ...]:
    """Format a row in 80 columns: the quartiles of the times are in the record only."""
    time, speedup, copies = (cell.partition(" [")[0] for cell in timing(row, "speedup"))
    unit = _unit(row["seconds"]["median"])[0]
    return (str(row["n"]), str(row["batch"]), row["layer"], f"{time} {unit}", speedup, _ratio(row, "best"), copies)


def timing(row: Record, ratio: str) -> tuple[str, str, str]:
    """Format time, ratio, and the multiple of `x.clone()`, whose quartiles are in the record only."""
    seconds = row["seconds"]
    unit, scale = _unit(seconds["median"])
    return (f"{_spread(seconds, scale)} {unit}", _ratio(row, ratio), _ratio(row, "copies").partition(" ")[0])


def _ratio(row: Record, name: str) -> str:
    return _spread(row[name]) if name in row else ""


def _unit(seconds: float) -> tuple[str, float]:
    return next(((unit, scale) for unit, scale in (("s", 1.0), ("ms", 1e-3)) if seconds >= scale), ("µs", 1e-6))


def _spread(values: dict[str, float], scale: float = 1.0) -> str:
    median, lower, upper = (digits(values[key] / scale) for key in ("median", "lower", "upper"))
    return f"{median} [{lower}, {upper}]"


def digits(value: float) -> str:
    """Format three digits, or all before the point."""
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"
