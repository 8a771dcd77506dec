"""Checks of the operands of `gru` and `lstm`, before a kernel gets addresses."""

from __future__ import annotations

import torch
from torch import Tensor

from ._recurrence import GATES, Recurrence
from ._sandwich import INDEX, TENSORS, Sandwich
from ._validate import aligned, check_operand, operand_shapes


def check_recurrence(inputs: Tensor, start: tuple[Tensor, ...], recurrence: Recurrence) -> None:
    """Raise the error that names the first operand that does not fit; the entries of `sizes` are checked apart."""
    gates, count = recurrence.gates, GATES[recurrence.cell]
    layout, (kind, bank, mode, level) = gates.layout, gates.transform
    hidden = layout.out_features
    if layout.in_features != hidden or layout.blocks != 1:
        raise ValueError(f"`layout` must be that of one square block, got {tuple(layout)}")
    if inputs.dim() != 2 or inputs.shape[1] != count * hidden or not inputs.is_floating_point():
        got = f"{tuple(inputs.shape)} of {inputs.dtype}"
        raise ValueError(f"`inputs` must be (rows, {count * hidden}), got shape {got}")
    batch = start[0].shape[0] if start[0].dim() == 2 else 0
    for name, state in zip(("h0", "c0"), start, strict=False):
        check_operand(name, state, (batch, hidden), inputs.dtype, inputs)
    taps = 0 if bank[0] is None else bank[0].shape[-1]
    shapes = operand_shapes(tuple(layout), kind, mode, level, taps)
    for place, (name, tensor, shape) in enumerate(zip(TENSORS, gates.tensors(), shapes, strict=True)):
        if tensor is not None:
            dtype = torch.int64 if place == INDEX else inputs.dtype
            check_operand(name, tensor, (count, shape[-1]), dtype, inputs)
        elif name != "bias" and (taps or not name.startswith(("dec", "rec"))):
            raise TypeError(f"`{name}` must be a tensor, got None")


def check_sizes(inputs: Tensor, h0: Tensor, sizes: Tensor | None) -> None:
    """Raise unless the steps have all rows of the inputs, at most those of the step before, at first the whole batch."""
    rows, batch = inputs.shape[0], h0.shape[0]
    if sizes is None:
        if batch < 1 or rows < batch or rows % batch:
            raise ValueError(f"`inputs` must have the {batch} rows of `h0` for each step, got {rows} rows")
        return
    if sizes.dim() != 1 or sizes.dtype != torch.int64 or not sizes.is_cpu or sizes.shape[0] < 1:
        got = f"{tuple(sizes.shape)} of {sizes.dtype} on {sizes.device}"
        raise ValueError(f"`sizes` must be one dimension of torch.int64 on cpu, got {got}")
    values = sizes.tolist()
    falling = all(0 < after <= before for before, after in zip([batch, *values], values, strict=False))
    if values[0] != batch or not falling or sum(values) != rows:
        raise ValueError(f"`sizes` must begin with {batch}, never grow and add up to {rows}, got {values}")


def contiguous(inputs: Tensor, start: tuple[Tensor, ...], recurrence: Recurrence) -> tuple[Tensor, tuple[Tensor, ...], Recurrence]:
    """Return them as kernels take them: contiguous and aligned."""
    gates = recurrence.gates
    tensors = tuple(None if t is None else aligned(t) for t in gates.tensors())
    sizes = None if recurrence.sizes is None else aligned(recurrence.sizes)
    recurrence = recurrence._replace(gates=Sandwich.from_flat((*tensors, *gates.constants())), sizes=sizes)
    return aligned(inputs), tuple(map(aligned, start)), recurrence
