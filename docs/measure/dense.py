"""How fast is the dense product that the layers are compared with? `nn.Linear` beside oneDNN with packed weights.

    python docs/measure/dense.py

float32, batch 1024, inference; medians. nn.Linear takes the matrix product of the library that torch was built with,
which need not be the best one for a processor.
"""

from time import perf_counter

import torch

BATCH = 1024


def median_seconds(call, seconds=0.4):
    """After two calls to warm up."""
    call(), call()
    times, start = [], perf_counter()
    while perf_counter() - start < seconds or len(times) < 5:
        before = perf_counter()
        call()
        times.append(perf_counter() - before)
    return sorted(times)[len(times) // 2]


@torch.no_grad()
def main():
    print("| n | nn.Linear, ms | GFLOP/s | oneDNN, ms | GFLOP/s |\n|--:|--:|--:|--:|--:|")
    for n in (256, 1024, 4096):
        layer, x = torch.nn.Linear(n, n), torch.randn(BATCH, n)
        packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), BATCH)

        def product(x=x, packed=packed, bias=layer.bias):
            return torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")

        assert torch.allclose(product(), layer(x), atol=1e-4)
        row = [str(n)]
        for call in (lambda layer=layer, x=x: layer(x), product):
            seconds = median_seconds(call)
            row += [f"{seconds * 1e3:.2f}", f"{2 * BATCH * n * n / seconds / 1e9:.0f}"]
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
