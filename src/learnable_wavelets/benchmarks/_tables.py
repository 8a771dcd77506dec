"""Records as tables of words, the same for the screen and for Markdown."""

from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.table import Table as Screen

from ._layers import DENSE, Record
from ._memory import COUNTED
from ._scaling import ELEMENTS
from ._transforms import WAVEDEC_LEVEL
from ._verdict import factor

QUARTILES = "Medians, in brackets the quartiles; `/ clone`: multiple of the time of `x.clone()`."
TIMED = ("time", "it / ours", "/ clone")


class Table(NamedTuple):
    """Words in columns; `text` columns stand left, the others right."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str
    text: int = 0


def layer_table(rows: list[Record], step: str, precision: str) -> Table:
    header = ("n", "batch", "layer", "time", f"{DENSE} / it", "/ clone")
    chosen = [row for row in rows if (row["step"], row["precision"]) == (step, precision)]
    words = [(str(row["n"]), str(row["batch"]), row["layer"], *_timing(row, "speedup")) for row in chosen]
    what = "inference, no gradients" if step == "forward" else "forward and backward, all gradients, no optimiser"
    note = f"{QUARTILES} Ratios of times are taken round by round; above 1 in `{DENSE} / it` is faster than {DENSE}."
    return Table(f"{step.capitalize()} ({what}), {precision}", header, words, note, text=2)


def transform_table(rows: list[Record], transform: str) -> Table:
    words = []
    for row in rows:
        if row["transform"] == transform:
            what = f"{row['wavelet']}, {row['mode']}" if row["wavelet"] else f"{row['batch']} x {row['n']}"
            measured = _timing(row, "over_ours") if row["status"] == "measured" else (row["status"], "", "")
            words.append((what, row["name"], *measured))
    note = f"{QUARTILES} Above 1 in `it / ours`: ours is faster. Each answer was compared with ours before."
    if transform == "fwht":
        return Table("lw.functional.fwht, float32", ("array", "by", *TIMED), words, note, text=1)
    shape = next(f"{row['batch']} x {row['n']}" for row in rows if row["transform"] == transform)
    title = f"lw.functional.wavedec of {shape}, {WAVEDEC_LEVEL} levels, float32"
    return Table(title, ("wavelet, mode", "by", *TIMED), words, note, text=1)


def peer_table(peers: list[Record]) -> Table:
    words = [(p["name"], f"{p['package']} {p['version'] or '(not installed)'}", p["note"]) for p in peers]
    return Table("The other packages", ("name", "package", "how it differs"), words, "", text=2)


def memory_table(rows: list[Record]) -> Table:
    header = ("n", "batch", "layer", "kept for backward", f"it / {DENSE}", "peak of the step", f"it / {DENSE}")
    words = [
        (str(row["n"]), str(row["batch"]), row["layer"],
         size(row["kept"]), factor(row["kept_ratio"]), size(row["peak"]), factor(row["peak_ratio"]))
        for row in rows
    ]  # fmt: skip
    precisions = ", ".join(dict.fromkeys(row["precision"] for row in rows))
    return Table(f"Memory of a training step, {precisions}", header, words, COUNTED, text=2)


def exponent_table(rows: list[Record]) -> Table:
    header = ("layer", "pass", "fitted exponent", "law", "its exponent by the same fit")
    words = [
        (row["layer"], row["step"], f"{row['exponent']:.2f}", row["law"], f"{row['expected']:.2f}") for row in rows
    ]
    note = f"Time of one row over n, least squares in log-log, at {ELEMENTS:,} elements whatever the n."
    return Table("Growth with n", header, words, note)


def _timing(row: Record, ratio: str) -> tuple[str, ...]:
    """Time, ratio, and the multiple of `x.clone()`, whose quartiles are in the record only."""
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
    """Three digits, or all in front of the point."""
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"


def size(count: float) -> str:
    """Bytes with the unit that suits."""
    unit, scale = next(((u, s) for u, s in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)) if count >= s), ("B", 1))
    return f"{count / scale:.{0 if scale == 1 else 1}f} {unit}"


def markdown(table: Table) -> str:
    rule = tuple("---" if i <= table.text else "---:" for i in range(len(table.header)))
    lines = [table.header, rule, *table.rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {table.title}\n\n{body}\n" + (f"\n{table.note}\n" if table.note else "")


def screen(table: Table) -> Screen:
    """For rich; a rule between groups of rows, whose repeated first words are left out."""
    shown = Screen(title=table.title, caption=table.note or None, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for i, name in enumerate(table.header):
        shown.add_column(name, justify="left" if i <= table.text else "right", no_wrap=0 < i < len(table.header) - 1)
    before: tuple[str, ...] = ()
    for row in table.rows:
        group = row[: table.text]
        shown.add_row(*(("",) * len(group) if group == before else group), *row[table.text :])
        before = group
    return shown
