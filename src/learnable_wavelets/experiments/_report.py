"""What people look at: the table on the screen, the learning curves, error over parameters, the learned wavelet."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

import learnable_wavelets as lw

from .._command_line import one_line_errors
from ._results import METRICS, Record, cells, read_runs, write_table

# Told apart without colour too.
_MARKERS = "osD^vPX*<>"
_ALONG = ("product of ", "rank ", "rate ")  # parts of a row's settings


def table(folder: Annotated[Path, typer.Argument(help="A results folder, as given to --out.")]) -> None:
    """Make table.md, results.json and the pictures anew from all finished runs in FOLDER, and show the table."""
    with one_line_errors():
        rows = write_all(folder)
    for screen in screen_tables(rows):
        Console().print(screen)


def write_all(folder: Path) -> list[Record]:
    """Table and pictures of all finished runs in `folder`; the rows of the table."""
    rows = write_table(folder)
    runs = read_runs(folder)
    for name in dict.fromkeys(row["experiment"] for row in rows):
        learning_curves(folder / f"{name}-curves.png", [run for run in runs if run["experiment"] == name])
        error_over_parameters(folder / f"{name}-parameters.png", [row for row in rows if row["experiment"] == name])
    return rows


def screen_tables(rows: Sequence[Record]) -> Iterator[Table]:
    """The rows of `_results.summarise` for the screen, a table for each experiment.

    What is the same in all rows goes into the title: the rest is to fit into 80 characters.
    """
    for name in dict.fromkeys(row["experiment"] for row in rows):
        words = [cells(row) for row in rows if row["experiment"] == name]
        same = [key for key in ("protocol", "data", "epochs") if len({row[key] for row in words}) == 1]
        title = ", ".join([name, *(f"{key} {words[0][key]}" for key in same)])
        screen = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        shown = [key for key in words[0] if key not in same and any(row[key] for row in words)]
        for key in shown:
            first = key == "layer"
            heading = key.replace(" ", "\n").replace("-", "-\n")
            screen.add_column(heading, justify="left" if first else "right", no_wrap=not first)
        for row in words:
            screen.add_row(*(row[key] for key in shown))
        yield screen


def wavelet(path: Path, banks: dict[str, lw.FilterBank]) -> None:
    """Draw `banks` side by side into `path`."""
    from learnable_wavelets import plotting

    with _figure(path):
        plotting.plot_comparison(banks)


def learning_curves(path: Path, runs: Sequence[Record]) -> None:
    """The metric that chooses the epoch, on the validation split where there is one, else the training loss."""
    with _figure(path) as pyplot:
        ax = pyplot.subplots(layout="constrained")[1]
        metric = next((key for key in runs[0]["last"]), None)
        key = f"validation_{metric}"
        held_out = all(key in run["history"][0] for run in runs)
        for number, (label, group) in enumerate(_groups(runs).items()):
            for run in group:
                values = [record[key if held_out else "train_loss"] for record in run["history"]]
                line = {"color": f"C{number % 10}", "marker": _MARKERS[number % 10], "markersize": 3, "linewidth": 1}
                epochs = [record["epoch"] for record in run["history"]]
                ax.plot(epochs, _gaps(values), label=label if run is group[0] else None, **line)
        name = f"validation {METRICS[metric].title}" if held_out and metric else "training loss"
        ax.set(xlabel="epoch", ylabel=name, yscale="log")
        ax.locator_params(axis="x", integer=True)
        _legend(ax)


def error_over_parameters(path: Path, rows: Sequence[Record]) -> None:
    """The first test metric of each row over its number of parameters; bars are the spread over seeds."""
    with _figure(path) as pyplot:
        ax = pyplot.subplots(layout="constrained")[1]
        metric = next(iter(rows[0]["last"]), None)
        for number, (label, points) in enumerate(_by_layer(rows).items()):
            shown = [row for row in points if metric and row["last"][metric]["mean"] is not None]
            if metric is None or not shown:
                continue
            values = [row["last"][metric] for row in shown]
            ax.errorbar(
                [row["parameters"] for row in shown],
                [value["mean"] for value in values],
                yerr=[value["std"] or 0.0 for value in values],
                color=f"C{number % 10}",
                marker=_MARKERS[number % 10],
                linewidth=1,
                label=label,
            )
        ax.set(xlabel="parameters", ylabel=f"test {METRICS[metric].title}" if metric else "", xscale="log")
        if metric != "accuracy":
            ax.set_yscale("log")
        _legend(ax)


def _legend(ax: Any) -> None:
    """Below the axes: lines of several layers leave no room inside."""
    if ax.get_legend_handles_labels()[0]:
        ax.figure.legend(fontsize="x-small", frameon=False, loc="outside lower center", ncols=2)


def _groups(runs: Iterable[Record]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for run in runs:
        label = ", ".join(part for part in (run["layer"], run["settings"], run["protocol"]) if part)
        groups.setdefault(label, []).append(run)
    return groups


def _by_layer(rows: Iterable[Record]) -> dict[str, list[Record]]:
    """A line for each layer, start and protocol, in the order of parameters; blocks, ranks and rates vary along it."""
    lines: dict[str, list[Record]] = {}
    for row in sorted(rows, key=lambda row: row["parameters"]):
        parts = ["sums" if part.startswith("sum of ") else part for part in row["settings"].split(", ")]
        fixed = [part for part in parts if part and not part.startswith(_ALONG)]
        lines.setdefault(", ".join((row["layer"], *fixed, row["protocol"])), []).append(row)
    return lines


def _gaps(values: Sequence[float | None]) -> list[float]:
    """What was not finite leaves a gap, and so does a zero, which a logarithm does not show."""
    return [value if value else float("nan") for value in values]


@contextmanager
def _figure(path: Path) -> Iterator[Any]:
    """pyplot; what is the current figure in the end is saved to `path`."""
    import matplotlib

    matplotlib.use("agg")  # files only: a machine without a screen is no hindrance
    from matplotlib import pyplot

    yield pyplot
    pyplot.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close("all")
