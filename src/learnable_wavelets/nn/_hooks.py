"""Modules with hooks are called; others may take a shorter way."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.module import _has_any_global_hook as has_any_global_hook

from ..functional._bank import FilterBank


def has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or has_any_global_hook()  # type: ignore[no-untyped-call]
    )


def read_bank(filter: Any) -> FilterBank:
    """Call a filter module; without hooks its `forward` at once, in a third of the time."""
    bank: FilterBank = filter() if has_hooks(filter) else filter.forward()
    return bank
