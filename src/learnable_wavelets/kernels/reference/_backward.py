"""Gradients of the reference by autograd: differentiable once more where grad mode is on (`create_graph=True`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .._precision import full_precision
from .._sandwich import Sandwich, sources
from ._sandwich import sandwich
from ._wavelet import wavedec, waverec

Gradients = tuple[Tensor, ...]


def wavedec_backward(
    grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int, needs: Sequence[bool]
) -> Gradients:
    return gradients(lambda x, lo, hi: wavedec(x, lo, hi, mode, level), (x, lo, hi), grad, needs)


def waverec_backward(
    grad: Tensor, packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int, needs: Sequence[bool]
) -> Gradients:
    return gradients(lambda x, lo, hi: waverec(x, lo, hi, n, mode, level), (packed, lo, hi), grad, needs)


def sandwich_backward(grad: Tensor, x: Tensor, operands: Sandwich, needs: Sequence[bool]) -> Gradients:
    """Return the gradients of x, B, G, S, bias and the four filters; an empty tensor where none is needed."""
    constants, permutation = operands.constants(), operands.permutation

    def function(x: Tensor, diag_in: Tensor, *rest: Tensor) -> Tensor:
        return sandwich(x, Sandwich.from_flat((diag_in, permutation, *rest, *constants)))

    return gradients(function, sources(x, operands.tensors()), grad, needs)


def gradients(
    function: Callable[..., Tensor], inputs: Sequence[Tensor | None], grad: Tensor, needs: Sequence[bool]
) -> Gradients:
    twice = torch.is_grad_enabled()
    with full_precision(grad), _recording(twice):
        if not twice:
            grad = grad.clone() if grad.is_inference() else grad
        leaves = [
            t if t is None else _source(t, twice).requires_grad_(bool(needed) or (twice and t.requires_grad))
            for t, needed in zip(inputs, needs, strict=True)
        ]
        wanted = [t for t, needed in zip(leaves, needs, strict=True) if needed and t is not None]
        if not wanted:
            return tuple(grad.new_empty(0) for _ in inputs)
        y = function(*leaves)
        # filters have no effect at level 0: zeros
        found = iter(
            torch.autograd.grad(y, wanted, grad, create_graph=twice, allow_unused=True, materialize_grads=True)
        )
    return tuple(
        next(found) if needed and t is not None else grad.new_empty(0) for t, needed in zip(inputs, needs, strict=True)
    )


def _recording(twice: bool) -> contextlib.AbstractContextManager[object]:
    """Record a graph even inside an operator, where the dispatcher may have turned autograd off."""
    return contextlib.nullcontext() if twice else torch.inference_mode(False)


def _source(tensor: Tensor, twice: bool) -> Tensor:
    """Return the values as a tensor that no other input is computed from.

    Among the saved tensors a filter may be computed from another, and data from both: the gradient of a saved tensor
    itself would count those ways once more. Without a graph it is detached: autograd takes no tensor of inference mode.
    """
    if twice and tensor.requires_grad:
        return tensor.view_as(tensor)
    return tensor.clone() if tensor.is_inference() else tensor.detach()
