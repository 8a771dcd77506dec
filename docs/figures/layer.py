"""The layer as boxes: `python docs/figures/layer.py` writes `layer-*.svg` and `layout-*.svg`."""

from _style import arrow, box, canvas, write
from matplotlib.figure import Figure

STAGES = (
    ("$B$", "diag_in", "n", "learned"),
    ("$W$", "wavedec, pack", "m", "filters learned"),
    ("$P$", "permutation", "m", "from the seed"),
    ("$G$", "diag_mid", "m", "learned"),
    ("$W^{-1}$", "unpack, waverec", "n", "filters learned"),
    ("$S$", "diag_out", "n", "learned"),
)


def draw_layer(colours: dict[str, str]) -> Figure:
    """Draw the way from x to y through the six factors, with the width after each."""
    figure, ax = canvas(12.2, 1.9)
    ax.text(0.2, 1.05, "$x$", ha="center", va="center", fontsize=12)
    for i, (symbol, name, width, kind) in enumerate(STAGES):
        left = 0.9 + 1.85 * i
        arrow(ax, (left - 0.5, 1.05), (left - 0.03, 1.05), colours)
        box(ax, left, 0.7, 1.3, 0.7, symbol, colours, "extension" if kind == "from the seed" else "signal", 13)
        ax.text(left + 0.65, 1.62, name, ha="center", va="center", fontsize=8.5, family="monospace")
        ax.text(left + 0.65, 0.38, kind, ha="center", va="center", fontsize=8.5, color=colours["faint"])
        ax.text(
            left + 1.58, 1.24, width, ha="center", va="center", fontsize=8.5, style="italic", color=colours["faint"]
        )
    arrow(ax, (11.5, 1.05), (11.85, 1.05), colours)
    ax.text(12.02, 1.05, "$y$", ha="center", va="center", fontsize=12)
    return figure


def draw_layout(colours: dict[str, str]) -> Figure:
    """Draw the blocks of a wide and of a narrow layer."""
    figure, ax = canvas(12.2, 4.5)
    ax.text(2.7, 4.25, "wide: out_features > in_features", ha="center", family="monospace", fontsize=9)
    box(ax, 0.2, 1.2, 0.55, 2.0, "$x$", colours, "faint", 11)
    ax.text(0.47, 0.95, "in", ha="center", va="top", style="italic", color=colours["faint"])
    for i in range(3):
        y = 2.9 - 1.1 * i
        arrow(ax, (0.8, 2.2), (1.65, y + 0.4), colours)
        box(ax, 1.7, y, 1.5, 0.8, f"block {i + 1}", colours)
        arrow(ax, (3.25, y + 0.4), (3.95, y + 0.4), colours)
    box(ax, 4.0, 1.15, 0.6, 2.65, "$y$", colours, "faint", 11)
    box(ax, 4.0, 0.6, 0.6, 0.45, "", colours, "extension")
    bent = {"arrowstyle": "-|>", "color": colours["extension"], "connectionstyle": "arc3,rad=0.45", "linewidth": 1.1}
    ax.annotate("", (4.65, 3.55), (4.65, 0.82), arrowprops=bent)
    ax.text(5.42, 2.1, "surplus\nadded", ha="left", va="center", fontsize=8.5, color=colours["extension"])
    ax.text(2.45, 0.15, "each block reads all of x; outputs side by side", ha="center", fontsize=8.5,
            color=colours["faint"])  # fmt: skip

    ax.text(9.35, 4.25, "narrow: out_features <= in_features", ha="center", family="monospace", fontsize=9)
    for i in range(3):
        y = 2.9 - 1.1 * i
        box(ax, 6.9, y, 0.55, 0.8, f"$x_{i + 1}$", colours, "faint", 11)
        arrow(ax, (7.5, y + 0.4), (8.05, y + 0.4), colours)
        box(ax, 8.1, y, 1.5, 0.8, f"block {i + 1}", colours)
        arrow(ax, (9.65, y + 0.4), (10.33, 2.2 + 0.13 * (1 - i)), colours)
    ax.text(10.5, 2.2, r"$\Sigma$", ha="center", va="center", fontsize=14)
    arrow(ax, (10.68, 2.2), (11.0, 2.2), colours)
    box(ax, 11.05, 1.65, 0.6, 1.1, "$y$", colours, "faint", 11)
    ax.text(9.35, 0.15, "x split between the blocks; outputs summed", ha="center", fontsize=8.5,
            color=colours["faint"])  # fmt: skip
    return figure


if __name__ == "__main__":
    write("layer", draw_layer)
    write("layout", draw_layout)
