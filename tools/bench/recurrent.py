"""Recurrent layers against `nn.GRU` and `nn.LSTM`: whole sequences, all recurrent matrices compressed."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

import learnable_wavelets as lw
from learnable_wavelets._output import Table
from learnable_wavelets.benchmarks._layers import Record
from learnable_wavelets.benchmarks._measure import Call, Clock, measure
from learnable_wavelets.benchmarks._plan import Part, Plan
from learnable_wavelets.benchmarks._statistics import ratio, spread
from learnable_wavelets.benchmarks._verdict import factor


class Case(NamedTuple):
    """One layer, one sequence and one pass."""

    kind: str
    inputs: int
    hidden: int
    steps: int
    batch: int
    step: str  # of PASSES


SHAPES = (
    ("GRU", 1, 58, 784, 50),
    ("GRU", 10, 512, 150, 50),
    ("GRU", 512, 512, 150, 50),
    ("LSTM", 10, 256, 200, 32),
    ("LSTM", 256, 256, 200, 32),
    ("GRU", 10, 256, 100, 1),
    ("GRU", 10, 256, 100, 8),
    ("LSTM", 10, 256, 100, 1),
    ("LSTM", 10, 256, 100, 8),
)
DENSE = "dense"
LAYERS: dict[str, Callable[[type, int, int], nn.Module]] = {
    DENSE: lambda ours, inputs, hidden: getattr(nn, ours.__name__)(inputs, hidden),
    "db2": lambda ours, inputs, hidden: ours(inputs, hidden),
    "fastfood": lambda ours, inputs, hidden: ours(inputs, hidden, recurrent_layer=lw.Fastfood),
}


def run(case: Case, plan: Plan, clock: Clock) -> list[Record]:
    """Make a record for each layer, with ratios to torch's."""
    x = torch.randn(case.steps, case.batch, case.inputs)
    layers = {name: make(getattr(lw.nn, case.kind), case.inputs, case.hidden) for name, make in LAYERS.items()}
    training = case.step == "training"
    calls: dict[str, Call] = {name: partial(_train if training else _forward, m, x) for name, m in layers.items()}
    with torch.set_grad_enabled(training):
        times = measure(calls, clock, plan.seconds)
    return [
        {**case._asdict(), "layer": name, "seconds": spread(times[name]), "speedup": ratio(times[DENSE], times[name])}
        for name in times
    ]


def _forward(layer: nn.Module, x: Tensor) -> Tensor:
    output: Tensor = layer(x)[0]
    return output


def _train(layer: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(_forward(layer, x).sum(), list(layer.parameters()))


def tables(rows: list[Record]) -> list[Table]:
    header = ("layer", "inputs", "hidden", "steps", "batch", "pass", "matrices", "ms", "torch / it")
    cells = [
        (row["kind"], *(str(row[key]) for key in ("inputs", "hidden", "steps", "batch")), row["step"], row["layer"],
         f"{1e3 * row['seconds']['median']:.3g}", factor(row["speedup"]["median"]))
        for row in rows
    ]  # fmt: skip
    return [Table(header, cells, "Recurrent layers", "Training: the gradients of all parameters.", left=1)]


PART = Part(
    name="recurrent",
    help="Also GRU and LSTM against torch's.",
    cases=lambda plan: [Case(*shape, step) for shape in SHAPES for step in plan.passes],
    label=lambda case: f"{case.kind} {case.step} hidden = {case.hidden}, batch {case.batch}",
    run=run,
    tables=tables,
)
