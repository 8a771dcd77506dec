"""What people look at: the table on the screen and the picture of the learned wavelet."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

import learnable_wavelets as lw

from .._command_line import one_line_errors
from ._results import HEADER, Record, cells, write_table


def table(folder: Annotated[Path, typer.Argument(help="A results folder, as given to --out.")]) -> None:
    """Make table.md and results.json anew from all finished runs in FOLDER, and show the table."""
    with one_line_errors():
        rows = write_table(folder)
    Console().print(screen_table(rows))


def screen_table(rows: Iterable[Record]) -> Table:
    """The rows of `_results.summarise` for the screen."""
    screen = Table(title="Test error after the last epoch", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in HEADER:
        # Only the first column may fold: eight columns are to fit into 80 characters.
        words = name.replace(" ", "\n", 1)
        screen.add_column(words, justify="left" if name == "layer" else "right", no_wrap=name != "layer")
    for row in rows:
        screen.add_row(*cells(row))
    return screen


def picture(path: Path, banks: dict[str, lw.FilterBank]) -> None:
    """Draw `banks` side by side into `path`."""
    import matplotlib

    matplotlib.use("agg")  # files only: a machine without a screen is no hindrance
    from matplotlib import pyplot

    from learnable_wavelets import plotting

    axes: Any = plotting.plot_comparison(banks)
    figure = axes.flat[0].figure
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
