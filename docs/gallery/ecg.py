"""Denoise an ECG with a filter bank and thresholds that train together, beside fixed wavelets with trained thresholds.

`docs/measure/ecg.py` compares with every discrete wavelet of PyWavelets, at four noise levels.
"""

import lzma
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import learnable_wavelets as lw

from ..figures._style import plt

LENGTH, LEVEL, BATCH = 2048, 6, 16


def read() -> tuple[Tensor, Tensor, Tensor]:
    """Return five minutes of one lead in millivolts at 360 Hz, in time order: 3 to train, 1 to choose, 1 to test."""
    differences = np.frombuffer(lzma.decompress(Path(__file__).with_name("ecg.xz").read_bytes()), "<i2")
    record = torch.from_numpy(differences.cumsum() / 200).float()
    return record[:64800], record[64800:86400], record[86400:]


def noise_of(decibels: float, record: Tensor) -> float:
    """Return the standard deviation of white noise with this signal-to-noise ratio."""
    return record.std().item() * 10 ** (-decibels / 20)


# --8<-- [start:model]
def denoiser(wavelet: str | lw.WaveletFilter, sigma: float) -> nn.Sequential:
    learnable = not isinstance(wavelet, str)
    return nn.Sequential(
        lw.nn.DWT(wavelet, LEVEL, learnable=learnable),
        lw.nn.SoftThreshold(LEVEL, initial=1.5 * sigma),
        lw.nn.IDWT(wavelet, learnable=learnable),
    )


def train(model: nn.Sequential, record: Tensor, sigma: float, steps: int, seed: int = 0) -> nn.Sequential:
    """Fit filters, if they train, and thresholds to pieces of the record with fresh noise."""
    generator = torch.Generator().manual_seed(seed)
    filters = [p for p in model.parameters() if p is not model[1].log_threshold]
    groups = [{"params": [model[1].log_threshold], "lr": 0.1}, {"params": filters, "lr": 0.003}]
    optimizer = torch.optim.Adam([group for group in groups if group["params"]])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        start = torch.randint(len(record) - LENGTH, (BATCH, 1), generator=generator)
        clean = record[start + torch.arange(LENGTH)]
        noisy = clean + sigma * torch.randn(clean.shape, generator=generator)
        loss = (model(noisy) - clean).square().mean() / sigma**2 + lw.wavelet_regularizer(model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model


# --8<-- [end:model]


@torch.no_grad()
def ratio(model: nn.Module, record: Tensor, sigma: float, seed: int = 0) -> float:
    """Return the signal-to-noise ratio after denoising, in decibels, of all whole pieces of a record."""
    clean = record[: len(record) // LENGTH * LENGTH].view(-1, LENGTH)
    noisy = clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1000 + seed))
    error = (model(noisy) - clean).square().mean()
    return 10 * torch.log10(clean.var() / error).item()


def example(steps: int = 300) -> dict[str, object]:
    """Train at 6 dB; the test minute gives the ratios and a piece to draw."""
    train_on, _, test_on = read()
    sigma = noise_of(6, train_on)
    torch.manual_seed(0)
    models = {"sym4": denoiser("sym4", sigma), "learned": denoiser(lw.LearnableWaveletFilter("sym4", taps=16), sigma)}
    clean = test_on[None, 6 * LENGTH : 7 * LENGTH]
    noisy = clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    found = {"noisy": (noisy[0], 6.0)}
    for name, model in models.items():
        train(model, train_on, sigma, steps)
        with torch.no_grad():
            found[name] = (model(noisy)[0], ratio(model, test_on, sigma))
    return {"clean": clean[0], "found": found, "filter": models["learned"][0].filter}


def draw(colours: dict[str, str], result: dict[str, object]) -> Figure:
    figure, axes = plt.subplots(3, 1, figsize=(8.6, 4.6), layout="constrained", sharex=True, sharey=True)
    seconds = torch.arange(LENGTH) / 360
    for ax, (name, (signal, decibels)) in zip(axes, result["found"].items(), strict=True):
        ax.plot(seconds, result["clean"], color=colours["faint"], linewidth=2, alpha=0.6)
        ax.plot(seconds, signal, color=colours["extension" if name == "learned" else "signal"], linewidth=0.8)
        ax.set_title(f"{name}, {decibels:.2f} dB", fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(length=0)
    axes[-1].set(xlabel="seconds", xlim=(0, 4))
    axes[1].set_ylabel("millivolts")
    return figure
