"""Decompose a photograph, and put it together again from one coefficient in twenty."""

import pywt
import torch
from matplotlib.figure import Figure
from torch import Tensor

import learnable_wavelets as lw

from ..figures._style import plt


# --8<-- [start:code]
def compress(image: Tensor, wavelet: str, kept: float) -> tuple[Tensor, Tensor]:
    """Return the packed coefficients and the image of the largest of them."""
    coeffs = lw.functional.wavedec2(image, wavelet, "periodization", level=2)
    packed, layout = lw.functional.pack(coeffs)
    smallest = packed.abs().quantile(1 - kept)
    sparse = packed.where(packed.abs() >= smallest, 0)
    return packed, lw.functional.waverec2(lw.functional.unpack(sparse, layout), wavelet, "periodization")


# --8<-- [end:code]


def example() -> dict[str, Tensor]:
    image = torch.from_numpy(pywt.data.ascent()).float()[:256, 128:384] / 255
    packed, back = compress(image, "bior4.4", 0.05)
    return {"image": image, "packed": packed, "back": back}


def signal_to_noise(image: Tensor, back: Tensor) -> float:
    return -10 * (image - back).square().mean().log10().item()


def draw(colours: dict[str, str], found: dict[str, Tensor]) -> Figure:
    figure, axes = plt.subplots(1, 3, figsize=(8.6, 3.1), layout="constrained")
    size = found["packed"].abs()
    approximation = size[: len(size) // 4, : len(size) // 4].max()
    shown = (size / size.median() / 20).clamp(max=1)
    shown[: len(size) // 4, : len(size) // 4] = size[: len(size) // 4, : len(size) // 4] / approximation
    titles = (
        "photograph", "wavedec2, bior4.4, 2 levels, packed",
        f"from 5 % of the coefficients: {signal_to_noise(found['image'], found['back']):.1f} dB",
    )  # fmt: skip
    for ax, picture, title in zip(axes, (found["image"], shown, found["back"]), titles, strict=True):
        ax.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1)
        ax.set_title(title, fontsize=9, color=colours["ink"])
        ax.set_axis_off()
    return figure
