"""Checks of the operands of `gru` and `lstm`, before a kernel gets addresses."""

from __future__ import annotations

import torch
from torch import Tensor

from ._recurrence import GATES, Inputs, Recurrence
from ._sandwich import INDEX, TENSORS, Sandwich
from ._validate import aligned, check_operand, operand_shapes


def check_recurrence(inputs: Inputs, start: tuple[Tensor, ...], recurrence: Recurrence) -> None:
    """Raise the error that names the first operand that does not fit; the entries of `sizes` are checked apart."""
    gates, count = recurrence.gates, GATES[recurrence.cell]
    layout, (kind, bank, mode, level) = gates.layout, gates.transform
    hidden = layout.out_features
    if layout.in_features != hidden or layout.blocks != 1:
        raise ValueError(f"`layout` must be that of one square block, got {tuple(layout)}")
    x, weight, bias, weight_hh, bias_hh = inputs
    width = count * hidden if weight is None else x.shape[-1]
    if x.dim() != 2 or x.shape[1] != width or not x.is_floating_point():
        raise ValueError(f"`inputs` must be (rows, {width}), got shape {tuple(x.shape)} of {x.dtype}")
    if weight is not None:
        check_operand("weight_ih", weight, (count * hidden, width), x.dtype, x)
    if bias is not None and weight is None:
        raise ValueError("`bias_ih` must be None without `weight_ih`, got a tensor")
    if bias is not None:
        check_operand("bias_ih", bias, (count * hidden,), x.dtype, x)
    dense = recurrence.dense
    if len(dense) == count or any(not 0 <= g < count for g in dense) or sorted(set(dense)) != list(dense):
        raise ValueError(f"`dense` must name some of {count} gates in order, but not all, got {list(dense)}")
    if (weight_hh is None) != (not dense) or (bias_hh is not None and not dense):
        raise ValueError(f"`weight_hh` and `bias_hh` must be those of the dense gates {list(dense)}")
    if weight_hh is not None:
        check_operand("weight_hh", weight_hh, (len(dense) * hidden, hidden), x.dtype, x)
    if bias_hh is not None:
        check_operand("bias_hh", bias_hh, (len(dense) * hidden,), x.dtype, x)
    batch = start[0].shape[0] if start[0].dim() == 2 else 0
    for name, state in zip(("h0", "c0"), start, strict=False):
        check_operand(name, state, (batch, hidden), x.dtype, x)
    taps = 0 if bank[0] is None else bank[0].shape[-1]
    shapes = operand_shapes(tuple(layout), kind, mode, level, taps)
    for place, (name, tensor, shape) in enumerate(zip(TENSORS, gates.tensors(), shapes, strict=True)):
        if tensor is not None:
            dtype = torch.int64 if place == INDEX else x.dtype
            check_operand(name, tensor, (count, shape[-1]), dtype, x)
        elif name != "bias" and (taps or not name.startswith(("dec", "rec"))):
            raise TypeError(f"`{name}` must be a tensor, got None")


def check_sizes(x: Tensor, h0: Tensor, sizes: Tensor | None) -> None:
    """Raise unless the steps begin with the whole batch, have no more rows than before, and have all rows of x."""
    rows, batch = x.shape[0], h0.shape[0]
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


def contiguous(
    inputs: Inputs, start: tuple[Tensor, ...], recurrence: Recurrence
) -> tuple[Inputs, tuple[Tensor, ...], Recurrence]:
    """Return them as kernels take them: contiguous and aligned."""
    gates = recurrence.gates
    tensors = tuple(None if t is None else aligned(t) for t in gates.tensors())
    sizes = None if recurrence.sizes is None else aligned(recurrence.sizes)
    recurrence = recurrence._replace(gates=Sandwich.from_flat((*tensors, *gates.constants())), sizes=sizes)
    inputs = Inputs(*(None if t is None else aligned(t) for t in inputs))  # type: ignore[arg-type]
    return inputs, tuple(map(aligned, start)), recurrence
