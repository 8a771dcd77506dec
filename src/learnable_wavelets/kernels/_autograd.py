"""Derivatives of the kernels: of first order by kernels that recompute from x, of second order by the reference.

There are two ways into the same rules. Compilers, exporters, dispatch modes and tensor subclasses see a registered
operator. In a plain eager step a kernel is called under an ordinary `autograd.Function`: the dispatcher and its Python
autograd cost several times as much as a kernel on a few rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

Function = Callable[..., Any]
_PLAIN = frozenset((Tensor, torch.nn.Parameter, type(None)))


class Operator(NamedTuple):
    """An operator with a derivative, in its flat form: tensors first, then constants."""

    name: str
    tensors: int
    """Number of tensors among the arguments."""
    places: tuple[int, ...]
    """Arguments that have a gradient."""
    reference_backward: Function
    """Gradients in plain torch, `(grad, *inputs, needs)`."""
    data: int = 1
    """Number of tensors, the first ones, in which it is linear; the others are filters and diagonals."""


def is_plain_eager(tensors: Sequence[Tensor | None]) -> bool:
    """Return whether no compiler, tracer, mode, transform or tensor subclass would see an operator called on these.

    Nor may a tensor carry a lazy negation bit, which the dispatcher would resolve.
    """
    return (
        not torch.compiler.is_compiling()
        and torch._C._len_torch_dispatch_stack() == 0  # no mode that counts, fakes or traces
        and torch._ops._len_torch_dispatch_stack_pre_dispatch() == 0  # type: ignore[no-untyped-call]
        and not torch._C._are_functorch_transforms_active()
        and torch._C._get_tracing_state() is None
        and _PLAIN.issuperset(map(type, tensors))  # by map: a loop here would cost as much as a kernel on one row
        and not any(map(Tensor.is_neg, [t for t in tensors if t is not None]))
    )


class Unsaved(NamedTuple):
    """Data that are not saved: every operator is linear in them, so that their gradient does not depend on them."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device

    def stand_in(self) -> Tensor:
        """Return a tensor for the kernels, which read data in any case."""
        return torch.empty(self.shape, dtype=self.dtype, device=self.device)


def leave_out(data: Sequence[Tensor], others: Sequence[bool]) -> tuple[Unsaved, ...]:
    """Leave all data out of what is saved, or none where another argument needs a gradient."""
    return () if any(others) else tuple([Unsaved(x.shape, x.dtype, x.device) for x in data])


def save(ctx: Any, tensors: Sequence[Tensor | None], constants: Sequence[Any]) -> None:
    """Keep the inputs, and nothing else, for the backward pass; graph viewers take no `None` among saved tensors."""
    ctx.absent = [place for place, tensor in enumerate(tensors) if tensor is None]
    ctx.save_for_backward(*[tensor for tensor in tensors if tensor is not None] if ctx.absent else tensors)
    ctx.constants = constants


def differentiate(operator: Operator, ctx: Any, grad: Tensor, backward: Function) -> tuple[Tensor | None, ...]:
    """Return the gradient of every input, from `backward(grad, *inputs, needs)`."""
    tensors = list(ctx.saved_tensors)
    for place in ctx.absent:
        tensors.insert(place, None)
    unsaved: tuple[Unsaved, ...] = getattr(ctx, "unsaved", ())
    tensors[: len(unsaved)] = [each.stand_in() for each in unsaved]
    inputs = (*tensors, *ctx.constants)
    needs = [ctx.needs_input_grad[place] for place in operator.places]
    if torch.is_grad_enabled() or is_batched(grad):  # create_graph=True: to be differentiated once more
        backward = operator.reference_backward
    found = backward(grad, *inputs, needs)
    grads: list[Tensor | None] = [None] * len(inputs)
    for place, needed, gradient in zip(operator.places, needs, found, strict=True):
        if needed:
            grads[place] = gradient
    return tuple(grads)


def is_batched(tensor: Tensor) -> bool:
    """Return whether `tensor` is batched by `vmap` or `is_grads_batched=True`."""
    functorch = torch._C._functorch
    return functorch.is_legacy_batchedtensor(tensor) or functorch.is_batchedtensor(tensor)


def register(operator: Operator, backward: Function, library: torch.library.Library) -> None:
    """Give the registered operator its derivatives; `backward` is the registered operator for them."""

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        save(ctx, inputs[: operator.tensors], inputs[operator.tensors :])

    torch.library.register_autograd(
        f"{library.ns}::{operator.name}",
        lambda ctx, grad: differentiate(operator, ctx, grad, backward),
        setup_context=setup_context,
        lib=library,
    )


def register_fwht(operator: Function, library: torch.library.Library) -> None:
    """Register the derivative: the transform is linear and symmetric, so its own derivative, of every order."""

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.scale = inputs[1]

    torch.library.register_autograd(
        f"{library.ns}::fwht",
        lambda ctx, grad: (operator(grad, ctx.scale), None),
        setup_context=setup_context,
        lib=library,
    )


def eager_path(operator: Operator, kernel_backward: Function, backward: Function) -> Function:
    """Return a function `(*tensors, constants, backend, compute)` that calls `compute()` and has the derivatives.

    Args:
        operator: the operator that it stands for.
        kernel_backward: computes the gradients, `(backend, grad, *inputs, needs)`, in a plain eager backward pass.
        backward: the registered operator for them, for a compiled or a vectorised backward pass.
    """

    class Eager(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            *tensors, constants, backend, compute = inputs
            ctx.unsaved = leave_out(tensors[: operator.data], ctx.needs_input_grad[operator.data :])
            count = len(ctx.unsaved)
            save(ctx, (*(None,) * count, *tensors[count:]), constants)
            ctx.rule = partial(kernel_backward, backend)
            return compute()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            gradients = differentiate(operator, ctx, grad, ctx.rule if is_plain_eager((grad,)) else backward)
            return (*gradients[: operator.tensors], None, None, None)

    named: Any = type(operator.name.capitalize(), (Eager,), {})  # `grad_fn` shows its name and Backward
    apply: Function = named.apply
    return apply


def eager_fwht(kernel: Function, operator: Function) -> Function:
    """Return the function `(x, scale, backend)` without the dispatcher: its own derivative, of every order.

    Args:
        kernel: `(backend, x, scale)`.
        operator: the registered operator, for a compiled or a vectorised backward pass.
    """

    class Fwht(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, scale: float, backend: Any) -> Any:
            ctx.scale, ctx.backend = scale, backend
            return kernel(backend, x, scale)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            plain = is_plain_eager((grad,)) and not is_batched(grad)
            return (apply(grad, ctx.scale, ctx.backend) if plain else operator(grad, ctx.scale)), None, None

    apply: Function = Fwht.apply
    return apply
