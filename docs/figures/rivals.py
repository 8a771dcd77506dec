"""Test error over parameters and time, from the records in `docs/results`: writes `shl-*.svg` and `transformer-*.svg`.

`tools/make_results_page.py` runs it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _style import plt, write
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from learnable_wavelets.experiments.report import summarise
from learnable_wavelets.experiments.report._folder import point_style
from learnable_wavelets.experiments.spec import SANDWICHES

RESULTS = Path(__file__).parents[1] / "results"
# The beginnings of settings that are not worth a label.
SAME = ("periodization", "rate 0", "dropout", "level", "feed-forward")
PANELS = {
    "shl": [("MNIST-bg-rot", "full-bg-rot", "dropout 0.3"), ("MNIST-noise", "full-noise", "dropout 0.3")],
    "transformer": [("", "sotu", "feed-forward")],
}


def rows(name: str, data: str, mark: str) -> list[dict[str, Any]]:
    """Summarise the committed runs of one condition, those of the length that most rows have."""
    path = RESULTS / f"{name}.json"
    every = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    found = [run for run in every if run["data"] == data and mark in run["settings"].split(", ")]
    lengths = {run["epochs"] for run in found if run["layer"] == "dense"}
    by_length = {length: summarise(run for run in found if run["epochs"] == length) for length in lengths}
    return max(by_length.values(), key=len, default=[])


def label(row: dict[str, Any]) -> str:
    """Name a row by its layer and the settings that tell it from others."""
    usual = "rate multiplier 4" if row["layer"] in SANDWICHES else ""
    parts = [part for part in row["settings"].split(", ") if part not in ("", usual) and not part.startswith(SAME)]
    return ", ".join([row["layer"], *parts])


def scatter(
    ax: Axes,
    found: list[dict[str, Any]],
    metric: str,
    x: Callable[[dict[str, Any]], float],
    styles: dict[str, int],
    ink: str,
) -> None:
    """Draw a point for each row, with its spread over seeds; dense and no layer also as lines."""
    for row in found:
        value, number, where = row["last"][metric], styles.setdefault(label(row), len(styles)), x(row)
        style = {**point_style(number), "markersize": 5}
        ax.errorbar(where, value["mean"], yerr=value["std"] or 0.0, linestyle="none", label=label(row), **style)
        if row["layer"] in ("dense", "removed"):
            ax.axhline(value["mean"], color=ink, linewidth=0.7, linestyle="--" if row["layer"] == "dense" else ":")


def finish(figure: Figure) -> Figure:
    """Put one legend for all panels below them."""
    named: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(text, handle)
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3, fontsize="x-small", frameon=False)
    return figure


def draw_shl(colours: dict[str, str]) -> Figure:
    """Draw the error of the benchmark over the parameters of the network, a panel for each set of images."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 5.2), layout="constrained")
    styles: dict[str, int] = {}
    for ax, (title, data, mark) in zip(axes, PANELS["shl"], strict=True):
        found = rows("shl", data, mark)
        scatter(ax, found, "error", lambda row: row["parameters"], styles, colours["faint"])
        none = max((row["last"]["error"]["mean"] for row in found if row["layer"] == "removed"), default=None)
        if none is not None:
            ax.set_ylim(top=1.1 * none)  # rows far worse than no layer would press all others together
        length = found[0]["epochs"] if found else 0
        ax.set(title=f"{title}, {length} epochs", xscale="log", xlabel="parameters", ylabel="test error %")
    return finish(figure)


def draw_transformer(colours: dict[str, str]) -> Figure:
    """Draw bits per character over the parameters that the feed-forwards add, and over the seconds of the training."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 5.2), layout="constrained", sharey=True)
    styles: dict[str, int] = {}
    found = rows("transformer", *PANELS["transformer"][0][1:])
    (none,) = (row["parameters"] for row in found if row["layer"] == "removed")
    scatter(axes[0], found, "bpc", lambda row: row["parameters"] - none, styles, colours["faint"])
    scatter(axes[1], found, "bpc", lambda row: row["seconds"]["mean"], styles, colours["faint"])
    # without feed-forwards there are no parameters: in the left panel that row is a line alone
    axes[0].set(xscale="log", xlim=(5e3, 1e6), xlabel="parameters of the feed-forwards", ylabel="bits per character")
    axes[1].set(xlabel="seconds")
    return finish(figure)


if __name__ == "__main__":
    for name, draw in (("shl", draw_shl), ("transformer", draw_transformer)):
        if any(rows(name, *panel[1:]) for panel in PANELS[name]):
            write(name, draw)
