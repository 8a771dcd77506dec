"""Sequences through cells, with parameters that no symmetry can hide a fault of."""

import torch

from learnable_wavelets.kernels._flat_recurrent import Call
from learnable_wavelets.kernels._layout import Layout
from learnable_wavelets.kernels._recurrence import GATES, Inputs, Recurrence
from learnable_wavelets.kernels._sandwich import Sandwich, Transform, sources
from learnable_wavelets.kernels.reference import coeff_lengths

# by name: hidden size, width of a block, mode, levels, taps; whether surplus outputs are wrapped
WIDTHS = {
    "square": (16, 16, "periodization", 2, 4, False),
    "58": (58, 58, "periodization", 1, 6, False),
    "surplus": (7, 8, "periodization", 3, 2, True),
    "odd": (9, 9, "zero", 2, 6, False),
    "continued": (21, 21, "symmetric", 2, 4, False),
    "no level": (8, 8, "zero", 0, 4, False),
    "hadamard": (13, 16, "hadamard", 0, 0, False),
    "wrapped often": (3, 16, "hadamard", 0, 0, True),
}


def recurrence_case(
    cell, width="square", batch=5, steps=3, *, inputs=0, reverse=False, bias=True, dtype=torch.float64, dense=()
):
    """The call of a cell. `steps`: their number or their sizes. `inputs`: 0 for products made before."""
    hidden, n, mode, level, taps, wrap = WIDTHS[width]
    count, hadamard = GATES[cell], mode == "hadamard"
    m = n if hadamard else sum(coeff_lengths(n, taps, mode, level))

    def made(*shape):
        return torch.randn(*shape, dtype=torch.float64).to(dtype)

    bank = (None,) * 4 if hadamard else tuple(made(count, taps) / taps**0.5 for _ in range(4))
    transform = Transform("hadamard", bank) if hadamard else Transform("wavelet", bank, mode, level)
    added = made(count, hidden) if bias else None
    gates = Sandwich(
        made(count, hidden), torch.stack([torch.randperm(m) for _ in range(count)]), made(count, m),
        made(count, hidden), added, transform, Layout(hidden, hidden, n, 1, False, wrap), 0.5,
    )  # fmt: skip
    sizes = None if isinstance(steps, int) else torch.tensor(steps)
    rows = steps * batch if isinstance(steps, int) else sum(steps)
    x = Inputs(made(rows, count * hidden))
    if inputs:
        x = Inputs(made(rows, inputs), made(count * hidden, inputs), made(count * hidden) if bias else None)
    if dense:
        wide = len(dense) * hidden
        x = x._replace(weight_hh=made(wide, hidden) / hidden**0.5, bias_hh=made(wide) if bias else None)
    start = tuple(made(batch, hidden) for _ in range(2 if cell == "lstm" else 1))
    return Call(x, start, Recurrence(cell, sizes, gates, reverse, dense))


def leaves(call):
    """The tensors that have a gradient, in the order of the operator's gradients."""
    return [*call.inputs, *call.start, *sources(call.inputs.data, call.recurrence.gates.tensors())[1:]]


def with_tensors(call, change):
    """The same call with `change` of each tensor but `sizes`."""
    inputs, start, recurrence = call
    gates = recurrence.gates
    tensors = [None if t is None else change(t) for t in gates.tensors()]
    gates = Sandwich.from_flat((*tensors, *gates.constants()))
    changed = Inputs(*(None if t is None else change(t) for t in inputs))
    return Call(changed, tuple(map(change, start)), recurrence._replace(gates=gates))
