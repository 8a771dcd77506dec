"""The layers against `nn.Linear` and `x.clone()`: the calls that are timed, and the grid of sizes."""

from collections.abc import Callable
from functools import partial
from math import log2
from statistics import median
from typing import Any, NamedTuple

import pywt
import torch
from torch import Tensor, nn

import learnable_wavelets as lw

from .._checks import nearest_names
from ._device import PRECISIONS, matmul_precision
from ._measure import Call, Clock, Times, measure
from ._statistics import ratio, spread

Record = dict[str, Any]

PASSES = ("forward", "training")
LEVEL = 6
DENSE, PACKED, COPY = "nn.Linear", "oneDNN packed", "x.clone()"
PEERS = (DENSE, PACKED, COPY)  # compared with the layers of the library


class Case(NamedTuple):
    """One point of the grid."""

    step: str  # of PASSES
    precision: str
    n: int
    batch: int


def check_layer(name: str) -> str:
    """Return `name` if there is such a layer."""
    known = ("fastfood", *pywt.wavelist(kind="discrete"))
    if name not in known:
        hint = nearest_names(name, known)
        raise ValueError(f"`layers` must be fastfood or names of discrete pywt wavelets, got {name!r}{hint}")
    return name


def make_layer(name: str, n: int, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Build a square layer: `fastfood`, `nn.Linear`, or the wavelet of that name with 6 levels (fewer below n = 64)."""
    if name == DENSE:
        return nn.Linear(n, n, device=device, dtype=dtype)
    if name == "fastfood":
        return lw.Fastfood(n, n, device=device, dtype=dtype)
    return lw.WaveletLinear(n, n, device=device, dtype=dtype, wavelet=name, level=min(LEVEL, int(log2(n))))


def training_step(layer: nn.Module, x: Tensor) -> Callable[[], tuple[Tensor, ...]]:
    """Return a forward and backward pass, with the gradients of input and parameters; no optimiser, no loss."""
    with torch.no_grad():
        grad = torch.randn_like(layer(x))
    leaf = x.detach().requires_grad_()
    wanted = [leaf, *layer.parameters()]
    return lambda: torch.autograd.grad(layer(leaf), wanted, grad)


def packed_linear(layer: nn.Linear, x: Tensor) -> Call | None:
    """Return the product of `nn.Linear` by oneDNN with a packed weight, where torch has it: often the fastest dense."""
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.bfloat16):
        return None
    try:
        weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), len(x))
        call = partial(torch.ops.mkldnn._linear_pointwise, x, weight, layer.bias.detach(), "none", [], "")
        call()
    except (AttributeError, RuntimeError):  # a build without oneDNN, or a dtype that the processor lacks
        return None
    return call


def candidates(names: tuple[str, ...], case: Case, device: torch.device) -> dict[str, Call]:
    """Return the calls to time in one case, by name; all on the same input."""
    dtype = PRECISIONS[case.precision].dtype
    x = torch.randn(case.batch, case.n, device=device, dtype=dtype)
    calls: dict[str, Call] = {COPY: x.clone}
    for name in names:
        layer = make_layer(name, case.n, device, dtype)
        calls[name] = training_step(layer, x) if case.step == "training" else partial(layer, x)
        if isinstance(layer, nn.Linear) and case.step == "forward" and (packed := packed_linear(layer, x)):
            calls[PACKED] = packed
    return calls


def run_case(names: tuple[str, ...], case: Case, device: torch.device, clock: Clock, seconds: float) -> list[Record]:
    """Measure one case; return a record for each candidate."""
    with torch.set_grad_enabled(case.step == "training"), matmul_precision(case.precision):
        times = measure(candidates(names, case, device), clock, seconds)
    return records(case, times)


def records(case: Case, times: Times) -> list[Record]:
    """Record the seconds and their ratios to dense products and to `x.clone()`, medians and quartiles."""
    return [{**case._asdict(), "layer": name, **timing(name, times)} for name in times]


def timing(name: str, times: Times) -> Record:
    """Make the part of a record that every kind of measurement has."""
    record: Record = {"seconds": spread(times[name]), "rounds": len(times[name])}
    if DENSE in times:
        record["speedup"] = ratio(times[DENSE], times[name])
        best = min((dense for dense in (DENSE, PACKED) if dense in times), key=lambda dense: median(times[dense]))
        record["best"] = ratio(times[best], times[name])
    if COPY in times:
        record["copies"] = ratio(times[name], times[COPY])
    return record
