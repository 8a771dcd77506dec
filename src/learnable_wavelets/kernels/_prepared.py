"""A layer in one call of C, where nothing but plain eager PyTorch on the CPU is about.

`run` reads the tensors of a layer itself, checks each at each call, allocates the result and computes. Where anything
does not fit (another device or dtype, a tensor subclass, a mode, a tracer, autocast, a forced back end, a wrong shape,
dropout) it answers `None`, and the layer takes the long way through `_dispatch`, which serves everything and has the
error messages.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn.modules import module as _module

from . import _flat, cpu
from ._autograd import is_batched, is_plain_eager, leave_out
from ._backend import BACKENDS, FORCED
from ._library import OPERATORS
from ._sandwich import INDEX, Sandwich

_CPU = torch.device("cpu")
_INDEX = 1 + INDEX  # the place of the permutation among the saved tensors
_BIAS = 4  # its place among x, B, G, S, bias and the filters

GLOBAL_HOOKS = (
    _module._global_forward_hooks,
    _module._global_forward_pre_hooks,
    _module._global_backward_hooks,
    _module._global_backward_pre_hooks,
)


class PreparedCall:
    """The part of a call that stays equal for one layer; copies and pickles start anew."""

    __slots__ = ("key", "state")

    def __init__(self) -> None:
        self.key: Any = None
        self.state: tuple[Any, Any] | None = None
        """The plan of the C and what the derivative takes; `None` where every call takes the long way."""

    def __reduce__(self) -> Any:
        return PreparedCall, ()

    def prepare(self, layer: Any, filter_type: type | None, record: Sandwich, dtype: torch.dtype) -> bool:
        """Make the plan of a layer from the operands of a call, if it may be called so; true if it is a new one.

        `dtype` is that of the parameters: the operands of half types are converted.
        """
        if not AVAILABLE or not is_plain_eager(record.tensors()):
            return False
        (kind, _, mode, level), layout, scale = record[5:]
        device, taps = record.diag_out.device, record.transform.taps
        key = (dtype, device, kind, mode, level, taps)
        if key == self.key:
            return False
        self.key, self.state = key, None
        index = layer._permutation.tensors.get(_CPU)
        if dtype not in (torch.float32, torch.float64) or device != _CPU or index is None:
            return False
        inputs, outputs, n, blocks, sum_blocks, wrap_outputs = layout
        number = HADAMARD if kind == "hadamard" else MODES[mode]
        plan = _cpu.plan(
            inputs, outputs, blocks, n, sum_blocks, wrap_outputs, number, level, taps, scale,
            index, type(layer), filter_type, mode, level,
        )  # fmt: skip
        self.state = (plan, (index, record.constants()))
        return True


class _Sandwich(torch.autograd.Function):
    """Give a computed output its derivative."""

    @staticmethod
    def forward(ctx: Any, call: tuple[Tensor, tuple[Any, Any]], x: Tensor, *operands: Tensor | None) -> Tensor:
        y, (ctx.plan, ctx.record) = call
        tensors = (x, *operands)
        tensors = (*tensors[:_INDEX], ctx.record[0], *tensors[_INDEX:])  # as the long way: a checkpoint compares
        if tensors[_BIAS + 1] is None or tensors[-1] is None:  # graph viewers take no `None` among saved tensors
            tensors = tuple([t for t in tensors if t is not None])
        ctx.unsaved = leave_out((x,), ctx.needs_input_grad[2:])
        ctx.save_for_backward(*tensors[len(ctx.unsaved) :])
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        needs, saved = ctx.needs_input_grad, ctx.saved_tensors
        if ctx.unsaved:
            saved = (ctx.unsaved[0].stand_in(), *saved)
        saved = saved[:_INDEX] + saved[_INDEX + 1 :]
        if not torch.compiler.is_compiling() and not torch.is_grad_enabled():
            found = _cpu.run_backward(ctx.plan, needs, grad, saved)
            if found is not None:
                return found
        return (None, *_long_backward(grad, list(saved), ctx.record, needs[1:]))


def _long_backward(
    grad: Tensor, tensors: list[Tensor | None], record: Any, needs: tuple[bool, ...]
) -> list[Tensor | None]:
    """Return the gradients where a compiler, a mode or a second derivative looks on."""
    if len(tensors) % 4 == 0:  # x, three diagonals and perhaps four filters, without a bias
        tensors.insert(_BIAS, None)
    tensors += [None] * (len(needs) - len(tensors))
    index, constants = record
    inputs = (*tensors[: 1 + INDEX], index, *tensors[1 + INDEX :], *constants)
    rule: Any = OPERATORS["sandwich_backward"]
    if torch.is_grad_enabled() or is_batched(grad):
        rule = _flat.reference_sandwich_backward
    elif is_plain_eager((grad,)):
        rule = partial(_flat.sandwich_backward, BACKENDS["cpu"])
    found = rule(grad, *inputs, list(needs))
    return [gradient if needed else None for gradient, needed in zip(found, needs, strict=True)]


def _bind() -> bool:
    """Give the C what it needs of torch; false where tensors are without DLPack's C protocol."""
    exchange = getattr(Tensor, "__dlpack_c_exchange_api__", None)
    if exchange is None:
        return False
    # Functions, and the object that each returns as long as nothing would see an operator called.
    quiet = (
        (torch._C._len_torch_dispatch_stack, 0),
        (partial(torch._C._dispatch_tls_is_dispatch_key_included, torch._C.DispatchKey.PreDispatch), False),
        (torch._C._are_functorch_transforms_active, False),
        (torch._C._get_tracing_state, None),
        (torch._C._is_any_autocast_enabled, False),
        (partial(getattr, forward_ad, "_current_level"), -1),
        (FORCED.get, None),
    )
    named: Any = type("Sandwich", (_Sandwich,), {})  # `grad_fn` shows its name and Backward
    # `Function.apply` unwraps what `torch.func` has left behind; the C has seen that there is nothing of it
    attach = torch._C._FunctionBase.__dict__["apply"].__get__(None, named)
    return _cpu.bind(
        Tensor, torch.nn.Parameter, exchange, torch.empty_like, Tensor.is_neg, torch.get_num_threads,
        torch.is_grad_enabled, torch.nn.functional.linear, attach, GLOBAL_HOOKS, quiet,
    )  # fmt: skip


AVAILABLE, run = False, cast(Any, None)
if cpu.AVAILABLE:
    from .cpu import _cpu
    from .cpu._calls import HADAMARD, MODES

    AVAILABLE = _bind()
    run = _cpu.run
