"""Print the tables of "How long a filter": `error` (full MNIST, a few minutes) or `time`.

`error` needs the full set in a folder that the environment variable `LEARNABLE_WAVELETS_DATA` names. One thread.
"""

import sys
import time
from statistics import median

import torch
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets.experiments.engine import Trainer
from learnable_wavelets.experiments.models import Perceptron
from learnable_wavelets.experiments.spec import Recipe
from learnable_wavelets.experiments.tasks import Images, as_vectors, load_mnist

N, BATCH, EPOCHS, SEED = 1024, 128, 20, 1000
STARTS = [
    ("haar", 2, None), ("db2", 4, None), ("db6", 12, 4), ("haar", 32, 4), ("haar", 64, 4), ("haar", 64, 1),
    ("haar", 128, 4), ("haar", 256, 2), ("haar", 256, 1), ("haar", 512, 1),
]  # fmt: skip


def wavelet_layer(start, taps, level):
    return lw.WaveletLinear(N, N, wavelet=lw.LearnableWaveletFilter(start, taps=taps), level=level, lr_multiplier=1.0)


def error():
    task = Images(load_mnist("full"), as_vectors, BATCH, 5000, torch.device("cpu"))
    print("| taps | start, levels | validation error, % | seconds |\n|--:|---|--:|--:|")
    for start, taps, level in STARTS:
        torch.manual_seed(SEED)
        layer = wavelet_layer(start, taps, level)
        recipe = Recipe(EPOCHS, task.interval, BATCH, "adamw", 1e-2, "one-cycle", weight_decay=0.01)
        trainer = Trainer(Perceptron([layer], N, 10), task, recipe, SEED)
        while not trainer.done:
            trainer.advance()
        record = trainer.history[-1]
        print(f"| {taps} | {start}, {layer.level} | {record['choose']:.2f} | {record['seconds']:.0f} |", flush=True)


def step(layer, x):
    begin = time.perf_counter()
    layer(x).sum().backward()
    return time.perf_counter() - begin


def timing():
    """Print ratios within each round, so that other work on the machine cancels."""
    dense, x = nn.Linear(N, N), torch.randn(BATCH, N, requires_grad=True)
    print("| taps | start, levels | nn.Linear / it, training step |\n|--:|---|--:|")
    for start, taps, level in STARTS:
        layer = wavelet_layer(start, taps, level)
        ratios = [step(dense, x) / step(layer, x) for _ in range(100)]
        print(f"| {taps} | {start}, {layer.level} | {median(ratios):.1f} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"error": error, "time": timing}[sys.argv[1]]()
