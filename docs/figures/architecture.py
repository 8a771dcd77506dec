"""A call of a layer, down to a kernel and back: `python docs/figures/architecture.py` writes `architecture-*.svg`."""

from _style import arrow, box, canvas, write
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH, HEIGHT = 13.3, 10.0
LEFT, CENTRE = 0.1, 3.6  # left edges of the rooms and of the boxes in their middle
Box = tuple[float, float, float, float]  # left, bottom, width, height

FORWARD: Box = (CENTRE, 8.75, 4.4, 0.9)
FILTER: Box = (LEFT + 0.3, 7.3, 2.5, 1.0)
RECORD: Box = (CENTRE, 7.3, 4.4, 1.0)
DOOR: Box = (CENTRE, 5.2, 4.4, 0.9)
EAGER: Box = (LEFT + 0.3, 3.2, 5.0, 1.15)
OPERATOR: Box = (6.2, 3.2, 5.3, 1.15)
BACKENDS: tuple[Box, ...] = ((LEFT + 0.3, 0.3, 3.6, 1.35), (4.45, 0.3, 3.6, 1.35), (8.5, 0.3, 3.6, 1.35))
BUS = 2.5  # where the two ways into a back end meet


def room(ax: Axes, frame: Box, name: str, colours: dict[str, str]) -> None:
    """Draw a package: a frame with its name in the upper left corner."""
    left, bottom, width, height = frame
    ax.plot(
        [left, left + width, left + width, left, left], [bottom, bottom, bottom + height, bottom + height, bottom],
        color=colours["faint"], linewidth=0.8, linestyle=(0, (4, 3)),
    )  # fmt: skip
    ax.text(left + 0.12, bottom + height - 0.24, name, va="center", family="monospace", color=colours["faint"])


def titled(ax: Axes, frame: Box, title: str, text: str, colours: dict[str, str], edge: str = "signal") -> None:
    """Draw a box with a name in code and a line or two that explain it."""
    left, bottom, width, height = frame
    box(ax, *frame, "", colours, edge)
    lines = text.count("\n") + 1
    top = bottom + height / 2 + 0.16 * lines
    ax.text(left + width / 2, top, title, ha="center", va="center", family="monospace", fontsize=9)
    ax.text(
        left + width / 2, top - 0.2, text, ha="center", va="top", fontsize=8, color=colours["faint"], linespacing=1.25
    )


def label(ax: Axes, x: float, y: float, text: str, colours: dict[str, str], align: str = "left") -> None:
    ax.text(x, y, text, ha=align, va="center", fontsize=8, color=colours["faint"])


def draw(colours: dict[str, str]) -> Figure:
    """Draw rooms from top to bottom; gradients go up on the right."""
    figure, ax = canvas(WIDTH, HEIGHT)
    room(ax, (LEFT, 7.0, 12.3, 2.9), "nn, filters", colours)
    room(ax, (LEFT, 2.85, 12.3, 3.5), "kernels", colours)
    room(ax, (LEFT, 0.1, 12.3, 2.05), "back ends", colours)

    titled(ax, FORWARD, "forward(input)", "check_input: type, device, dtype, width", colours)
    titled(ax, FILTER, "filter()", "a FilterBank", colours)
    titled(ax, RECORD, "Sandwich", "B, P, G, S, bias, Transform, Layout, scale", colours, "extension")
    titled(ax, DOOR, "_dispatch.sandwich", "chooses the back end", colours)
    titled(ax, EAGER, "autograd.Function", "plain eager: checks the record,\ncalls the kernel directly", colours)
    titled(ax, OPERATOR, "torch.ops.learnable_wavelets.sandwich",
           "compilers, exporters, modes, tensor subclasses:\nschema, fake, FLOPs, sharding", colours)  # fmt: skip
    texts = ("addresses and sizes\nto C: tiles of 16 rows,\nfloat32, float64, bfloat16",
             "launches on CUDA:\nrows in registers,\nHadamard and periodization",
             "plain torch: the oracle,\nand what no kernel serves:\ntorch.func, forward mode")  # fmt: skip
    for frame, name, text in zip(BACKENDS, ("cpu", "triton", "reference"), texts, strict=True):
        titled(ax, frame, name, text, colours)

    middle = CENTRE + 2.2
    arrow(ax, (CENTRE, 8.95), (FILTER[0] + 1.25, 8.33), colours)
    arrow(ax, (FILTER[0] + 2.5, 7.8), (CENTRE - 0.03, 7.8), colours)
    arrow(ax, (middle, 8.75), (middle, 8.33), colours)
    arrow(ax, (middle, 7.3), (middle, 6.13), colours)
    label(ax, middle + 0.12, 6.68, "input, record", colours)
    for way in (EAGER, OPERATOR):
        x = way[0] + way[2] / 2
        arrow(ax, (middle + (0.8 if x > middle else -0.8), 5.2), (x, 4.38), colours)
        ax.plot([x, x], [way[1], BUS], color=colours["ink"], linewidth=0.9)
    drops = [frame[0] + frame[2] / 2 for frame in BACKENDS]
    ax.plot([drops[0], drops[-1]], [BUS, BUS], color=colours["ink"], linewidth=0.9)
    for x in drops:
        arrow(ax, (x, BUS), (x, 1.68), colours)

    ax.plot([CENTRE + 4.4, 11.8, 11.8], [5.65, 5.65, 2.2], color=colours["faint"], linewidth=0.9, linestyle=":")
    arrow(ax, (11.8, 2.2), (11.8, 1.68), {**colours, "ink": colours["faint"]})
    label(ax, CENTRE + 4.55, 5.85, "the reference, in plain torch", colours)
    arrow(ax, (12.75, 0.3), (12.75, 9.7), {**colours, "ink": colours["extension"]})
    ax.text(13.05, 5.0, "backward: a kernel computes the layer again from its input", rotation=90, ha="center",
            va="center", fontsize=8, color=colours["extension"])  # fmt: skip
    return figure


if __name__ == "__main__":
    write("architecture", draw)
