"""Costs of layers: parameters, bytes, multiply-adds, time."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import nn

from ..filters import WaveletFilter
from ..kernels._flops import hadamard_flops, wavelet_flops
from ..nn import SandwichLayer, WaveletLinear
from ._dense import CONVERTED, Dense

_ROWS = 256
_SECONDS = 0.05


class Cost(NamedTuple):
    """Numbers to train and their bytes."""

    parameters: int
    bytes: int


def parameter_cost(module: nn.Module, without: nn.Module | None = None) -> Cost:
    """Return the cost of all parameters, each once, but for those of another module."""
    left_out = set() if without is None else {id(p) for p in without.parameters()}
    own = [p for p in module.parameters() if id(p) not in left_out and not nn.parameter.is_lazy(p)]
    return Cost(sum(p.numel() for p in own), sum(p.numel() * p.element_size() for p in own))


def dense_multiply_adds(dense: Dense) -> int:
    """Return the multiply-adds for one row, also of a layer that is compressed already."""
    if isinstance(dense.module, CONVERTED):
        return multiply_adds(dense.module)
    return dense.in_features * dense.out_features


def multiply_adds(layer: nn.Module) -> int:
    """Return the multiply-adds for one row, an addition of a Hadamard transform counted as one of them."""
    total = 0
    for module in layer.modules():
        if isinstance(module, SandwichLayer):
            total += _sandwich_multiply_adds(module)
        elif not isinstance(module, WaveletFilter):
            total += sum(p.numel() for p in module.parameters(recurse=False) if p.dim() == 2)
    return total


def _sandwich_multiply_adds(layer: SandwichLayer) -> int:
    n, blocks = layer._layout.n, layer._layout.blocks
    if isinstance(layer, WaveletLinear):
        one_way = wavelet_flops(n, len(layer.filter), layer.mode, layer.level) // 2
    else:
        one_way = hadamard_flops(n)
    return 2 * blocks * one_way + sum(d.numel() for d in (layer.diag_in, layer.diag_mid, layer.diag_out))


@torch.no_grad()
def speedup(dense: Dense, layer: nn.Module) -> float:
    """Return the time of the dense layer over that of the new one, for a batch of 256 rows, measured here.

    Raises:
        ValueError: the model is on the meta device.
    """
    weight: Any = dense.module.weight
    if weight.is_meta:
        raise ValueError("`min_speedup` needs a model with values to measure, got one on the meta device")
    x = torch.randn(_ROWS, dense.in_features, device=weight.device, dtype=weight.dtype)
    matrix = torch.randn(dense.out_features, dense.in_features, device=weight.device, dtype=weight.dtype)
    bias = None if dense.module.bias is None else dense.module.bias
    was_dense = _seconds(lambda: nn.functional.linear(x, matrix, bias))  # type: ignore[arg-type]
    return was_dense / _seconds(lambda: layer(x))


def _seconds(call: Any) -> float:
    from torch.utils.benchmark import Timer

    call()
    threads = torch.get_num_threads()
    timer = Timer("call()", globals={"call": call}, num_threads=threads)
    return float(timer.blocked_autorange(min_run_time=_SECONDS).median)
