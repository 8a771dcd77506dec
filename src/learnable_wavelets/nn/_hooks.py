"""Modules with hooks are called; others may take a shorter way."""

from __future__ import annotations

from torch import nn

from ..kernels._prepared import GLOBAL_HOOKS


def has_hooks(module: nn.Module) -> bool:
    own = module.__dict__
    hooks = own["_forward_hooks"] or own["_forward_pre_hooks"] or own["_backward_hooks"] or own["_backward_pre_hooks"]
    return bool(hooks) or any(GLOBAL_HOOKS)
