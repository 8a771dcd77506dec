"""Derivatives of `gru` and `lstm`: by the kernel from the states that it stored, of second order by the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ._autograd import is_batched, is_plain_eager, save
from ._flat_recurrent import Cell, reference_recurrent_backward, run_backward


def _save(ctx: Any, cell: Cell, tensors: Sequence[Tensor | None], constants: Sequence[Any], results: Any) -> None:
    """Keep the arguments and the states after each step."""
    y, *rest = results
    cells = rest[len(cell.states) :]
    save(ctx, (*tensors, y, *cells), constants)
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(*cells)


def _differentiate(cell: Cell, ctx: Any, grads: Sequence[Tensor | None], backward: Callable[..., Any]) -> list[Any]:
    tensors = list(ctx.saved_tensors)
    for place in ctx.absent:
        tensors.insert(place, None)
    arguments, found = tensors[: cell.tensors], tensors[cell.tensors :]
    needs = [ctx.needs_input_grad[place] for place in cell.places]
    likes = [found[0], *arguments[5 : 5 + len(cell.states)]]
    given = [torch.zeros_like(like) if g is None else g for g, like in zip(grads, likes, strict=False)]
    if torch.is_grad_enabled() or any(map(is_batched, given)):  # create_graph=True: to be differentiated once more
        backward = partial(reference_recurrent_backward, cell)
    gradients = backward(*given, *arguments, *ctx.constants, *found, needs)
    results: list[Tensor | None] = [None] * (cell.tensors + len(ctx.constants))
    for place, needed, gradient in zip(cell.places, needs, gradients, strict=True):
        results[place] = gradient if needed else None
    return results


def register(cell: Cell, backward: Callable[..., Any], library: torch.library.Library) -> Callable[..., Any]:
    """Give a registered operator its derivatives; return its eager path `(*tensors, constants, backend, compute)`.

    Args:
        cell: the operator.
        backward: the registered operator for its gradients.
        library: where it is registered.
    """

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        _save(ctx, cell, inputs[: cell.tensors], inputs[cell.tensors :], output)

    torch.library.register_autograd(
        f"{library.ns}::{cell.name}",
        lambda ctx, *grads: tuple(_differentiate(cell, ctx, grads, backward)),
        setup_context=setup_context,
        lib=library,
    )

    class Eager(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            *tensors, constants, backend, compute = inputs
            results = compute()
            _save(ctx, cell, tensors, constants, results)
            ctx.backend = backend
            return results

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            plain = is_plain_eager(grads)
            rule = partial(run_backward, cell, ctx.backend) if plain else backward
            return (*_differentiate(cell, ctx, grads, rule)[: cell.tensors], None, None, None)

    named: Any = type(cell.name.capitalize(), (Eager,), {})
    apply: Callable[..., Any] = named.apply
    return apply
