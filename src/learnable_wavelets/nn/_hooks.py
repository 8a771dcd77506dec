"""Modules with hooks are called; others may take a shorter way."""

from __future__ import annotations

from torch import nn
from torch.nn.modules import module as modules

# dicts that torch fills in place; the function that looks at them all came after torch 2.6
_GLOBAL = (
    modules._global_backward_pre_hooks,
    modules._global_backward_hooks,
    modules._global_forward_pre_hooks,
    modules._global_forward_hooks,
)


def has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or any(_GLOBAL)
    )
