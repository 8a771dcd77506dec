"""Everything that depends on the device: clock, precision of matrix products, description.

The CUDA half follows the manual and has not been measured yet.
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch

from ._measure import Call, Clock


class Precision(NamedTuple):
    """A dtype, and the setting of `torch.set_float32_matmul_precision` for it."""

    dtype: torch.dtype
    matmul: str = "highest"


PRECISIONS = {
    "float32": Precision(torch.float32),
    "tf32": Precision(torch.float32, "high"),  # CUDA: float32 matrix products by TensorFloat-32
    "bfloat16": Precision(torch.bfloat16),
    "float16": Precision(torch.float16),
    "float64": Precision(torch.float64),
}


def default_precisions(device: torch.device) -> tuple[str, ...]:
    """Return the precisions that are compared by default."""
    return ("float32", "tf32", "bfloat16") if device.type == "cuda" else ("float32",)


def precisions_on(device: torch.device) -> tuple[str, ...]:
    """Return the precisions that a device has."""
    return tuple(name for name in PRECISIONS if name != "tf32" or device.type == "cuda")


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Change the global setting for float32 matrix products, and restore it at the end."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(PRECISIONS[name].matmul)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def clock_for(device: torch.device) -> Clock:
    """Return the clock for a device."""
    return _cuda_clock if device.type == "cuda" else _cpu_clock


def _cpu_clock(call: Call, repeats: int) -> float:
    start = perf_counter()
    for _ in repeat(None, repeats):
        call()
    return perf_counter() - start


def _cuda_clock(call: Call, repeats: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    start.record()
    for _ in repeat(None, repeats):
        call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1000


def describe(device: torch.device) -> dict[str, Any]:
    """Describe the machine, for the record."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # Windows has none
    about: dict[str, Any] = {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "load_at_start": load,
        "threads": torch.get_num_threads(),
        "device": str(device),
    }
    if device.type == "cuda":
        about["gpu"] = torch.cuda.get_device_name(device)
        about["cuda"] = torch.version.cuda
        about["triton"] = _version("triton")
    return about


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    """Return the name of the processor; virtual machines shorten it, but not the numbers of its generation."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        first = ""
    pairs = (line.partition(":") for line in first.splitlines())
    found = {key.strip(): value.strip() for key, _, value in pairs}
    name = found.get("model name") or platform.processor() or platform.machine()
    generation = [f"{key.removeprefix('cpu ')} {found[key]}" for key in ("cpu family", "model") if key in found]
    return f"{name}, {', '.join(generation)}" if generation else name
