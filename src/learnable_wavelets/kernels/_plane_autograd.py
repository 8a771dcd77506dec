"""The eager path of `dwt2`: four outputs with their own memory, and gradients that need not be stacked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import _planes
from ._autograd import is_batched, is_plain_eager, leave_out
from ._library import OPERATORS


class Dwt2(torch.autograd.Function):
    """`(x, lo0, hi0, lo1, hi1, modes, backend)` to the four bands; kept is at most the input."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        *tensors, modes, backend = inputs
        ctx.unsaved = leave_out(tensors[:1], ctx.needs_input_grad[1:])
        ctx.save_for_backward(*tensors[len(ctx.unsaved) :])
        ctx.modes, ctx.backend = modes, backend
        ctx.set_materialize_grads(False)
        return _planes.dwt2_apart(backend, *tensors, *modes)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        needs = ctx.needs_input_grad[:5]
        given = next((g for g in grads if g is not None), None)
        if given is None:
            return (None,) * 7
        x = [each.stand_in() for each in ctx.unsaved]
        rest: Any = (*x, *ctx.saved_tensors, *ctx.modes, needs)
        full = [torch.zeros_like(given) if g is None else g for g in grads]
        if torch.is_grad_enabled() or any(map(is_batched, full)):  # to be differentiated once more
            found = _planes.reference_dwt2_backward(torch.stack(full), *rest)
        elif is_plain_eager(full):
            found = _planes.dwt2_pullback(ctx.backend, full, *rest)
        else:
            found = OPERATORS["dwt2_backward"](torch.stack(full), *rest)
        return *[f if needed else None for f, needed in zip(found, needs, strict=True)], None, None
