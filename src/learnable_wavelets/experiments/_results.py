"""Records of runs: JSON lines while they go, one JSON file each when they end, one table over a folder.

A folder may be shared by several processes: each run has files of its own, and the table is made anew from all of them.
"""

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from .._command_line import write_atomic

Record = dict[str, Any]


class Metric(NamedTuple):
    """How a metric is shown."""

    title: str
    format: str


METRICS = {
    "error": Metric("error %", ".2f"),
    "cross_entropy": Metric("cross-entropy", ".4g"),
    "mse": Metric("MSE", ".2e"),
    "accuracy": Metric("accuracy", ".4f"),
    "bpc": Metric("bits per character", ".3f"),
}
GROUP = ("experiment", "layer", "settings", "protocol", "data", "epochs", "interval", "parameters")


class JsonLines:
    """A file of JSON objects, one a line; each is one unbuffered write, so that an interrupt leaves whole lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
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
    runs = [read_record(path) for path in sorted(folder.glob("runs/*.json"))]
    if not runs:
        raise ValueError(f"no finished run in {folder / 'runs'}")
    return runs


def read_record(path: Path) -> Record:
    """One run.

    Raises:
        ValueError: the file is not JSON, or not the record of a run.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    keys = (*GROUP, "seed", "last", "chosen", "history", "wavelet_loss")
    missing = [key for key in keys if not isinstance(record, dict) or key not in record]
    if missing:
        raise ValueError(f"{path} is not the record of a run: it has no {', '.join(missing)}")
    return dict(record)


def read_list(path: Path) -> list[Record]:
    """The runs of a file that holds a list of them, as those in `docs/results`."""
    records: list[Record] = json.loads(path.read_text(encoding="utf-8"))
    return records


def summarise(runs: Iterable[Record]) -> list[Record]:
    """One row for each configuration: mean and sample standard deviation over its seeds, of each metric."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for run in runs:
        groups.setdefault(tuple(run[key] for key in GROUP), []).append(run)
    return [_row(group) for _, group in sorted(groups.items())]


def _row(group: Sequence[Record]) -> Record:
    return {
        **{key: group[0][key] for key in GROUP},
        "seeds": sorted(run["seed"] for run in group),
        "last": {name: _spread([run["last"].get(name) for run in group]) for name in group[0]["last"]},
        "chosen": {
            name: _spread([run["chosen"].get(name) for run in group])
            for name in group[0]["last"]
            if all(run["chosen"] for run in group)
        },
        "wavelet_loss": _spread([run["wavelet_loss"] for run in group]),
        "seconds": _spread([typical_seconds(run) for run in group]),
    }


def typical_seconds(run: Record) -> float:
    """The seconds of the median epoch, as often as there are epochs: a pause of the process is no part of them."""
    ends: list[float] = [0.0, *(epoch["seconds"] for epoch in run["history"])]
    seconds: float = statistics.median(end - start for start, end in pairwise(ends))
    return seconds * len(run["history"])


def _spread(values: list[float | None]) -> Record:
    """Mean and sample standard deviation; nothing where a value is not finite."""
    numbers = [value for value in values if value is not None]
    if not numbers or len(numbers) < len(values):
        return {"mean": None, "std": None}
    return {"mean": statistics.fmean(numbers), "std": statistics.stdev(numbers) if len(numbers) > 1 else None}


def show(spread: Record, format: str) -> str:
    """`mean ± std` in words."""
    if spread["mean"] is None:
        return "not finite"
    return f"{spread['mean']:{format}}" + ("" if spread["std"] is None else f" ± {spread['std']:{format}}")


def cells(row: Record) -> dict[str, str]:
    """A row of `summarise` as words by title."""
    title = f"{row['layer']} ({row['settings']})" if row["settings"] else row["layer"]
    first = next(iter(row["last"]), None)
    shown = {name: spread for name, spread in row["last"].items() if name == first or name != "cross_entropy"}
    metrics = {METRICS[name].title: show(spread, METRICS[name].format) for name, spread in shown.items()}
    chosen = row["chosen"].get(first)
    return {
        "layer": title,
        "protocol": row["protocol"],
        "data": row["data"],
        "epochs": str(row["epochs"]),
        "seeds": str(len(row["seeds"])),
        "parameters": f"{row['parameters']:,}",
        **{f"test {name}": value for name, value in metrics.items()},
        "at chosen epoch": show(chosen, METRICS[first].format) if chosen and first else "",
        "wavelet loss": show({**row["wavelet_loss"], "std": None}, ".1e"),
        "seconds": show({**row["seconds"], "std": None}, ".0f"),
    }


NOTE = (
    "Test figures after the last epoch, mean ± sample standard deviation over the seeds; beside them the first of them "
    "at the epoch that the validation split chose, where there is one. Seconds: the median epoch's, times the epochs."
)


def markdown(rows: Sequence[Record]) -> str:
    """One table for each experiment."""
    names = dict.fromkeys(row["experiment"] for row in rows)
    tables = {name: _table([cells(row) for row in rows if row["experiment"] == name]) for name in names}
    parts = [f"## {name}\n\n{table}" if len(tables) > 1 else table for name, table in tables.items()]
    return "\n\n".join(parts) + f"\n\n{NOTE}\n"


def _table(rows: list[dict[str, str]]) -> str:
    titles = [title for title in rows[0] if any(row[title] for row in rows)]
    lines = [titles, ["---"] + ["---:"] * (len(titles) - 1), *([row[title] for title in titles] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_table(folder: Path) -> list[Record]:
    """Make `table.md` and `results.json` from all finished runs in `folder`; the rows."""
    rows = summarise(read_runs(folder))
    write_atomic(folder / "table.md", markdown(rows))
    write_atomic(folder / "results.json", json.dumps(rows, indent=1) + "\n")
    return rows
