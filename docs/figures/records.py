"""Pictures of the records in `docs/results`, in both schemes: times over n, curves, error over parameters, filters.

`tools/make_results_page.py` runs it.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from _style import plt, write
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import learnable_wavelets as lw
from learnable_wavelets.experiments.report import summarise
from learnable_wavelets.experiments.report._folder import _by_layer, filter_banks, point_style

RESULTS = Path(__file__).parents[1] / "results"
Colours = dict[str, str]
DENSE, PACKED, COPY = "nn.Linear", "oneDNN packed", "x.clone()"
DASHES = {DENSE: "--", PACKED: "-.", COPY: ":"}  # what the layers are compared with


def read(name: str) -> Any:
    """Read a record."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def legend(figure: Figure, columns: int) -> None:
    """Put one legend for all panels below them."""
    named: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(text, handle)
    figure.legend(
        named.values(), named.keys(), loc="outside lower center", ncols=columns, fontsize="small", frameon=False
    )


def times(ax: Axes, rows: list[dict[str, Any]], scale: Callable[[dict[str, Any]], float], ink: str) -> None:
    """Draw median times over n, a line for each candidate, a band between the quartiles."""
    free = [name for name in dict.fromkeys(row["layer"] for row in rows) if name not in DASHES]
    for name in dict.fromkeys(row["layer"] for row in rows):
        line = [row for row in rows if row["layer"] == name]
        n = [row["n"] for row in line]
        median, lower, upper = (
            [row["seconds"][key] / scale(row) for row in line] for key in ("median", "lower", "upper")
        )
        style = {"color": ink, "marker": ""} if name in DASHES else point_style(free.index(name))
        ax.fill_between(n, lower, upper, color=style["color"], alpha=0.2, linewidth=0)
        ax.plot(n, median, DASHES.get(name, "-"), **style, markersize=4, linewidth=1.2, label=name)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.grid(visible=True, color=ink, alpha=0.2, linewidth=0.6)


def draw_layers(colours: Colours) -> Figure:
    """Draw the times of the layers of the record, a row of panels for each pass."""
    rows = [row for row in read("bench")["layers"] if "seconds" in row]
    batches, passes = (sorted({row[key] for row in rows}) for key in ("batch", "step"))
    shape = {"sharex": True, "sharey": True, "squeeze": False, "layout": "constrained"}
    figure, axes = plt.subplots(len(passes), len(batches), figsize=(9.4, 5.8), **shape)
    for line, step in zip(axes, passes, strict=True):
        for ax, batch in zip(line, batches, strict=True):
            times(
                ax, [row for row in rows if (row["step"], row["batch"]) == (step, batch)], lambda row: 1, colours["ink"]
            )
            ax.set_title(f"{step}, batch {batch:,}")
            ax.set_xticks(sizes := sorted({row["n"] for row in rows}), [f"{n}" for n in sizes])
            ax.set_xlabel("n" if step == passes[-1] else "")
    figure.supylabel("seconds, medians and quartiles", fontsize=9)
    legend(figure, 6)
    return figure


def draw_scaling(colours: Colours) -> Figure:
    """Draw the time of one row over n, at a fixed number of elements."""
    rows = read("bench")["scaling"]
    figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.8), sharey=True, layout="constrained")
    for ax, step in zip(axes, sorted({row["step"] for row in rows}), strict=True):
        times(ax, [row for row in rows if row["step"] == step], lambda row: row["batch"], colours["ink"])
        ax.set(title=f"{step}, one row", xlabel="n")
    axes[0].set_ylabel("seconds, medians and quartiles")
    legend(figure, 4)
    return figure


def draw_memory(colours: Colours) -> Figure:
    """Draw the validation cross-entropy of copy memory over the epochs."""
    figure, ax = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
    labels: dict[str, int] = {}
    for run in read("memory"):
        label = ", ".join(part for part in (run["layer"], run["settings"], run["protocol"]) if part)
        new, number = label not in labels, labels.setdefault(label, len(labels))
        values = [epoch["validation_cross_entropy"] for epoch in run["history"]]
        style = {**point_style(number), "markersize": 3, "linewidth": 1}
        ax.plot(range(1, len(values) + 1), values, label=label if new else None, **style)
    ax.set(xlabel="epoch of 600 steps", ylabel="validation cross-entropy", yscale="log")
    ax.locator_params(axis="x", integer=True)
    legend(figure, 2)
    return figure


def draw_shootout(colours: Colours) -> Figure:
    """Draw the test error of one hidden layer over the parameters of the network; products are lines."""
    rows: Iterable[Any] = summarise(run for run in read("shootout") if "1 hidden" in run["settings"])
    figure, ax = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
    for number, (label, line) in enumerate(_by_layer(rows).items()):
        errors = [row["last"]["error"] for row in line]
        style = {**point_style(number), "linewidth": 1}
        ax.errorbar(
            [row["parameters"] for row in line], [error["mean"] for error in errors],
            yerr=[error["std"] or 0.0 for error in errors], **style,
            label=label.replace(", 1 hidden", "").replace(", equal", ""),
        )  # fmt: skip
    ax.set(xlabel="parameters", ylabel="test error %", xscale="log", yscale="log")
    ax.set_yticks([], minor=True)
    ax.set_yticks(ticks := [1.5, 2, 3, 5, 10, 20, 30], [f"{tick:g}" for tick in ticks])
    legend(figure, 2)
    return figure


def draw_filters(colours: Colours) -> Figure:
    """Draw the filters of the run of `learnable-wavelets reproduce mnist`, before and after training."""
    axes = lw.plotting.plot_comparison(filter_banks(read("mnist-filters")["filters"]))
    figure: Figure = axes[0, 0].figure
    figure.set_size_inches(9.4, 7.6)
    return figure


FIGURES: dict[str, Callable[[Colours], Figure]] = {
    "bench-layers": draw_layers,
    "bench-scaling": draw_scaling,
    "memory-curves": draw_memory,
    "shootout-parameters": draw_shootout,
    "mnist-wavelet": draw_filters,
}

if __name__ == "__main__":
    for name, draw in FIGURES.items():
        write(name, draw)
