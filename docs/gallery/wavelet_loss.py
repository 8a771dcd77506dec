"""A wavelet loss in a small image model: the details that the mean square error gives up."""

import pywt
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

import learnable_wavelets as lw

from ..figures._style import plt

CROP, BATCH = 48, 16


# --8<-- [start:code]
class Enlarge(nn.Module):
    """Double height and width: bilinear, and three convolutions for what that leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 24, 5, padding=2), nn.ReLU(), nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(),
            nn.Conv2d(24, 4, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip

    def forward(self, small: Tensor) -> Tensor:
        return interpolate(small, scale_factor=2, mode="bilinear") + self.body(small)


def train(image: Tensor, weight: float, steps: int) -> Enlarge:
    """Learn to undo 2 x 2 means, with a mean square error and `weight` times a loss on the details."""
    torch.manual_seed(0)
    model = Enlarge()
    details = lw.nn.WaveletLoss("sym4", level=2, weights=[0, 1, 1], transform="swt", norm="l1")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(steps):
        places = [torch.randint(n - CROP, (BATCH,)).tolist() for n in image.shape]
        sharp = torch.stack([image[None, i : i + CROP, j : j + CROP] for i, j in zip(*places, strict=True)])
        large = model(avg_pool2d(sharp, 2))
        loss = (large - sharp).square().mean() + weight * details(large, sharp)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model
# --8<-- [end:code]


@torch.no_grad()
def compare(large: Tensor, sharp: Tensor) -> tuple[float, float]:
    """Return the peak signal-to-noise ratio in decibels, and the energy of the finest details over the true one."""
    ratio = -10 * (large - sharp).square().mean().log10().item()
    found, true = (
        sum(band.square().sum() for band in lw.functional.swt2(x, "sym4", 1, trim_approx=True)[1])
        for x in (large, sharp)
    )
    return ratio, (found / true).item()


def example(steps: int = 400) -> dict[str, tuple[Tensor, float, float]]:
    photograph = torch.from_numpy(pywt.data.ascent()).float() / 255
    train_on, test_on = photograph[:, :320], photograph[None, None, :, 320:]
    small = avg_pool2d(test_on, 2)
    with torch.no_grad():
        pictures = {"bilinear": interpolate(small, scale_factor=2, mode="bilinear")}
        for title, weight in (("mean square error", 0.0), ("and wavelet loss", 0.1)):
            with torch.enable_grad():
                model = train(train_on, weight, steps)
            pictures[title] = model(small)
    return {
        "held-out part": (test_on[0, 0], torch.inf, 1.0),
        **{name: (x[0, 0], *compare(x, test_on)) for name, x in pictures.items()},
    }


def draw(colours: dict[str, str], found: dict[str, tuple[Tensor, float, float]]) -> Figure:
    figure, axes = plt.subplots(1, 4, figsize=(8.6, 2.7), layout="constrained")
    for ax, (title, (picture, ratio, energy)) in zip(axes, found.items(), strict=True):
        ax.imshow(picture[260:370, 40:150], cmap="gray", vmin=0, vmax=1)
        numbers = "" if ratio == torch.inf else f"\n{ratio:.2f} dB, {100 * energy:.0f} % of the details"
        ax.set_title(title + numbers, fontsize=8, color=colours["ink"])
        ax.set_axis_off()
    return figure
