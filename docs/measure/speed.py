"""Time of the layers against `nn.Linear` on this machine: `python docs/measure/speed.py`.

Processor time of one thread, so that other work on the machine disturbs little.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

import learnable_wavelets as lw

LAYERS = {
    "`nn.Linear`": nn.Linear,
    "`WaveletLinear`, db2": lw.WaveletLinear,
    "`Fastfood`": lw.Fastfood,
}


def milliseconds(work: Callable[[], object], seconds: float = 1.5) -> float:
    """Median processor time of one call, after a warm-up."""
    work()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e3 * statistics.median(times)


def step(layer: nn.Module, x: torch.Tensor) -> None:
    """Forward and backward, all gradients."""
    torch.autograd.grad(layer(x).sum(), [x, *layer.parameters()])


def main(batch: int = 256) -> None:
    """Print a Markdown table."""
    torch.set_num_threads(1)
    print("| n | layer | backend | parameters | forward, ms | training step, ms |")
    print("|--:|---|---|--:|--:|--:|")
    for n in (256, 1024, 4096):
        x = torch.randn(batch, n, requires_grad=True)
        for label, kind in LAYERS.items():
            layer = kind(n, n)
            count = sum(p.numel() for p in layer.parameters())
            for backend in ("reference",) if kind is nn.Linear else lw.kernels.available_backends():
                with lw.kernels.use_backend(backend):
                    with torch.inference_mode():
                        forward = milliseconds(partial(layer, x))
                    training = milliseconds(partial(step, layer, x))
                name = "torch" if kind is nn.Linear else backend
                print(f"| {n} | {label} | {name} | {count:,} | {forward:.1f} | {training:.1f} |", flush=True)


if __name__ == "__main__":
    main()
