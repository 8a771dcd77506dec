"""The picture of `learnable-wavelets compare`: error over parameters, and the learned wavelet."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import learnable_wavelets as lw

from ..._output import pyplot, save_figure
from ..engine import Record
from ._folder import filter_banks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# colour, marker, and height of the label in points: below its marker where the next would be in the way
_STYLES = {"dense": ("C0", "s", 8), "wavelet": ("C1", "o", -34), "removed": ("0.4", "X", 8)}


def draw_comparison(path: Path, rows: Sequence[Record], titles: Mapping[str, str], filters: Record) -> None:
    """Draw the test error of each layer over its parameters, and a filter bank before and after training."""
    figure = pyplot().figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.15, 1))
    ax = left.subplots()
    _draw_errors(ax, rows, titles)
    top, bottom = right.subplots(2, 1)
    for ax, (title, bank) in zip((top, bottom), filter_banks(filters).items(), strict=True):
        _draw_taps(ax, title, bank)
    bottom.set_xlabel("tap")
    save_figure(path, figure)


def _draw_errors(ax: "Axes", rows: Sequence[Record], titles: Mapping[str, str]) -> None:
    finite = [row for row in rows if row["last"]["error"]["mean"] is not None]
    for row in finite:
        color, marker, height = _STYLES[row["layer"]]
        x, error = row["parameters"], row["last"]["error"]
        ax.errorbar(x, error["mean"], error["std"] or None, color=color, marker=marker, markersize=9, capsize=4)
        text = f"{titles[row['layer']]}\n{x:,} parameters, {error['mean']:.2f} %"
        point = (x, error["mean"])
        ax.annotate(text, point, (10, height), textcoords="offset points", color=color, fontsize="small")
    ax.set(xscale="log", xlabel="parameters of the network", ylabel="test error, %", xlim=(5e3, 1e8))
    ax.set_ylim(0, 1.25 * max((row["last"]["error"]["mean"] for row in finite), default=1))
    ax.set_title("test error over parameters", fontsize="medium")
    ax.grid(alpha=0.25)


def _draw_taps(ax: "Axes", title: str, bank: lw.FilterBank) -> None:
    ax.axhline(0, color="0.6", linewidth=0.8)
    for name, color in (("dec_lo", "C0"), ("dec_hi", "C1")):
        ax.plot(getattr(bank, name).numpy(), color=color, linewidth=1, label=name)
    ax.set_ylabel("value")
    ax.set_title(f"analysis filters, {title}", fontsize="medium")
    ax.legend(frameon=False, fontsize="small", ncols=2)
