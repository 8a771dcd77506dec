"""Compare padding of widths to a multiple of 4 or of 16, by accuracy and rank: `python docs/measure/width.py`.

Prints two Markdown tables for `docs/theory.md`, in some minutes on one core. Accuracy: the MNIST sample inside the
package, pixels as they are, Adam with rate 0.001, batch 64, 5 epochs, `cross entropy + wavelet_regularizer`. Rank:
float64, orthogonal banks at random angles, the layer as it starts.
"""

import statistics
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

import learnable_wavelets as lw
from learnable_wavelets.experiments.tasks import load_mnist
from learnable_wavelets.nn import _geometry

MULTIPLES, EPOCHS, BATCH, RATE = (4, 16), 5, 64, 1e-3
SEEDS = {"784 to 10": 16}  # the others 6


def layer(n_in: int, n_out: int) -> nn.Module:
    """Build a layer whose rate is that of every other: the rates above were chosen for it."""
    return lw.WaveletLinear(n_in, n_out, lr_multiplier=1.0)


def hidden(n_in: int, n_out: int) -> Callable[[], nn.Module]:
    """Dense to n_in, the layer, dense to 10."""
    return lambda: nn.Sequential(nn.Linear(784, n_in), nn.ReLU(), layer(n_in, n_out), nn.ReLU(), nn.Linear(n_out, 10))


def first(n: int) -> Callable[[], nn.Module]:
    """Build the layer from the pixels to n, dense to 10."""
    return lambda: nn.Sequential(layer(784, n), nn.ReLU(), nn.Linear(n, 10))


MODELS = {
    "784 to 10": lambda: nn.Sequential(layer(784, 10)),
    "784 to 50, dense": first(50),
    "784 to 300, dense": first(300),
    "dense, 300 to 600, dense": hidden(300, 600),
    "dense, 100 to 1000, dense": hidden(100, 1000),
    "dense, 100 to 100, dense": hidden(100, 100),
    "dense, 300 to 300, dense": hidden(300, 300),
    "dense, 500 to 500, dense": hidden(500, 500),
}


def train(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """One run."""
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(labels)).split(BATCH):
            loss = F.cross_entropy(model(images[index]), labels[index]) + lw.wavelet_regularizer(model)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def accuracy() -> None:
    """Print test errors by multiple."""
    data = load_mnist("sample")
    images, test_images = (
        (torch.from_numpy(x.copy()).flatten(1) / 255 - 0.1307) / 0.3081 for x in (data.train_images, data.test_images)
    )
    labels, test_labels = (torch.from_numpy(y.copy()).long() for y in (data.train_labels, data.test_labels))
    print("| network | seeds | multiple | blocks | levels | test error, % |")
    print("|---|--:|--:|---|--:|--:|")
    for name, make in MODELS.items():
        seeds = SEEDS.get(name, 6)
        for multiple in MULTIPLES:
            _geometry._MULTIPLE = multiple
            errors = []
            for seed in range(seeds):
                torch.manual_seed(seed)
                model = make()
                train(model, images, labels)
                with torch.no_grad():
                    errors.append(100 * float((model(test_images).argmax(-1) != test_labels).double().mean()))
            layer = next(m for m in model if isinstance(m, lw.WaveletLinear))
            blocks = " x ".join(map(str, layer.permutation.shape))
            error = f"{statistics.mean(errors):.2f} ± {statistics.stdev(errors):.2f}"
            print(f"| {name} | {seeds} | {multiple} | {blocks} | {layer.level} | {error} |", flush=True)


@torch.no_grad()
def rank() -> None:
    """Print the smallest rank of four permutations and banks."""
    widths = (37, 100, 101, 300, 302, 500, 503, 1000)
    print(f"\n| n | {' | '.join(map(str, widths))} |")
    print(f"|---|{'--:|' * len(widths)}")
    for multiple in MULTIPLES:
        _geometry._MULTIPLE = multiple
        ranks = []
        for n in widths:
            found = []
            for seed in range(4):
                torch.manual_seed(seed)
                bank = lw.OrthogonalWaveletFilter("db2", dtype=torch.float64)
                bank.angles.normal_()
                values = torch.linalg.svdvals(
                    lw.WaveletLinear(n, n, wavelet=bank, seed=seed, dtype=torch.float64).to_dense()
                )
                found.append(int((values > 1e-10).sum()))
            ranks.append(min(found))
        print(f"| rank, multiple of {multiple} | {' | '.join(map(str, ranks))} |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    accuracy()
    rank()
