"""Measure cost and drift of the three filter parametrisations: `python docs/measure/filters.py cost|drift`.

`cost`: parameters, and the processor time of `filter.filter_bank`, with its backward pass, and of `regularizer()`.
`drift`: trains a small network on the MNIST sample inside the package, once for each parametrisation and three seeds.
Both print a Markdown table for `docs/choosing-a-filter.md`; `drift` takes some minutes on two cores.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

import learnable_wavelets as lw
from learnable_wavelets.experiments.tasks import load_mnist

KINDS = {
    "learnable": lw.LearnableWaveletFilter,
    "orthogonal": lw.OrthogonalWaveletFilter,
    "biorthogonal": lw.BiorthogonalWaveletFilter,
}
SEEDS, EPOCHS, BATCH, RATE = 3, 5, 64, 1e-3


def microseconds(work: Callable[[], object], repeats: int = 1000) -> float:
    """Median processor time of one call, after a warm-up."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e6 * statistics.median(times[repeats // 10 :])


def backward_work(filter: lw.WaveletFilter) -> object:
    """Materialise the bank and differentiate through it."""
    total = torch.cat(list(filter.filter_bank)).square().sum()
    return torch.autograd.grad(total, list(filter.parameters()))


def cost() -> None:
    """Print parameters and times."""
    torch.set_num_threads(1)
    print("| filter | start | taps | parameters | bank, us | with backward, us | regulariser, us |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for label, kind in KINDS.items():
        for wavelet in ("haar", "db2", "db6", "bior4.4"):
            if wavelet == "bior4.4" and kind is lw.OrthogonalWaveletFilter:
                continue
            filter = kind(wavelet)
            count = sum(p.numel() for p in filter.parameters())
            times = [
                microseconds(partial(getattr, filter, "filter_bank")),
                microseconds(partial(backward_work, filter)),
                microseconds(filter.regularizer),
            ]
            cells = " | ".join(f"{t:.0f}" for t in times)
            print(f"| {label} | {wavelet} | {len(filter)} | {count} | {cells} |")


def train(filter: lw.WaveletFilter, weight: float, seed: int, images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """784 -> 784 -> 10, Adam, `cross entropy + weight * wavelet_regularizer`."""
    torch.manual_seed(seed)
    model = nn.Sequential(lw.WaveletLinear(784, 784, wavelet=filter, lr_multiplier=1.0), nn.ReLU(), nn.Linear(784, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(labels)).split(BATCH):
            loss = F.cross_entropy(model(images[index]), labels[index])
            if weight:
                loss = loss + weight * lw.wavelet_regularizer(model)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


@torch.no_grad()
def measure(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Test error in percent; the three losses of the bank; error of a transform there and back; its singular values."""
    layer = model[0]
    bank = layer.filter.filter_bank.to(dtype=torch.float64)
    losses = [
        lw.functional.perfect_reconstruction_loss(bank),
        lw.functional.alias_cancellation_loss(bank),
        lw.functional.orthogonality_loss(bank),
    ]
    eye = torch.eye(layer.in_features, dtype=torch.float64)
    coeffs = lw.functional.wavedec(eye, bank, mode=layer.mode, level=layer.level)
    back = lw.functional.waverec(coeffs, bank, mode=layer.mode)
    values = torch.linalg.svdvals(lw.functional.pack(coeffs)[0])
    relative = float((back - eye).norm() / eye.norm())
    error = 100 * float((model(images).argmax(-1) != labels).double().mean())
    return [error, *map(float, losses), relative, float(values[-1]), float(values[0])]


def drift() -> None:
    """Train and print the properties of the learned banks."""
    torch.set_num_threads(1)
    data = load_mnist("sample")
    mean, std = 0.1307, 0.3081
    images, test_images = (
        (torch.from_numpy(x.copy()).flatten(1) / 255 - mean) / std for x in (data.train_images, data.test_images)
    )
    labels, test_labels = (torch.from_numpy(y.copy()).long() for y in (data.train_labels, data.test_labels))
    runs = [(label, kind, 0.0) for label, kind in KINDS.items()]
    runs[:1] = [("learnable", lw.LearnableWaveletFilter, w) for w in (0.0, 1.0, 100.0)]
    header = ("filter", "weight", "test error, %", "reconstruction", "alias", "orthogonality", "there and back")
    print(f"| {' | '.join(header)} | singular values |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for label, kind, weight in runs:
        rows = [
            measure(train(kind("db2"), weight, seed, images, labels), test_images, test_labels) for seed in range(SEEDS)
        ]
        columns = list(zip(*rows, strict=True))
        error = f"{statistics.mean(columns[0]):.2f} ± {statistics.stdev(columns[0]):.2f}"
        middle = " | ".join(f"{max(column):.0e}" for column in columns[1:5])
        weight_cell = f"{weight:g}" if kind is lw.LearnableWaveletFilter else "none"
        span = f"{min(columns[5]):.3f} to {max(columns[6]):.3f}"
        print(f"| {label} | {weight_cell} | {error} | {middle} | {span} |", flush=True)


if __name__ == "__main__":
    {"cost": cost, "drift": drift}[sys.argv[1]]()
