"""All that differs between devices: clock, precision of matrix products, description, memory.

The CUDA half follows the manual and has not been measured yet.
"""

import os
import platform
import sys
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
    """A dtype, and how `torch.set_float32_matmul_precision` is set meanwhile."""

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
    """What to compare if the user does not say."""
    return ("float32", "tf32", "bfloat16") if device.type == "cuda" else ("float32",)


def precisions_on(device: torch.device) -> tuple[str, ...]:
    """The precisions that mean something on a device."""
    return tuple(name for name in PRECISIONS if name != "tf32" or device.type == "cuda")


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """The global setting for float32 matrix products, put back at the end."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(PRECISIONS[name].matmul)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def clock_for(device: torch.device) -> Clock:
    """The clock that is true on a device."""
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
    """The machine, for the record."""
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
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def peak_bytes(call: Call, device: torch.device) -> int:
    """The most that torch's allocator held during `call`, above what it held before; one call to warm up."""
    call()
    return _cuda_peak(call) if device.type == "cuda" else _cpu_peak(call)


def _cuda_peak(call: Call) -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    result = call()
    torch.cuda.synchronize()
    del result
    return torch.cuda.max_memory_allocated() - before


def _cpu_peak(call: Call) -> int:
    activities = [torch.profiler.ProfilerActivity.CPU]
    with _quiet_stderr(), torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        call()
    kineto = profile.profiler.kineto_results if profile.profiler is not None else None
    events = [] if kineto is None else [event for event in kineto.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Without what the profiler's C++ writes there at every start and stop."""
    sys.stderr.flush()
    before = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
