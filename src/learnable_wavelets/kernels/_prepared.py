"""A layer in one call of C, where nothing but plain eager PyTorch on the CPU is about.

The C reads the tensors themselves, checks each at each call, allocates the result and computes. Where anything does not
fit (another device or dtype, a tensor subclass, a mode, a tracer, autocast, a forced back end, a wrong shape) it answers
`None`, and the layer takes the long way through `_dispatch`, which serves everything and has the error messages.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import _flat, cpu
from ._autograd import is_batched, is_plain_eager
from ._backend import BACKENDS, FORCED
from ._layout import Layout
from ._library import OPERATORS
from ._sandwich import INDEX

Key = tuple[str, str, int]
_CPU = torch.device("cpu")
_BIAS = 4  # its place among x, B, G, S, bias and the filters

# Functions, and the object that each returns while a call may go to C directly.
_QUIET = (
    (torch._C._len_torch_dispatch_stack, 0),
    (partial(torch._C._dispatch_tls_is_dispatch_key_included, torch._C.DispatchKey.PreDispatch), False),
    (torch._C._are_functorch_transforms_active, False),
    (torch._C._get_tracing_state, None),
    (torch._C._is_any_autocast_enabled, False),
    (partial(getattr, forward_ad, "_current_level"), -1),
    (FORCED.get, None),
)


def _bind() -> bool:
    """Give the C what it needs of torch; false without the C, or before DLPack's C protocol (torch 2.10)."""
    exchange = getattr(Tensor, "__dlpack_c_exchange_api__", None)
    return (
        cpu.AVAILABLE
        and exchange is not None
        and _cpu.bind(
            Tensor, torch.nn.Parameter, exchange, torch.empty_like, Tensor.is_neg, torch.get_num_threads, _QUIET
        )
    )


if cpu.AVAILABLE:
    from .cpu import _cpu
    from .cpu._calls import HADAMARD, MODES

    _plan, _run, _run_backward = _cpu.plan, _cpu.run, _cpu.run_backward

AVAILABLE = _bind()


class PreparedCall:
    """The sizes of one layer, checked once. Copies and pickles of it start anew."""

    __slots__ = ("index", "key", "layout", "plan", "scale")

    def __init__(self, layout: Layout, scale: float) -> None:
        self.layout, self.scale = layout, scale
        self.key: Key | None = None
        self.plan: Any = None
        self.index: Any = None

    def __reduce__(self) -> Any:
        return PreparedCall, (self.layout, self.scale)

    def __call__(self, key: Key, permutation: Any, x: Any, *operands: Tensor | None) -> Tensor | None:
        """Return the output for x, or `None` for a call that must take the long way.

        Args:
            key: kind, mode and level of the transform.
            permutation: the `Permutation`.
            x: the input, not checked yet.
            operands: B, G, S, bias and the four filters.
        """
        if key != self.key and not self._prepare(key, permutation, operands[-1]):
            return None
        y = _run(self.plan, x, self.index, *operands)
        if y is None:
            self.key = None  # the filter may have other taps next time
            return None
        return _attach((y, self), x, *operands) if torch.is_grad_enabled() else y

    def _prepare(self, key: Key, permutation: Any, filter: Tensor | None) -> bool:
        """Check the sizes; false where no kernel takes them."""
        kind, mode, level = key
        inputs, outputs, n, blocks, sum_blocks, wrap_outputs = self.layout
        taps = 0 if filter is None else filter.numel()
        self.index = permutation.tensors.get(_CPU)
        mode_number = HADAMARD if kind == "hadamard" else MODES[mode]
        try:
            self.plan = _plan(
                inputs, outputs, blocks, n, sum_blocks, wrap_outputs, mode_number, level, taps, self.scale
            )
        except ValueError:
            return False
        self.key = key if self.index is not None else None
        return self.index is not None

    def constants(self) -> tuple[Any, ...]:
        """Return the numbers of the call in the order of `CONSTANTS`."""
        return (*self.key, self.layout, self.scale)  # type: ignore[misc]


class Sandwich(torch.autograd.Function):
    """Give a computed output its derivative; `grad_fn` shows the name of the class and `Backward`."""

    @staticmethod
    def forward(ctx: Any, call: tuple[Tensor, PreparedCall], *tensors: Tensor | None) -> Tensor:
        y, ctx.call = call
        if tensors[_BIAS] is None or tensors[-1] is None:  # graph viewers take no `None` among saved tensors
            tensors = tuple([t for t in tensors if t is not None])
        ctx.save_for_backward(*tensors)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        call, needs, saved = ctx.call, ctx.needs_input_grad, ctx.saved_tensors
        if not torch.compiler.is_compiling() and not torch.is_grad_enabled():
            found = _run_backward(call.plan, needs, grad, call.index, saved)
            if found is not None:
                return found
        return (None, *_long_backward(grad, list(saved), call, needs[1:]))


def _long_backward(
    grad: Tensor, tensors: list[Tensor | None], call: PreparedCall, needs: tuple[bool, ...]
) -> list[Tensor | None]:
    """Return the gradients where a compiler, a mode or a second derivative looks on."""
    if len(tensors) % 4 == 0:
        tensors.insert(_BIAS, None)
    tensors += [None] * (len(needs) - len(tensors))
    inputs = (*tensors[: 1 + INDEX], call.index, *tensors[1 + INDEX :], *call.constants())
    rule: Any = OPERATORS["sandwich_backward"]
    if torch.is_grad_enabled() or is_batched(grad):
        rule = _flat.reference_sandwich_backward
    elif is_plain_eager((grad,)):
        rule = partial(_flat.sandwich_backward, BACKENDS["cpu"])
    found = rule(grad, *inputs, list(needs))
    return [gradient if needed else None for gradient, needed in zip(found, needs, strict=True)]


# `Function.apply` unwraps what `torch.func` has left behind; here the C has seen that there is nothing of it.
_attach = torch._C._FunctionBase.__dict__["apply"].__get__(None, Sandwich)
