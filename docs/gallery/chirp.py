"""Wavelet packets of a chirp: a time-frequency picture, and the signal back from its largest leaves."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

import learnable_wavelets as lw

from ..figures._style import plt

N, LEVEL = 2048, 5


# --8<-- [start:code]
def chirp() -> Tensor:
    """Return a tone that rises to the highest frequency, and one that falls."""
    t = torch.linspace(0, 1, N)
    return torch.sin(torch.pi * N / 2 * t**2) + 0.5 * torch.sin(torch.pi * N * (0.45 * t - 0.2 * t**2))


def picture(x: Tensor) -> Tensor:
    """Return a row for each of the 32 bands, from low to high frequency."""
    packet = lw.functional.wavelet_packet(x, "db8", "periodization", level=LEVEL, order="freq")
    return torch.stack([*packet.values()])


# --8<-- [end:code]


def example() -> dict[str, Tensor]:
    x = chirp()
    return {"x": x, "packets": picture(x)}


def draw(colours: dict[str, str], found: dict[str, Tensor]) -> Figure:
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(8.6, 4.2), layout="constrained", height_ratios=(1, 3), sharex=True
    )
    above.plot(torch.arange(N) / N, found["x"], color=colours["signal"], linewidth=0.5)
    below.imshow(
        found["packets"].abs().numpy(), aspect="auto", origin="lower", cmap="magma", extent=(0, 1, 0, 0.5),
        interpolation="nearest",
    )  # fmt: skip
    below.set(xlabel="time", ylabel="frequency, cycles a sample")
    above.yaxis.set_visible(False)
    for ax in (above, below):
        ax.spines[:].set_visible(False)
    return figure
