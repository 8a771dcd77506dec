"""Derivatives of the kernels: of first order by kernels that recompute from x, of second order by the reference.

There are two ways into the same rules. A registered operator is what compilers, exporters, dispatch modes and tensor
subclasses see. Where nobody looks, in an ordinary eager step, `direct` calls the kernel itself under a plain
`autograd.Function`: dispatching to an operator that was registered from Python, and its Python autograd, cost several
times what the kernel costs on a few rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from . import reference
from ._precision import full_precision

Kernel = Callable[..., Any]
_PLAIN = frozenset((Tensor, torch.nn.Parameter))


def nobody_looks(*tensors: Any) -> bool:
    """Whether no compiler, tracer, mode, transform or tensor subclass would see an operator called on these.

    Nor may a tensor be a view with its sign pending, which the dispatcher would make real first.
    """
    present = [t for t in tensors if t is not None]
    return (
        not torch.compiler.is_compiling()
        and torch._C._len_torch_dispatch_stack() == 0  # no mode that counts, fakes or traces
        and torch._ops._len_torch_dispatch_stack_pre_dispatch() == 0  # type: ignore[no-untyped-call]
        and not torch._C._are_functorch_transforms_active()
        and torch._C._get_tracing_state() is None
        and _PLAIN.issuperset(map(type, present))  # by map: a loop here would cost as much as a kernel on one row
        and not any(map(Tensor.is_neg, present))
    )


# --- references in the form of the operators


def _wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> Tensor:
    return torch.cat(reference.analyse(x, lo, hi, mode, level), dim=-1)


def _waverec(packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor:
    lengths = list(reference.coeff_lengths(n, lo.shape[0], mode, level))
    x = reference.synthesise(torch.split(packed, lengths, dim=-1), lo, hi, mode)
    assert x is not None  # every coefficient is there
    return x[..., :n]


def _sandwich(*args: Any) -> Tensor:
    x, diag_in, permutation, diag_mid, diag_out, bias, *bank, layout, mode, level = args
    return reference.sandwich(x, diag_in, permutation, diag_mid, diag_out, bias, bank, layout, mode, level)


_TWINS: dict[str, Callable[..., Tensor]] = {
    "wavedec": _wavedec,
    "waverec": _waverec,
    "sandwich": _sandwich,
}
# Which inputs of an operator have a derivative.
_PLACES: dict[str, tuple[int, ...]] = {
    "wavedec": (0, 1, 2),
    "waverec": (0, 1, 2),
    "sandwich": (0, 1, 3, 4, 5, 6, 7, 8, 9),
}


# --- the rules


def save(ctx: Any, inputs: Sequence[Any], output: Any = None) -> None:
    """Keep the inputs, and nothing else, for the backward pass."""
    ctx.save_for_backward(*(v if isinstance(v, Tensor) else None for v in inputs))
    ctx.constants = tuple(None if isinstance(v, Tensor) else v for v in inputs)


def differentiate(name: str, ctx: Any, grad: Tensor, backward: Kernel) -> tuple[Tensor | None, ...]:
    """The gradient of every input of operator `name`, from `backward(grad, *inputs, needs)`."""
    inputs = [c if t is None else t for t, c in zip(ctx.saved_tensors, ctx.constants, strict=True)]
    places = _PLACES[name]
    needs = [bool(ctx.needs_input_grad[place]) for place in places]
    wanted = [place for place, needed in zip(places, needs, strict=True) if needed]
    if torch.is_grad_enabled() or _is_batch(grad):  # create_graph=True: to be differentiated once more
        grads = _twin_gradients(name, inputs, wanted, grad)
    else:
        found = dict(zip(places, backward(grad, *inputs, needs), strict=True))
        grads = {place: found[place] for place in wanted}
    return tuple(grads.get(place) for place in range(len(inputs)))


def _twin_gradients(name: str, inputs: list[Any], wanted: list[int], grad: Tensor) -> dict[int, Tensor]:
    leaves, twice = [inputs[place] for place in wanted], torch.is_grad_enabled()
    with full_precision(grad):
        with torch.enable_grad():
            y = _TWINS[name](*inputs)
        # at level 0 the filters have no effect: zeros
        found = torch.autograd.grad(y, leaves, grad, create_graph=twice, allow_unused=True, materialize_grads=True)
    return dict(zip(wanted, found, strict=True))


def _is_batch(tensor: Tensor) -> bool:
    """Whether it stands for several, under `vmap` or `is_grads_batched=True`."""
    functorch = torch._C._functorch
    return functorch.is_legacy_batchedtensor(tensor) or functorch.is_batchedtensor(tensor)


def register(name: str, backward: Kernel, library: torch.library.Library) -> None:
    """Give the operator of this name its derivatives; `backward` is the operator for them."""
    torch.library.register_autograd(
        f"{library.ns}::{name}",
        lambda ctx, grad: differentiate(name, ctx, grad, backward),
        setup_context=save,
        lib=library,
    )


def register_fwht(operator: Kernel, library: torch.library.Library) -> None:
    """The transform is linear and symmetric: its own derivative, of every order."""

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.scale = inputs[1]

    torch.library.register_autograd(
        f"{library.ns}::fwht",
        lambda ctx, grad: (operator(grad, ctx.scale), None),
        setup_context=setup_context,
        lib=library,
    )


def direct(name: str, kernel: Kernel, kernel_backward: Kernel, backward: Kernel) -> Kernel:
    """`kernel` with the derivatives of operator `name` and without the dispatcher, for calls where `nobody_looks`.

    Args:
        name: the operator.
        kernel: computes the output.
        kernel_backward: computes the gradients where nobody looks at the backward pass either.
        backward: the operator for them, where somebody does: a compiled or a vectorised backward pass.
    """

    class Direct(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            save(ctx, inputs)
            return kernel(*inputs)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            return differentiate(name, ctx, grad, kernel_backward if nobody_looks(grad) else backward)

    named: Any = type(name.capitalize(), (Direct,), {})  # what a user sees as `grad_fn` is its name and Backward

    def call(*inputs: Any) -> Any:
        return named.apply(*inputs) if torch.is_grad_enabled() else kernel(*inputs)

    return call


def direct_fwht(kernel: Kernel, operator: Kernel) -> Kernel:
    """`direct` for the Walsh-Hadamard transform."""

    class Direct(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, scale: float) -> Any:
            ctx.scale = scale
            return kernel(x, scale)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            return (call if nobody_looks(grad) else operator)(grad, ctx.scale), None

    def call(x: Tensor, scale: float) -> Any:
        return Direct.apply(x, scale) if torch.is_grad_enabled() else kernel(x, scale)  # type: ignore[no-untyped-call]

    return call
