"""Boxes, colours and files of the figures: one SVG for the light scheme and one for the dark, with the same shapes."""

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

COLOURS = {
    "light": {"ink": "#26272b", "faint": "#6a6c76", "signal": "#1f5fb4", "extension": "#c9540a", "fill": "#eef1f8"},
    "dark": {"ink": "#e4e5ea", "faint": "#abadb9", "signal": "#7fb2ff", "extension": "#ffa05c", "fill": "#2b2e3a"},
}


def write(name: str, draw: Callable[[dict[str, str]], Figure], folder: Path = Path(__file__).parent) -> None:
    """Write `NAME-light.svg` and `NAME-dark.svg` into a folder, the same bytes from run to run."""
    for scheme, colours in COLOURS.items():
        settings = {
            "svg.hashsalt": name,
            "font.size": 9,
            "text.color": colours["ink"],
            "axes.labelcolor": colours["ink"],
            "axes.titlecolor": colours["ink"],
            "axes.edgecolor": colours["faint"],
            "xtick.color": colours["ink"],
            "ytick.color": colours["ink"],
            "mathtext.fontset": "dejavuserif",
        }
        with plt.rc_context(settings):
            figure = draw(colours)
            figure.savefig(folder / f"{name}-{scheme}.svg", transparent=True, metadata={"Date": None, "Creator": None})
            plt.close(figure)


def box(ax: Axes, x: float, y: float, width: float, height: float, text: str, colours: dict[str, str],
        edge: str = "signal", size: float = 10) -> None:  # fmt: skip
    """Draw a rounded box with its text in the middle."""
    ax.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=colours["fill"], edgecolor=colours[edge], linewidth=1.2,
        )
    )  # fmt: skip
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=size)


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], colours: dict[str, str]) -> None:
    """Draw a thin arrow from `start` to `end`."""
    style = {"arrowstyle": "-|>", "color": colours["ink"], "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops=style)


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Make axes without a frame, one unit of data for each of a fixed number of points."""
    figure = plt.figure(figsize=(width * 0.64, height * 0.64))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    return figure, ax
