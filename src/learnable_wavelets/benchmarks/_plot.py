"""Time over n on logarithmic axes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._output import legend_below, pyplot, save_figure
from ._layers import COPY, DENSE, PACKED, Record

# Okabe and Ito's colours, which colour-blind readers can distinguish; markers and dashes do the same in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = "os^vPX"
FIXED = {DENSE: ("#000000", "D", "--"), PACKED: ("#444444", "v", "-."), COPY: ("#777777", ".", ":")}

Panel = Mapping[str, list[Record]]  # by name of the curve: records with `n` and `seconds`


def panels_of(rows: list[Record], label: str, keys: tuple[str, ...], titles: str) -> dict[str, Panel]:
    """Group measured rows by panel (`titles` filled in from the row's `keys`) and by curve (`label`)."""
    found: dict[str, dict[str, list[Record]]] = {}
    for row in rows:
        if "seconds" in row:
            title = titles.format(*(row[key] for key in keys))
            found.setdefault(title, {}).setdefault(row[label], []).append(row)
    return dict(found)


def draw_layers(folder: Path, rows: list[Record]) -> list[Path]:
    """Draw the times of the layers, a file for each precision."""
    return [
        draw(
            folder / f"layers-{precision}.png",
            f"Time over n, square layers, {precision}",
            panels_of([r for r in rows if r["precision"] == precision], "layer", ("step", "batch"), "{}, batch {}"),
            len({row["batch"] for row in rows}),
        )
        for precision in dict.fromkeys(row["precision"] for row in rows)
    ]


def draw(path: Path, title: str, panels: Mapping[str, Panel], columns: int) -> Path:
    """Draw one panel for each entry, `columns` in a row, all with the same axes."""
    height = -(-len(panels) // columns)
    shape = (4.2 * columns + 0.6, 3.4 * height + 0.9)
    figure, axes = pyplot().subplots(
        height, columns, figsize=shape, squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    free = [name for name in dict.fromkeys(name for panel in panels.values() for name in panel) if name not in FIXED]
    styles = FIXED | {name: (COLOURS[i % 6], MARKERS[i % 6], "-") for i, name in enumerate(free)}
    for ax, (name, panel) in zip(axes.flat, panels.items(), strict=False):
        _draw_panel(ax, name, panel, styles)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    legend_below(figure, 6)
    figure.suptitle(title, fontsize=11)
    save_figure(path, figure)
    return path


def _draw_panel(ax: Any, title: str, panel: Panel, styles: dict[str, tuple[str, str, str]]) -> None:
    sizes = sorted({row["n"] for rows in panel.values() for row in rows})
    for name, rows in panel.items():
        color, marker, line = styles[name]
        n = [row["n"] for row in rows]
        median, lower, upper = ([row["seconds"][key] for row in rows] for key in ("median", "lower", "upper"))
        ax.fill_between(n, lower, upper, color=color, alpha=0.2, linewidth=0)
        ax.plot(n, median, color=color, marker=marker, linestyle=line, markersize=5, linewidth=1.4, label=name)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(sizes, [f"{n}" for n in sizes], rotation=45 if len(sizes) > 5 else 0, fontsize=8)
    ax.set_xticks([], minor=True)
    ax.set_title(title, fontsize=10)
    ax.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    if ax.get_subplotspec().is_last_row():
        ax.set_xlabel("n")
    if ax.get_subplotspec().is_first_col():
        ax.set_ylabel("seconds (median, band: quartiles)")
