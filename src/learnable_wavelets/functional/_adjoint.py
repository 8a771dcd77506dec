"""The adjoint of every transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from .._checks import shown
from ..kernels._autograd import is_plain_eager


def adjoint(transform: Callable[[Any], Any], data: Any) -> Callable[[Any], Any]:
    r"""Return the adjoint $A^*$ of a linear transform A: $\langle A x, y \rangle = \langle x, A^* y \rangle$.

    Exact for every analysis and synthesis here, in every mode and for every length; in matrices, the transpose. Only
    for an orthogonal bank with `periodization` and even lengths is it the inverse.

    Args:
        transform: a linear function of one argument, such as `partial(wavedec, wavelet="db2", level=2)` or
            `lambda coeffs: waverec(coeffs, "db2")`.
        data: an argument of it, of which only structure, shapes, dtype and device count: a tensor, or lists, tuples and
            dicts of tensors.

    Returns:
        A linear function from the results of `transform` to its arguments; differentiable in both and in the filters.

    Raises:
        TypeError: `transform` is not callable; `data`, or the argument of the adjoint, has entries that are no tensors.
        ValueError: the argument of the adjoint has another structure or other shapes than the results of `transform`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> from functools import partial
        >>> x, y = torch.randn(9, dtype=torch.float64), torch.randn(2, 6, dtype=torch.float64)
        >>> forward = partial(lw.functional.dwt, wavelet="db2", mode="reflect")
        >>> cA, cD = forward(x)
        >>> back = lw.functional.adjoint(forward, x)(tuple(y))
        >>> torch.allclose((cA * y[0] + cD * y[1]).sum(), (x * back).sum())
        True

    Notes:
        It is the vector-Jacobian product of autograd, which for a linear function has no error but rounding. Under
        `torch.no_grad` it runs in the kernels; else in plain torch, so as to be differentiable once more.
    """
    if not callable(transform):
        raise TypeError(f"`transform` must be callable, got {type(transform).__name__}")
    leaves, structure = tree_flatten(data)
    if not leaves or not all(isinstance(leaf, Tensor) for leaf in leaves):
        raise TypeError(f"`data` must be a tensor, or a structure of tensors, got {shown(data)}")

    def apply(result: Any) -> Any:
        given, form = tree_flatten(_by_key(result))
        if not all(isinstance(leaf, Tensor) for leaf in given):
            raise TypeError(f"`result` must be a tensor, or a structure of tensors, got {shown(result)}")

        def flat(*inputs: Tensor) -> tuple[Tensor, ...]:
            outputs, expected = tree_flatten(_by_key(transform(tree_unflatten([*inputs], structure))))
            found, shapes = ([tuple(t.shape) for t in tensors] for tensors in (given, outputs))
            if form != expected or found != shapes:
                raise ValueError(f"`result` must have the structure and shapes of the results, {shapes}, got {found}")
            return tuple(outputs)

        product = _eager_product if is_plain_eager([*given, *leaves]) else _traced_product
        return tree_unflatten(product(flat, leaves, given), structure)

    return apply


def _by_key(tree: Any) -> Any:
    """Sort the dicts of a structure: the order in which their keys were set does not count."""
    if isinstance(tree, dict):
        return {key: _by_key(tree[key]) for key in sorted(tree, key=repr)}
    return type(tree)(map(_by_key, tree)) if type(tree) in (list, tuple) else tree


def _eager_product(flat: Callable[..., Any], leaves: list[Tensor], given: list[Tensor]) -> list[Tensor]:
    again = torch.is_grad_enabled()
    with torch.inference_mode(False), torch.enable_grad():
        given = [g.clone() if g.is_inference() else g for g in given]
        inputs = [torch.zeros_like(leaf, requires_grad=True) for leaf in leaves]
        grads = torch.autograd.grad(
            flat(*inputs), inputs, given, create_graph=again, allow_unused=True, materialize_grads=True
        )
    return [*grads]


def _traced_product(flat: Callable[..., Any], leaves: list[Tensor], given: list[Tensor]) -> list[Tensor]:
    _, pullback = torch.func.vjp(flat, *map(torch.zeros_like, leaves))  # type: ignore[misc]
    return [*pullback(tuple(given))]
