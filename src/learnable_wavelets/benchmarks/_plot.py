"""Time over n on logarithmic axes; drawn into files, never shown."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Okabe and Ito's colours, which colour-blind readers tell apart; markers and dashes tell them apart in print too.
STYLES: tuple[tuple[str, str, str], ...] = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "-"),
    ("#009E73", "^", "-"),
    ("#CC79A7", "v", "-"),
    ("#E69F00", "P", "-"),
    ("#56B4E9", "X", "-"),
)
FIXED: dict[str, tuple[str, str, str]] = {
    "nn.Linear": ("#000000", "D", "--"),
    "x.clone()": ("#777777", ".", ":"),
}

Record = dict[str, Any]
Panel = Mapping[str, list[Record]]  # by name of the curve: records with `n` and `seconds`


def panels_of(rows: list[Record], label: str, keys: tuple[str, ...], titles: str) -> dict[str, Panel]:
    """Rows that were measured, by panel (`titles` filled in from the row's `keys`) and by curve (`label`)."""
    found: dict[str, dict[str, list[Record]]] = {}
    for row in rows:
        if "seconds" in row:
            title = titles.format(*(row[key] for key in keys))
            found.setdefault(title, {}).setdefault(row[label], []).append(row)
    return dict(found)


def draw(path: Path, title: str, panels: Mapping[str, Panel], columns: int) -> None:
    """One panel for each entry, `columns` in a row, all with the same axes."""
    import matplotlib

    matplotlib.use("agg")  # files only: a machine without a screen is no hindrance
    from matplotlib import pyplot

    height = -(-len(panels) // columns)
    shape = (4.2 * columns + 0.6, 3.4 * height + 0.9)
    figure, axes = pyplot.subplots(
        height, columns, figsize=shape, squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    styles = _styles(panels)
    for ax, (name, panel) in zip(axes.flat, panels.items(), strict=False):
        _draw_panel(ax, name, panel, styles)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    handles = {text: line for ax in axes.flat for line, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(6, len(handles)))
    figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _styles(panels: Mapping[str, Panel]) -> dict[str, tuple[str, str, str]]:
    names = dict.fromkeys(name for panel in panels.values() for name in panel)
    free = [name for name in names if name not in FIXED]
    return FIXED | {name: STYLES[i % len(STYLES)] for i, name in enumerate(free)}


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
