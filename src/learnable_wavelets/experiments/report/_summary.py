"""Runs summarised over their seeds, as rows and as tables."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ... import _output
from ..engine import GROUP, Record


class Metric(NamedTuple):
    """Title and format of a metric."""

    title: str
    format: str


METRICS = {
    "error": Metric("error %", ".2f"),
    "zero_shot": Metric("zero-shot error %", ".2f"),
    "cross_entropy": Metric("cross-entropy", ".4g"),
    "mse": Metric("MSE", ".2e"),
    "accuracy": Metric("accuracy", ".4f"),
    "bpc": Metric("bits per character", ".3f"),
}
SEEDS_TO_COMPARE = 3
NOTE = (
    "Test figures after the last epoch, mean ± sample standard deviation over the seeds; beside them the first of them "
    "at the epoch that the validation split chose, where there is one. Seconds: the median epoch's, times the epochs."
)


def metric_of(name: str) -> Metric:
    """Return title and format of a metric; one of another version goes by its own name."""
    return METRICS.get(name, Metric(name, ".4g"))


def summarise(runs: Iterable[Record]) -> list[Record]:
    """Make one row for each configuration: mean and sample standard deviation of each metric over its seeds."""
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
    """Multiply the seconds of the median epoch by the number of epochs, so that a pause of the process is left out."""
    ends: list[float] = [0.0, *(epoch["seconds"] for epoch in run["history"])]
    seconds: float = statistics.median(end - start for start, end in pairwise(ends))
    return seconds * len(run["history"])


def _spread(values: list[float | None]) -> Record:
    """Compute mean and sample standard deviation; `None` if a value is not finite."""
    numbers = [value for value in values if value is not None]
    if not numbers or len(numbers) < len(values):
        return {"mean": None, "std": None}
    return {"mean": statistics.fmean(numbers), "std": statistics.stdev(numbers) if len(numbers) > 1 else None}


def paired(runs: Iterable[Record], others: Iterable[Record], metric: str) -> Record | None:
    """Compute mean and spread of `runs` minus `others` in a test metric, seed by seed; `None` without a common seed."""
    one, other = ({run["seed"]: run["last"].get(metric) for run in group} for group in (runs, others))
    pairs = [(one[seed], other[seed]) for seed in sorted(one.keys() & other.keys())]
    if not pairs:
        return None
    return {"seeds": len(pairs), **_spread([None if a is None or b is None else a - b for a, b in pairs])}


def ahead(runs: Iterable[Record], others: Iterable[Record], metric: str) -> bool:
    """Return True where `runs` are better by more than the spread of the paired differences, over three seeds or more.

    Better is more for an accuracy, less for the other metrics.
    """
    difference = paired(runs, others, metric)
    if difference is None or difference["seeds"] < SEEDS_TO_COMPARE or difference["mean"] is None:
        return False
    gain: float = difference["mean"] if metric == "accuracy" else -difference["mean"]
    spread: float = difference["std"]
    return gain > spread


def show(spread: Record, format: str) -> str:
    """Format `mean ± std`."""
    if spread["mean"] is None:
        return "not finite"
    return f"{spread['mean']:{format}}" + ("" if spread["std"] is None else f" ± {spread['std']:{format}}")


def cells(row: Record) -> dict[str, str]:
    """Format a row of `summarise`, by column title."""
    title = f"{row['layer']} ({row['settings']})" if row["settings"] else row["layer"]
    first = next(iter(row["last"]), None)
    shown = {name: spread for name, spread in row["last"].items() if name == first or name != "cross_entropy"}
    metrics = {metric_of(name).title: show(spread, metric_of(name).format) for name, spread in shown.items()}
    chosen = row["chosen"].get(first)
    return {
        "layer": title,
        "protocol": row["protocol"],
        "data": row["data"],
        "epochs": str(row["epochs"]),
        "seeds": str(len(row["seeds"])),
        "parameters": f"{row['parameters']:,}",
        **{f"test {name}": value for name, value in metrics.items()},
        "at chosen epoch": show(chosen, metric_of(first).format) if chosen and first else "",
        "wavelet loss": show({**row["wavelet_loss"], "std": None}, ".1e"),
        "seconds": show({**row["seconds"], "std": None}, ".0f"),
    }


def _by_experiment(rows: Sequence[Record]) -> dict[str, list[dict[str, str]]]:
    names = dict.fromkeys(row["experiment"] for row in rows)
    return {name: [cells(row) for row in rows if row["experiment"] == name] for name in names}


def _table(rows: list[dict[str, str]], title: str, left_out: Sequence[str] = ()) -> _output.Table:
    titles = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in left_out]
    titles = [key for key in titles if any(row.get(key) for row in rows)]
    return _output.Table(titles, [[row.get(key, "") for key in titles] for row in rows], title)


def markdown(rows: Sequence[Record]) -> str:
    """Format one table for each experiment."""
    groups = _by_experiment(rows)
    tables = [_output.markdown(_table(group, name if len(groups) > 1 else "")) for name, group in groups.items()]
    return "\n".join([*tables, f"{NOTE}\n"])


def screen_tables(rows: Sequence[Record]) -> Iterator[Any]:
    """Format a table for each experiment for a terminal of 80 characters: constant columns move into the title."""
    for name, group in _by_experiment(rows).items():
        same = [key for key in ("protocol", "data", "epochs") if len({row[key] for row in group}) == 1]
        title = ", ".join([name, *(f"{key} {group[0][key]}" for key in same)])
        yield _output.screen(_table(group, title, same))
