"""What the compiler makes of the Triton kernels for a GPU that need not be there: registers, spills, shared memory.

    python tools/triton_report.py [--arch 90]

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
from learnable_wavelets.kernels._layout import Layout
from learnable_wavelets.kernels.triton import _tiles, sandwich, sandwich_backward

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
    """Within the block, launches compile: the list gets name, compiled kernel and seconds. Results are left unset."""
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
    """Registers and bytes of spilled registers of a thread, bytes of shared memory, barriers, shuffles."""
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


def compile_layer(n: int, wavelet: str | None, level: int, dtype: torch.dtype, rows: int = 8192) -> None:
    """The operators of a square layer, forward and backward."""
    bank = [None] * 4 if wavelet is None else list(lw.FilterBank.from_wavelet(wavelet))
    mode = "hadamard" if wavelet is None else "periodization"
    x, ones = torch.empty(rows, n, dtype=dtype), torch.ones(n)
    arguments = (x, ones, torch.zeros(1, n, dtype=torch.int64), torch.ones(1, n), ones, ones, *bank)
    shape = (Layout(n, n, n, 1, True, True), mode, level)
    sandwich(*arguments, *shape)
    sandwich_backward(x, *arguments, *shape, [True] * 5 + [wavelet is not None] * 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", type=int, default=90, help="compute capability times ten")
    parser.add_argument("--sizes", default="1024,4096,8192")
    parser.add_argument("--wavelets", default="hadamard,haar,db2,db6")
    options = parser.parse_args()
    print(f"triton {triton.__version__}, compiled for sm_{options.arch}, 8192 rows, 6 levels; nothing was run")
    print("| kernel | transform | n | dtype | warps | registers | stack bytes | shared | barriers | shuffles | seconds |")
    print("|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|")
    for name in options.wavelets.split(","):
        for n in map(int, options.sizes.split(",")):
            for dtype in (torch.float32, torch.bfloat16):
                with compiled_only(options.arch) as made:
                    compile_layer(n, None if name == "hadamard" else name, 6, dtype)
                for kernel, code, seconds in made:
                    row = (kernel, name, n, str(dtype)[6:], code.metadata.num_warps, *usage(code).values())
                    print("|", " | ".join(map(str, row)), f"| {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
