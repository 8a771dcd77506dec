"""A wavelet loss in a small image model: one autoencoder, trained with a mean square error and with weighted bands."""

import pywt
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import learnable_wavelets as lw

from ..figures._style import plt

CROP, BATCH = 48, 16


# --8<-- [start:code]
class Autoencoder(nn.Module):
    """16 pixels into 6 numbers, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(1, 24, 8, 4, 2), nn.ReLU(), nn.Conv2d(24, 6, 3, 1, 1))
        self.decode = nn.Sequential(
            nn.Conv2d(6, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 16, 3, 1, 1), nn.PixelShuffle(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


def train(image: Tensor, loss: nn.Module, steps: int) -> Autoencoder:
    """Fit pieces of an image."""
    torch.manual_seed(0)
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(steps):
        places = zip(*[torch.randint(n - CROP, (BATCH,)).tolist() for n in image.shape], strict=True)
        x = torch.stack([image[None, i : i + CROP, j : j + CROP] for i, j in places])
        value = loss(model(x), x)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return model


LOSSES = {
    "mean square error": nn.MSELoss(),
    "wavelet loss": lw.nn.WaveletLoss("sym4", level=3, weights=[1, 2, 4, 8], transform="swt", norm="l2"),
}
# --8<-- [end:code]


@torch.no_grad()
def compare(found: Tensor, true: Tensor) -> tuple[float, float]:
    """Return the peak signal-to-noise ratio in decibels, and the energy of the finest details over the true one."""
    ratio = -10 * (found - true).square().mean().log10().item()
    return ratio, (fine_energy(found) / fine_energy(true)).item()


def fine_energy(image: Tensor) -> Tensor:
    _, details = lw.functional.swt2(image, "sym4", 1, trim_approx=True)
    return torch.stack(details).square().sum()


def example(steps: int = 400) -> dict[str, tuple[Tensor, float, float]]:
    """Train on the left five eighths of a photograph, and look at the rest."""
    photograph = torch.from_numpy(pywt.data.ascent()).float() / 255
    true = photograph[None, None, :, 320:]
    found = {"held-out part": (true[0, 0], float("inf"), 1.0)}
    for name, loss in LOSSES.items():
        model = train(photograph[:, :320], loss, steps)
        with torch.no_grad():
            picture = model(true)
        found[name] = (picture[0, 0], *compare(picture, true))
    return found


def draw(colours: dict[str, str], found: dict[str, tuple[Tensor, float, float]]) -> Figure:
    figure, axes = plt.subplots(1, 3, figsize=(8.6, 3.3), layout="constrained")
    for ax, (title, (picture, ratio, energy)) in zip(axes, found.items(), strict=True):
        ax.imshow(picture[240:400, 16:176].numpy(), cmap="gray", vmin=0, vmax=1)
        numbers = "" if ratio == float("inf") else f": {ratio:.2f} dB, {100 * energy:.0f} % of the fine details"
        ax.set_title(title + numbers, fontsize=8, color=colours["ink"])
        ax.set_axis_off()
    return figure
