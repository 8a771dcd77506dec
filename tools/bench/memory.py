"""Memory of a training step: bytes kept for the backward pass, and the peak of the whole step."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from learnable_wavelets._output import Table
from learnable_wavelets.benchmarks._device import PRECISIONS
from learnable_wavelets.benchmarks._layers import DENSE, Record, make_layer, training_step
from learnable_wavelets.benchmarks._measure import Call, Clock
from learnable_wavelets.benchmarks._plan import Part, Plan
from learnable_wavelets.benchmarks._verdict import factor

COUNTED = (
    "Kept: storages that autograd saves in the forward pass, each once, without parameters and buffers; the input x is "
    "among them. Peak: the most that torch's allocator held during forward and backward above what was there before "
    "(x, parameters), gradients included; scratch memory that a C kernel takes for itself is not seen."
)


def kept_bytes(layer: nn.Module, x: Tensor) -> int:
    """Count the bytes of the distinct storages that the forward pass saves, without the layer's own tensors."""
    own = {t.untyped_storage().data_ptr() for t in (*layer.parameters(), *layer.buffers())}
    saved: dict[int, Tensor] = {}  # the tensors too, so that no address is reused

    def pack(tensor: Tensor) -> Tensor:
        saved.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(x.detach().requires_grad_())
    return sum(tensor.untyped_storage().nbytes() for address, tensor in saved.items() if address not in own)


def run(case: tuple[int, str], plan: Plan, clock: Clock) -> list[Record]:
    """Make a record for each layer, with ratios to `nn.Linear`."""
    n, precision = case
    dtype, batch = PRECISIONS[precision].dtype, plan.batch[-1]
    x = torch.randn(batch, n, device=plan.device, dtype=dtype)
    rows: list[Record] = []
    for name in dict.fromkeys((DENSE, *plan.layers)):
        layer = make_layer(name, n, plan.device, dtype)
        kept, peak = kept_bytes(layer, x), peak_bytes(training_step(layer, x), plan.device)
        rows.append({"layer": name, "precision": precision, "n": n, "batch": batch, "kept": kept, "peak": peak})
    for row in rows:
        row["kept_ratio"], row["peak_ratio"] = row["kept"] / rows[0]["kept"], row["peak"] / rows[0]["peak"]
    return rows


def tables(rows: list[Record]) -> list[Table]:
    header = ("n", "batch", "layer", "kept for backward", f"it / {DENSE}", "peak of the step", f"it / {DENSE}")
    cells = [
        (str(row["n"]), str(row["batch"]), row["layer"],
         size(row["kept"]), factor(row["kept_ratio"]), size(row["peak"]), factor(row["peak_ratio"]))
        for row in rows
    ]  # fmt: skip
    precisions = ", ".join(dict.fromkeys(row["precision"] for row in rows))
    return [Table(header, cells, f"Memory of a training step, {precisions}", COUNTED, left=2)]


def size(count: float) -> str:
    """Format bytes with a suitable unit."""
    unit, scale = next(((u, s) for u, s in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)) if count >= s), ("B", 1))
    return f"{count / scale:.{0 if scale == 1 else 1}f} {unit}"


def peak_bytes(call: Call, device: torch.device) -> int:
    """Return the peak of torch's allocator during `call`, above its level before; one call warms up."""
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
    """Silence the profiler's C++, which writes to stderr at every start and stop."""
    sys.stderr.flush()
    before = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


PART = Part(
    name="memory",
    help="Also memory of a training step.",
    cases=lambda plan: [(n, precision) for precision in plan.dtype for n in plan.sizes],
    label=lambda case: f"memory n = {case[0]}",
    run=run,
    tables=tables,
)
