"""What the figures share: one SVG for the light scheme and one for the dark, with the same shapes."""

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

COLOURS = {
    "light": {"ink": "#26272b", "faint": "#6a6c76", "signal": "#1f5fb4", "extension": "#c9540a", "fill": "#eef1f8"},
    "dark": {"ink": "#e4e5ea", "faint": "#abadb9", "signal": "#7fb2ff", "extension": "#ffa05c", "fill": "#2b2e3a"},
}


def write(name: str, draw: Callable[[dict[str, str]], Figure]) -> None:
    """`NAME-light.svg` and `NAME-dark.svg` beside this script, the same bytes from run to run."""
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
            path = Path(__file__).with_name(f"{name}-{scheme}.svg")
            figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
            plt.close(figure)
