"""Modules with hooks are called; others may take a shorter way."""

from __future__ import annotations

from torch import nn
from torch.nn.modules import module as _module

# As `torch.nn.modules.module._has_any_global_hook`, which takes as long as a kernel on a short row.
_BACKWARD, _FORWARD = _module._global_backward_hooks, _module._global_forward_hooks
_PRE_BACKWARD, _PRE_FORWARD = _module._global_backward_pre_hooks, _module._global_forward_pre_hooks


def has_hooks(module: nn.Module) -> bool:
    own = module.__dict__
    return bool(
        own["_forward_hooks"]
        or own["_forward_pre_hooks"]
        or own["_backward_hooks"]
        or own["_backward_pre_hooks"]
        or _FORWARD
        or _PRE_FORWARD
        or _BACKWARD
        or _PRE_BACKWARD
    )
