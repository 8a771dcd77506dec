"""Checks of what users pass, once, at the public edge: each names the argument, what was expected and what came."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from operator import index
from typing import Any

import numpy as np
import pywt
import torch
from torch import Tensor

MODES: tuple[str, ...] = tuple(pywt.Modes.modes)
_MODE_NAMES: dict[Any, str] = {
    **{mode: mode for mode in MODES},
    **{getattr(pywt.Modes, mode): mode for mode in MODES},  # pywt's enumeration: plain ints
    "zpd": "zero", "cpd": "constant", "sym": "symmetric", "ppd": "periodic", "sp1": "smooth", "per": "periodization",
}  # fmt: skip
REAL_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_LAYOUTS = (torch.strided, torch.jagged)
_LARGEST = 2**48  # elements of a tensor that no machine holds, and whose size in bytes still fits 64 bits


def check_int(name: str, value: Any) -> int:
    """Return `value` as an int: all that counts as an index, numpy's integers too, but no bool.

    Sizes that a tracer left open pass through.
    """
    if isinstance(value, (int, torch.SymInt)) and not isinstance(value, bool):
        return value  # type: ignore[return-value]
    try:
        if isinstance(value, (bool, Tensor)):
            raise TypeError
        return index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be an int, got {type(value).__name__}") from None


def check_size(name: str, value: Any) -> int:
    size = check_int(name, value)
    if not 1 <= size <= _LARGEST:
        raise ValueError(f"`{name}` must be at least 1 and at most 2**48, got {size}")
    return size


def check_level(level: Any, deepest: int, reason: str) -> int:
    depth = check_int("level", level)
    if not 0 <= depth <= deepest:
        raise ValueError(f"`level` must be between 0 and {deepest} for {reason}, got {depth}")
    return depth


def check_flag(name: str, value: Any, hint: str = "") -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"`{name}` must be a bool, got {type(value).__name__}{hint}")
    return bool(value)


def check_dropout(value: Any) -> float:
    dropout = check_number("dropout", value)
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be at least 0 and less than 1, got {value}")
    return dropout


def check_number(name: str, value: Any) -> float:
    if not isinstance(value, (int, float, np.floating, np.integer)) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number, got {type(value).__name__}")
    return float(value)


def check_multiplier(name: str, value: Any) -> float:
    """Return a factor by which every dtype multiplies exactly, float16 too, whose range is 2**-14 to 2**16."""
    factor = check_number(name, value)
    if not 2**-8 <= factor <= 2**8 or math.frexp(factor)[0] != 0.5:
        raise ValueError(f"`{name}` must be a power of two between 2**-8 and 2**8, got {shown(value)}")
    return factor


def check_seed(seed: Any) -> int | None:
    return None if seed is None else check_int("seed", seed)


def check_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be a str, got {type(value).__name__}")
    return value


def check_choice(name: str, value: Any, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"`{name}` must be one of {', '.join(known)}; got {shown(value)}")
    return value


def check_dtype(dtype: Any) -> torch.dtype | None:
    if dtype is None or (isinstance(dtype, torch.dtype) and dtype in REAL_DTYPES):
        return dtype
    names = ", ".join(str(known).removeprefix("torch.") for known in REAL_DTYPES)
    raise TypeError(f"`dtype` must be one of {names}; got {shown(dtype)}")


def check_mode(mode: Any) -> str:
    """Return the long name of a signal extension mode; pywt's short names and its enumeration are taken too."""
    if isinstance(mode, (str, int)) and not isinstance(mode, bool) and mode in _MODE_NAMES:
        return _MODE_NAMES[mode]
    raise ValueError(f"`mode` must be one of {', '.join(MODES)}; got {shown(mode)}")


def check_signal(data: Any, name: str = "data") -> Tensor:
    if not isinstance(data, Tensor):
        raise TypeError(f"`{name}` must be a torch.Tensor, got {type(data).__name__}")
    if not data.is_floating_point():
        raise TypeError(f"`{name}` must be real floating point, got {data.dtype}")
    if data.layout != torch.strided or data.is_nested:
        got = "a nested one" if data.is_nested else f"layout {data.layout}"
        raise TypeError(f"`{name}` must be a dense tensor, got {got}")
    return data


def check_axis(data: Tensor, axis: Any, name: str = "data") -> int:
    """Return `axis` as an index from the end, with at least one sample along it."""
    place = check_int("axis", axis)
    if data.dim() == 0 or not -data.dim() <= place < data.dim():
        raise ValueError(f"`axis` must be an axis of `{name}` with shape {tuple(data.shape)}, got {place}")
    if data.shape[place] == 0:
        raise ValueError(f"`{name}` must have at least one sample along axis {place}, got shape {tuple(data.shape)}")
    return place if place < 0 else place - data.dim()


def check_input(input: Any, own: Tensor, name: str = "input") -> torch.dtype:
    """Check what a layer with the parameter `own` is called with; return the dtype of its products under autocast."""
    if not isinstance(input, Tensor):
        raise TypeError(f"`{name}` must be a torch.Tensor, got {type(input).__name__}")
    if input.device != own.device:
        raise ValueError(f"`{name}` must be on the layer's device {own.device}, got {input.device}")
    dtype = input.dtype
    if not dtype.is_floating_point:
        raise TypeError(f"`{name}` must be real floating point, got {dtype}")
    if input.layout not in _LAYOUTS:
        raise TypeError(f"`{name}` must be a dense tensor, got layout {input.layout}")
    kind = input.device.type
    if kind != "meta" and torch.is_autocast_enabled(kind) and torch.float64 not in (dtype, own.dtype):
        return torch.get_autocast_dtype(kind)
    if dtype != own.dtype:
        raise TypeError(f"`{name}` must have the layer's dtype {own.dtype}, got {dtype}")
    return dtype


def shown(value: Any) -> str:
    """Return `value` as one short line for an error message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{type(value).__name__} {text[:60]}..."


def nearest_names(name: str, known: Iterable[str]) -> str:
    """Return the end of an error about an unknown name: a few that look like it, or nothing."""
    nearest = get_close_matches(name.lower(), known, cutoff=0.5)
    return f"; the nearest names are {', '.join(nearest)}" if nearest else ""
