"""Learn a wavelet for a signal: an orthonormal bank that packs an ECG into few coefficients."""

import pywt
import torch
from matplotlib.figure import Figure
from torch import Tensor

import learnable_wavelets as lw

from ..figures._style import plt
from .ecg import read

LEVEL, TAPS, KEPT = 7, 12, 0.05
STARTS = ("db2", "sym4", "sym5", "coif2")


# --8<-- [start:code]
def error(wavelet: str | lw.WaveletFilter, x: Tensor) -> float:
    """Return the part of the energy that is lost if one coefficient in twenty is kept."""
    coeffs = torch.cat(lw.functional.wavedec(x, wavelet, "periodization", LEVEL), -1).flatten()
    energy = coeffs.square().sort(descending=True).values
    return (energy[round(KEPT * len(energy)) :].sum() / energy.sum()).item()


def learn(x: Tensor, start: str, steps: int) -> lw.OrthogonalWaveletFilter:
    """Minimise the mean size of the coefficients: the energy is fixed, since every angle gives an orthonormal bank."""
    bank = lw.OrthogonalWaveletFilter(start, taps=TAPS)
    optimizer = torch.optim.Adam(bank.parameters(), lr=0.02)
    for _ in range(steps):
        coeffs = torch.cat(lw.functional.wavedec(x, bank, "periodization", LEVEL), -1)
        loss = coeffs.abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return bank


# --8<-- [end:code]


def example(steps: int = 200) -> dict[str, object]:
    """Learn, and choose start and rival, on four minutes; count on the fifth."""
    *known, test_on = (part[: len(part) // 2048 * 2048].view(-1, 2048) for part in read())
    train_on = torch.cat(known)
    wavelets = map(pywt.Wavelet, pywt.wavelist(kind="discrete"))
    names = [w.name for w in wavelets if w.orthogonal and w.dec_len <= TAPS and w.name != "db1"]
    banks = [learn(train_on, start, steps) for start in STARTS]
    bank = min(banks, key=lambda bank: error(bank, train_on))
    best = min(names, key=lambda name: error(name, train_on))
    fixed = {name: error(name, test_on) for name in names}
    return {"fixed": fixed, "best": best, "bank": bank, "learned": error(bank, test_on)}


def draw(colours: dict[str, str], found: dict) -> Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3), layout="constrained", width_ratios=(2, 3))
    for wavelet, colour, label in (
        (found["best"], colours["faint"], found["best"]), (found["bank"], colours["extension"], "learned"),
    ):  # fmt: skip
        x, _, psi = lw.plotting.scaling_and_wavelet(wavelet)
        left.plot(x - x.mean(), psi, color=colour, label=label)
    left.legend(frameon=False, fontsize=8, labelcolor=colours["ink"])
    left.set(title="wavelet", yticks=[])
    bars = dict(sorted({**found["fixed"], "learned": found["learned"]}.items(), key=lambda item: item[1]))
    right.bar(
        list(bars), [100 * lost for lost in bars.values()],
        color=[colours["extension"] if name == "learned" else colours["signal"] for name in bars],
    )  # fmt: skip
    right.set_title("energy lost with 5 % of the coefficients, held-out minute, %")
    right.tick_params(axis="x", rotation=90, labelsize=8)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(length=0)
    return figure
