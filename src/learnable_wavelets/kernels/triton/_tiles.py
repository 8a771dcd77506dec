"""Choose how much a program takes on chip, by width and dtype, and the number of programs.

The figures follow from the register file (65,536 registers of 32 bits on a multiprocessor of an H100, 255 at most in a
thread) and from what the compiler reports for sm_90 (`tools/triton_report.py`); none has been tuned on a GPU yet.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

VALUES = 1024  # values in a program: short rows are taken together until it has so many, and with them two warps
EACH = 16  # of them in a thread: four bits of the index, so that Hadamard steps rarely cross threads
REGISTER_FILE = 65536
REGISTERS = {"forward": 128, "backward": 255}  # of a thread, told to the compiler: left alone it may take 32 and spill
WIDEST = {"forward": 16384, "backward": 8192}  # values of a row on chip; wider ones go in passes
MOST_WARPS = 16
MOST_SUMS = 64  # registers for the partial sums of filter gradients


class Tile(NamedTuple):
    """Rows, width up to a power of two, warps of a program, and registers of a thread."""

    R: int
    N: int
    warps: int
    registers: int


def fits(n: int, dtype: torch.dtype, direction: str) -> bool:
    """Return whether rows of n values fit on chip."""
    return n * _registers(dtype) <= WIDEST[direction]


def tile(n: int, rows: int, x: Tensor, direction: str) -> Tile:
    """Choose the tile: one row where rows are few, to spread them over the device; several where rows are short."""
    N, registers = triton.next_power_of_2(n), _registers(x.dtype)
    R = 1 if rows <= multiprocessors(x.device) else max(1, VALUES // (N * registers))
    warps = max(1, min(MOST_WARPS, R * N * registers // (32 * EACH)))
    return Tile(R, N, warps, min(REGISTERS[direction], REGISTER_FILE // (32 * warps)))


def programs(tiles: int, size: Tile, device: torch.device) -> int:
    """Return the number of programs that share the tiles in a fixed order: at most what the device holds at once."""
    return min(tiles, multiprocessors(device) * (REGISTER_FILE // (size.registers * 32 * size.warps)))


@lru_cache
def multiprocessors(device: torch.device) -> int:
    """Count the multiprocessors; 2 for the interpreter, so that its programs get several tiles each."""
    return 2 if device.type == "cpu" else torch.cuda.get_device_properties(device).multi_processor_count


def shifts(half: int) -> tuple[int, int]:
    """Return the shifts that one gather makes for 2 * half taps, and the number of turns as a power of two."""
    together = 1 if half <= 1 else 2 if half == 2 else 4
    most = half + 1 - half % 2
    return together, triton.next_power_of_2(-(-most // together))


def partial_sums(half: int, warps: int) -> int:
    """Return the number of partial sums of the gradient of a tap: one a thread, if 8 * K * C of them fit."""
    together, turns = shifts(half)
    return 32 * warps if 8 * together * turns <= MOST_SUMS else 1


def options(x: Tensor, warps: int, registers: int | None = None) -> dict[str, Any]:
    """Return the options of every launch: the dtype of the computation, the size of a program, fused multiply-add."""
    real = tl.float64 if x.dtype == torch.float64 else tl.float32
    return {"REAL": real, "num_warps": warps, "maxnreg": registers, "enable_fp_fusion": True}


def real_dtype(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def _registers(dtype: torch.dtype) -> int:
    return 2 if dtype == torch.float64 else 1
