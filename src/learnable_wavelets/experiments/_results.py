"""Records of runs: JSON lines while they go, one JSON file each when they end, one table over a folder.

A folder may be shared by several processes: each run has files of its own, and the table is made anew from all of them.
"""

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .._command_line import write_atomic

Record = dict[str, Any]

HEADER = ("layer", "data", "epochs", "seeds", "parameters", "test error %", "wavelet loss", "seconds")


class JsonLines:
    """A file of JSON objects, one a line; each is one unbuffered write, so that an interrupt leaves whole lines."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb", buffering=0)

    def write(self, record: Record) -> None:
        self._file.write(json.dumps(finite(record), allow_nan=False).encode() + b"\n")

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def finite(record: Record) -> Record:
    """`record` with NaN and infinity, which JSON does not have, as `None`."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}


def read_runs(folder: Path) -> list[Record]:
    """The finished runs of `folder`, by name of their file.

    Raises:
        ValueError: there is none, or a file is not JSON.
    """
    runs = [_read(path) for path in sorted(folder.glob("runs/*.json"))]
    if not runs:
        raise ValueError(f"no finished run in {folder / 'runs'}")
    return runs


def _read(path: Path) -> Record:
    try:
        record: Record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return record


def summarise(runs: Iterable[Record]) -> list[Record]:
    """One row for each configuration: mean and sample standard deviation over its seeds."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for run in runs:
        groups.setdefault((run["layer"], run["settings"], run["data"], run["epochs"], run["parameters"]), []).append(
            run
        )
    return [_row(group) for _, group in sorted(groups.items())]


def _row(group: Sequence[Record]) -> Record:
    errors = [run["test_error"] for run in group]
    losses = [run["wavelet_loss"] for run in group]
    return {
        **{key: group[0][key] for key in ("experiment", "layer", "settings", "data", "epochs", "parameters")},
        "seeds": sorted(run["seed"] for run in group),
        "test_error_mean": statistics.fmean(errors),
        "test_error_std": statistics.stdev(errors) if len(errors) > 1 else None,
        "wavelet_loss_mean": None if None in losses else statistics.fmean(losses),
        "seconds_mean": statistics.fmean(run["seconds"] for run in group),
    }


def cells(row: Record) -> tuple[str, ...]:
    """A row of `summarise` as words, in the order of `HEADER`."""
    name = f"{row['layer']} ({row['settings']})" if row["settings"] else row["layer"]
    spread = "" if row["test_error_std"] is None else f" ± {row['test_error_std']:.2f}"
    loss = "not finite" if row["wavelet_loss_mean"] is None else f"{row['wavelet_loss_mean']:.1e}"
    return (
        name,
        row["data"],
        str(row["epochs"]),
        str(len(row["seeds"])),
        f"{row['parameters']:,}",
        f"{row['test_error_mean']:.2f}{spread}",
        loss,
        f"{row['seconds_mean']:.0f}",
    )


def markdown(rows: Iterable[Record]) -> str:
    """The table as Markdown."""
    lines = [HEADER, ("---",) + ("---:",) * (len(HEADER) - 1), *map(cells, rows)]
    note = "Test error after the last epoch: mean ± sample standard deviation over the seeds. Seconds: one run."
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{note}\n"


def write_table(folder: Path) -> list[Record]:
    """Make `table.md` and `results.json` from all finished runs in `folder`; the rows."""
    rows = summarise(read_runs(folder))
    write_atomic(folder / "table.md", markdown(rows))
    write_atomic(folder / "results.json", json.dumps(rows, indent=1) + "\n")
    return rows
