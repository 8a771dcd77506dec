"""The files of a results folder beside its runs: the tables and the pictures."""

import json
from collections.abc import Iterable, Sequence
from math import nan
from pathlib import Path

import torch

import learnable_wavelets as lw

from ..._output import console, legend_below, pyplot, save_figure, write_atomic
from ..engine import Record, read_runs
from ._summary import markdown, metric_of, screen_tables, summarise

_MARKERS = "osD^vPX*<>p"  # one more than the colours, so that 110 lines differ
_ALONG = ("product of ", "rank ", "rate ")  # parts of the settings that vary along a line


def table(folder: Path) -> int:
    """Make table.md, results.json and the pictures anew from all finished runs in FOLDER, and show the table."""
    for screen in screen_tables(write_all(folder)):
        console().print(screen)
    return 0


def write_all(folder: Path) -> list[Record]:
    """Write the table and the pictures of all finished runs in `folder`; return the rows of the table."""
    runs = read_runs(folder)
    rows = summarise(runs)
    write_atomic(folder / "table.md", markdown(rows))
    write_atomic(folder / "results.json", json.dumps(rows, indent=1) + "\n")
    for run in runs:
        draw_filters(folder, run)
    for name in dict.fromkeys(row["experiment"] for row in rows):
        learning_curves(folder / f"{name}-curves.png", [run for run in runs if run["experiment"] == name])
        error_over_parameters(folder / f"{name}-parameters.png", [row for row in rows if row["experiment"] == name])
    return rows


def draw_filters(folder: Path, run: Record) -> None:
    """Draw the first filter bank of a run before and after training, unless its picture is up to date."""
    filters = run.get("filters")
    if not filters:
        return
    path, record = folder / f"{run['run']}.png", folder / "runs" / f"{run['run']}.json"
    if path.exists() and (not record.exists() or path.stat().st_mtime_ns >= record.stat().st_mtime_ns):
        return
    pyplot()  # chooses the backend
    banks = filter_banks(next(iter(filters.values())))
    save_figure(path, lw.plotting.plot_comparison(banks)[0, 0].figure)


def filter_banks(recorded: Record) -> dict[str, lw.FilterBank]:
    """Read the banks of one filter from a record, by title; a value that was not finite is NaN."""
    return {
        title: lw.FilterBank(
            **{name: torch.tensor([nan if t is None else t for t in taps]) for name, taps in bank.items()}
        )
        for title, bank in recorded.items()
    }


def point_style(number: int) -> dict[str, str]:
    """Return colour and marker of a line; neighbours differ in both."""
    return {"color": f"C{number % 10}", "marker": _MARKERS[number % len(_MARKERS)]}


def learning_curves(path: Path, runs: Sequence[Record]) -> None:
    """Draw the metric that chooses the epoch, on the validation split where there is one, else the training loss."""
    figure, ax = pyplot().subplots(layout="constrained")
    metric = next((key for key in runs[0]["last"]), None)
    key = f"validation_{metric}"
    held_out = all(key in run["history"][0] for run in runs)
    for number, (label, group) in enumerate(_groups(runs).items()):
        style = {**point_style(number), "markersize": 3, "linewidth": 1}
        for run in group:
            values = [record[key if held_out else "train_loss"] for record in run["history"]]
            epochs = [record["epoch"] for record in run["history"]]
            # a value that is not finite leaves a gap, and so does a zero, which a logarithm cannot show
            ax.plot(epochs, [value or nan for value in values], label=label if run is group[0] else None, **style)
    name = f"validation {metric_of(metric).title}" if held_out and metric else "training loss"
    ax.set(xlabel="epoch", ylabel=name, yscale="log")
    ax.locator_params(axis="x", integer=True)
    legend_below(figure, 2, fontsize="x-small", frameon=False)
    save_figure(path, figure)


def error_over_parameters(path: Path, rows: Sequence[Record], metric: str | None = None) -> None:
    """Draw a test metric of each row, the first, over its number of parameters; bars are the spread over seeds."""
    figure, ax = pyplot().subplots(layout="constrained")
    metric = metric or next(iter(rows[0]["last"]), None)
    for number, (label, line) in enumerate(_by_layer(rows).items()):
        points = [row for row in line if row["last"].get(metric, {}).get("mean") is not None]
        if points:
            ax.errorbar(
                [row["parameters"] for row in points],
                [row["last"][metric]["mean"] for row in points],
                yerr=[row["last"][metric]["std"] or 0.0 for row in points],
                **point_style(number),
                linewidth=1,
                label=label,
            )
    ax.set(xlabel="parameters", ylabel=f"test {metric_of(metric).title}" if metric else "", xscale="log")
    if metric != "accuracy":
        ax.set_yscale("log")
    legend_below(figure, 2, fontsize="x-small", frameon=False)
    save_figure(path, figure)


def _groups(runs: Iterable[Record]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for run in runs:
        label = ", ".join(part for part in (run["layer"], run["settings"], run["protocol"]) if part)
        groups.setdefault(label, []).append(run)
    return groups


def _by_layer(rows: Iterable[Record]) -> dict[str, list[Record]]:
    """Group into lines by layer, start and protocol; along a line blocks, ranks and rates vary."""
    lines: dict[str, list[Record]] = {}
    for row in sorted(rows, key=lambda row: row["parameters"]):
        parts = ["sums" if part.startswith("sum of ") else part for part in row["settings"].split(", ")]
        fixed = [part for part in parts if part and not part.startswith(_ALONG)]
        lines.setdefault(", ".join((row["layer"], *fixed, row["protocol"])), []).append(row)
    return lines
