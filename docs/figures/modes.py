"""The nine extension modes, drawn with `pywt.pad`: `python docs/figures/modes.py` writes `modes-*.svg`."""

import numpy as np
import pywt
from _style import plt, write
from matplotlib.figure import Figure

SIGNAL = np.array([1.0, 2.6, 3.0, 2.2, 2.4, 0.4, -0.9])  # an odd number of samples, so that periodization differs
WIDTH = 9


def draw(colours: dict[str, str]) -> Figure:
    """Draw three by three panels: the signal filled, the samples that the mode adds open."""
    figure, axes = plt.subplots(3, 3, figsize=(8.6, 5.4), layout="constrained", sharex=True)
    for ax, mode in zip(axes.flat, pywt.Modes.modes, strict=True):
        extended = pywt.pad(SIGNAL, WIDTH, mode)
        where = np.arange(len(extended)) - WIDTH
        inside = (where >= 0) & (where < len(SIGNAL))
        ax.axvspan(-0.5, len(SIGNAL) - 0.5, color=colours["fill"], linewidth=0)
        ax.axhline(0, color=colours["faint"], linewidth=0.7)
        for chosen, colour, face in ((inside, colours["signal"], None), (~inside, colours["extension"], "none")):
            ax.vlines(where[chosen], 0, extended[chosen], color=colour, linewidth=1)
            ax.plot(where[chosen], extended[chosen], "o", color=colour, markersize=3.6, markerfacecolor=face)
        ax.set_title(mode, family="monospace", fontsize=9.5)
        ax.set_xticks([0, len(SIGNAL) - 1], ["0", "n-1"])
        ax.tick_params(length=0)
        ax.yaxis.set_visible(False)
        ax.spines[:].set_visible(False)
        ax.set_xlim(where[0] - 0.7, where[-1] + 0.7)
    return figure


if __name__ == "__main__":
    write("modes", draw)
