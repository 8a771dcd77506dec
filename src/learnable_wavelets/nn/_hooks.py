"""Modules with hooks are called; others may take a shorter way."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.module import _has_any_global_hook as has_any_global_hook


def has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or has_any_global_hook()  # type: ignore[no-untyped-call]
    )
