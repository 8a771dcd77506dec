"""Report registers, spills and shared memory of the compiled Triton kernels, for a GPU that need not be there.

    python tools/triton_report.py                 # a table of both layers
    python tools/triton_report.py --check         # only: does every kernel compile, in every variant and dtype?

Layers are called as usual; every kernel that they would launch is compiled and described instead. Nothing is measured
here. `TRITON_INTERPRET` must not be set.
"""

import argparse
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

import learnable_wavelets as lw
from learnable_wavelets.kernels import triton as kernels
from learnable_wavelets.kernels._layout import Layout
from learnable_wavelets.kernels._sandwich import HADAMARD, Sandwich, Transform
from learnable_wavelets.kernels.triton import _tiles

TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"


class Absent:
    """A driver without a device."""

    def __init__(self, arch: int) -> None:
        self.arch = arch

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.arch, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


@contextmanager
def compiled_only(arch: int = 90, multiprocessors: int = 132) -> Iterator[list[tuple[str, Any, float]]]:
    """Compile in place of launches, within the block: the list gets name, kernel and seconds; results stay unset."""
    made: list[tuple[str, Any, float]] = []
    run, count, driver = JITFunction.run, _tiles.multiprocessors, triton.runtime.driver
    before = driver._active

    def compile_it(self: Any, *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        kernel = run(self, *args, **{**kwargs, "warmup": True})
        made.append((self.fn.__name__, kernel, time.perf_counter() - start))
        return kernel

    driver.set_active(Absent(arch))
    JITFunction.run, _tiles.multiprocessors = compile_it, lambda device: multiprocessors
    try:
        yield made
    finally:
        JITFunction.run, _tiles.multiprocessors = run, count
        driver._active = before


def usage(kernel: Any) -> dict[str, int]:
    """Return registers and bytes of spilled registers of a thread, bytes of shared memory, barriers, shuffles."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(kernel.asm["cubin"])
        file.flush()
        command = [TOOLS / "cuobjdump", "--dump-resource-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", text)}
    ptx = kernel.asm["ptx"]
    return {
        "registers": found["REG"],
        "stack": found["STACK"],
        "shared": kernel.metadata.shared,
        "barriers": ptx.count("bar.sync"),
        "shuffles": ptx.count("shfl.sync"),
    }


def compile_layer(layout: Layout, wavelet: str | None, level: int, dtype: torch.dtype, rows: int = 8192) -> None:
    """Compile the operators of a layer, forward and backward."""
    real = torch.float64 if dtype == torch.float64 else torch.float32
    bank = () if wavelet is None else tuple(lw.FilterBank.from_wavelet(wavelet, dtype=real))
    x, grad = (torch.empty(rows, size, dtype=dtype) for size in (layout.in_features, layout.out_features))
    middle, last = torch.ones(layout.blocks, layout.n, dtype=real), torch.ones(layout.out_features, dtype=real)
    permutation = torch.arange(layout.n).expand(layout.blocks, -1)
    first = torch.ones(layout.diag_in_shape, dtype=real)
    transform = HADAMARD if wavelet is None else Transform("wavelet", bank, "periodization", level)
    operands = Sandwich(first, permutation, middle, last, last, transform, layout, scale=64.0)
    kernels.sandwich(x, operands)
    kernels.sandwich_backward(grad, x, operands, [True] * 5 + [wavelet is not None] * 4)


def compile_transforms(n: int, wavelet: str, level: int, dtype: torch.dtype) -> None:
    bank = lw.FilterBank.from_wavelet(wavelet, dtype=dtype)
    x = torch.empty(64, n, dtype=dtype)
    for name, filters, size in (("wavedec", bank[:2], ()), ("waverec", bank[2:], (n,))):
        getattr(kernels, name)(x, *filters, *size, "periodization", level)
        getattr(kernels, f"{name}_backward")(x, x, *filters, *size, "periodization", level, [True] * 3)
        getattr(kernels, f"{name}_backward")(x, x, *filters, *size, "periodization", level, [True, False, False])


def check(arch: int) -> int:
    """Compile every kernel in its variants; return their number."""
    square = Layout(48, 48, 48, 1, False, True)
    with compiled_only(arch) as made:
        for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
            kernels.fwht(torch.empty(64, 256, dtype=dtype), 1.0)
            kernels.fwht(torch.empty(2, 1 << 15, dtype=dtype), 1.0)  # in passes
            compile_layer(square._replace(in_features=64, out_features=64, n=64), None, 0, dtype, 200)
            compile_layer(square, "db2", 2, dtype, 200)
        for layout in (
            Layout(61, 100, 64, 2, False, True),  # the surplus of the last block goes to the first
            Layout(61, 20, 64, 1, False, True),  # wrapped within one block
            Layout(150, 60, 64, 3, True, True),  # blocks are summed
        ):
            compile_layer(layout, None, 0, torch.float32, 200)
            compile_layer(layout, "bior2.2", 1, torch.float32, 200)
        for dtype in (torch.float32, torch.float64):
            compile_transforms(48, "db2", 2, dtype)
            compile_transforms(1 << 15, "haar", 1, dtype)  # in passes
    return len(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", type=int, default=90, help="compute capability times ten")
    parser.add_argument("--sizes", default="1024,4096,8192")
    parser.add_argument("--wavelets", default="hadamard,haar,db2,db6")
    parser.add_argument("--check", action="store_true", help="compile every variant at small sizes; no table")
    options = parser.parse_args()
    if options.check:
        print(f"{check(options.arch)} launches compiled for sm_{options.arch} by triton {triton.__version__}")
        return
    print(f"triton {triton.__version__}, compiled for sm_{options.arch}, 8192 rows, 6 levels; nothing was run")
    print("| kernel | transform | n | dtype | warps | registers | stack bytes | shared | barriers", end="")
    print(" | shuffles | seconds |")
    print("|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|")
    for name in options.wavelets.split(","):
        for n in map(int, options.sizes.split(",")):
            for dtype in (torch.float32, torch.bfloat16):
                with compiled_only(options.arch) as made:
                    compile_layer(Layout(n, n, n, 1, False, True), None if name == "hadamard" else name, 6, dtype)
                for kernel, code, seconds in made:
                    row = (kernel, name, n, str(dtype)[6:], code.metadata.num_warps, *usage(code).values())
                    print("|", " | ".join(map(str, row)), f"| {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
