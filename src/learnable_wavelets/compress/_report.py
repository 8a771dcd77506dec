"""The report of a conversion: one line for each dense layer, and the sums."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import TYPE_CHECKING, Any

from .._output import Table, console, screen
from ._config import Compression

if TYPE_CHECKING:
    from rich.table import Table as Screen


@dataclasses.dataclass(frozen=True)
class Entry:
    """One dense layer: its shape, the layer in its place or why it stays, both costs, and the error of a fit."""

    name: str
    kind: str
    in_features: int
    out_features: int
    layer: str | None
    reason: str
    parameters: tuple[int, int]
    bytes: tuple[int, int]
    multiply_adds: tuple[int, int]
    speedup: float | None = None
    error: float | None = None

    @property
    def replaced(self) -> bool:
        """Tell layers that are replaced from those that stay."""
        return self.layer is not None


@dataclasses.dataclass(frozen=True)
class Report:
    """Report the conversion of each layer: the result of `plan` and `compress_`; prints as a table.

    Attributes:
        config: the `Compression`.
        layers: an `Entry` for each dense layer.
        parameters: of the whole model, before and after.
        bytes: of these parameters, before and after.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> report = lw.plan(torch.nn.Sequential(torch.nn.Linear(784, 784)), lw.Compression(layer="fastfood"))
        >>> report.replaced, report.parameters, report.to_dict()["layers"][0]["reason"]
        (('0',), (615440, 3376), 'starts anew')
    """

    config: Compression
    layers: tuple[Entry, ...]
    parameters: tuple[int, int]
    bytes: tuple[int, int]

    @property
    def replaced(self) -> tuple[str, ...]:
        """Names of the layers that are replaced."""
        return tuple(entry.name for entry in self.layers if entry.replaced)

    @property
    def multiply_adds(self) -> tuple[int, int]:
        """Multiply-adds for one row through each dense layer, before and after."""
        return sum(e.multiply_adds[0] for e in self.layers), sum(e.multiply_adds[1] for e in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values that JSON can hold; pairs are before and after."""
        entries = [{**dataclasses.asdict(e), "replaced": e.replaced} for e in self.layers]
        lists = [{k: [*v] if isinstance(v, tuple) else v for k, v in entry.items()} for entry in entries]
        sums = {name: [*getattr(self, name)] for name in ("parameters", "bytes", "multiply_adds")}
        return {"config": self.config.to_dict(), "layers": lists, **sums}

    def _table(self) -> Table:
        timed = any(entry.speedup is not None for entry in self.layers)
        header = ["layer", "shape", "in its place", "note", "parameters", "after", "multiply-adds", "after"]
        rows = [_row(entry) + ([_times(entry.speedup)] if timed else []) for entry in self.layers]
        megabytes = " to ".join(f"{count / 1e6:,.2f}" for count in self.bytes)
        before, after = (f"{count:,}" for count in self.parameters)
        note = f"whole model: {before} to {after} parameters, {megabytes} MB"
        return Table(header + (["speed-up"] if timed else []), rows, note=note, left=3)

    def __rich__(self) -> Screen:
        return screen(self._table()._replace(left=0))

    def __str__(self) -> str:
        table = self._table()
        if importlib.util.find_spec("rich") is None:
            return _plain(table)
        plain = console(width=1000, color_system=None)
        with plain.capture() as text:
            plain.print(screen(table._replace(left=0)))
        return "\n".join(line.rstrip() for line in text.get().strip("\n").splitlines())


def _row(entry: Entry) -> list[str]:
    counts = [f"{count:,}" for count in (*entry.parameters, *entry.multiply_adds)]
    return [entry.name, f"{entry.in_features} x {entry.out_features}", entry.layer or "-", entry.reason, *counts]


def _times(speedup: float | None) -> str:
    return "" if speedup is None else f"{speedup:.2f}"


def _plain(table: Table) -> str:
    """Format a table without any library."""
    rows = [[*table.header], *map(list, table.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.header))]
    lines = [
        "  ".join(
            cell.ljust(w) if i <= table.left else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in [lines[0], "-" * len(lines[0]), *lines[1:], table.note])
