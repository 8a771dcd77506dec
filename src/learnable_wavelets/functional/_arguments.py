"""Checks of plain arguments, numbers and flags, in one wording."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np
import torch

_REAL = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_int(name: str, value: Any) -> int:
    """Whatever counts as an index, numpy's integers too, but no bool; sizes that a tracer left open pass through."""
    if isinstance(value, (int, torch.SymInt)) and not isinstance(value, bool):
        return value  # type: ignore[return-value]
    try:
        if isinstance(value, (bool, torch.Tensor)):
            raise TypeError
        return index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be an int, got {type(value).__name__}") from None


def check_flag(name: str, value: Any, hint: str = "") -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"`{name}` must be a bool, got {type(value).__name__}{hint}")
    return bool(value)


def check_dtype(dtype: torch.dtype | None) -> torch.dtype | None:
    if dtype is not None and dtype not in _REAL:
        names = ", ".join(str(known).removeprefix("torch.") for known in _REAL)
        raise TypeError(f"`dtype` must be one of {names}; got {dtype!r}")
    return dtype
