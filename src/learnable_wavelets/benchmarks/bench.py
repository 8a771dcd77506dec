"""`learnable-wavelets bench`: times of the layers against `nn.Linear`, and what else shows whether to swap."""

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import Progress

import learnable_wavelets as lw

from .._command_line import one_line_errors
from . import _device, _files, _layers, _memory, _tables, _transforms
from ._measure import Clock
from ._plan import Plan, parse_plan

_LAYERS = "With commas: fastfood, and names of discrete pywt wavelets for WaveletLinear (6 levels, periodization)."
_DTYPE = (
    f"With commas, of {', '.join(_device.PRECISIONS)}, or all; tf32 is for cuda. "
    "If not given: float32; on cuda float32,tf32,bfloat16."
)
_TRANSFORMS = "Also fwht and wavedec against other packages, where installed."


def command(
    layers: Annotated[str, typer.Option(help=_LAYERS)] = "fastfood,haar,db6",
    sizes: Annotated[str, typer.Option(help="Widths n of the square layers.")] = "256,1024,4096",
    batch: Annotated[str, typer.Option(help="Numbers of rows.")] = "1,64,1024",
    passes: Annotated[str, typer.Option(help="Of forward, training.")] = "forward,training",
    dtype: Annotated[str | None, typer.Option(help=_DTYPE)] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads, torch's own number if not given.")] = None,
    seconds: Annotated[float, typer.Option(min=0, help="For each measurement; at least five rounds.")] = 0.3,
    device: Annotated[str, typer.Option(help="Where to measure: cpu, cuda, ...")] = "cpu",
    backend: Annotated[str | None, typer.Option(help="Force one of the library's backends.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for results.md, results.json and plots.")] = Path("results/bench"),
    transforms: Annotated[bool, typer.Option("--transforms", help=_TRANSFORMS)] = False,
    memory: Annotated[bool, typer.Option("--memory", help="Also memory of a training step.")] = False,
    scaling: Annotated[bool, typer.Option("--scaling", help="Also the growth with n, 2^8 to 2^16.")] = False,
) -> None:
    """Measure whether the swap for nn.Linear is worth it on this machine, at these sizes."""
    console = Console()
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = {"transforms": transforms, "memory": memory, "scaling": scaling}
    parts = tuple(name for name, wanted in chosen.items() if wanted)
    torch.manual_seed(0)
    with one_line_errors():
        plan = parse_plan(layers, sizes, batch, passes, dtype, seconds, device, backend, parts, out)
        out.mkdir(parents=True, exist_ok=True)
    results = start(plan)
    console.print(_files.about(results), soft_wrap=True)
    try:
        with plan.on_backend():
            _run(console, plan, results)
    except KeyboardInterrupt:
        console.print("\nStopped. Nothing was written.")
        raise typer.Exit(130) from None
    with one_line_errors():
        written = _files.write(out, results)
    for table in _files.tables(results):
        console.print(_tables.screen(table))
    console.print(f"Written: {', '.join(map(str, written))}", soft_wrap=True)
    for line in _files.closing(results):
        console.print(line, soft_wrap=True)


def start(plan: Plan) -> _files.Results:
    """The record before the first measurement: machine, versions, settings, and no figures yet."""
    return {
        "machine": _device.describe(plan.device),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "learnable_wavelets": lw.__version__,
            **{peer["package"]: peer["version"] for peer in _transforms.conventions()},
        },
        "settings": {
            **{name: value for name, value in plan._asdict().items() if name != "out"},
            "device": str(plan.device),
            "backends": list(lw.kernels.available_backends()),
            "wavelet_levels": _layers.LEVEL,
        },
        "layers": [],
        "transforms": [],
        "memory": [],
        "scaling": [],
    }


def _run(console: Console, plan: Plan, results: _files.Results) -> None:
    clock = _device.clock_for(plan.device)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=plan.measurements())

        def note(what: str) -> None:
            progress.update(task, advance=1, description=what)

        _run_layers(plan, results, clock, note)
        _run_parts(plan, results, clock, note)


def _run_layers(plan: Plan, results: _files.Results, clock: Clock, note: Callable[[str], None]) -> None:
    names = (_layers.DENSE, *plan.layers)
    for case in plan.grid():
        results["layers"] += _layers.run_case(names, case, plan.device, clock, plan.seconds)
        note(f"{case.step} n = {case.n}, batch {case.batch}")
    for case in plan.scaling():
        results["scaling"] += _layers.run_case(plan.layers, case, plan.device, clock, plan.seconds)
        note(f"growth: {case.step} n = {case.n}")


def _run_parts(plan: Plan, results: _files.Results, clock: Clock, note: Callable[[str], None]) -> None:
    for case in _transforms.cases() if "transforms" in plan.parts else ():
        results["transforms"] += _transforms.run(case, plan.device, clock, plan.seconds)
        note(f"{case.transform} of {case.batch} x {case.n}")
    for precision in plan.precisions if "memory" in plan.parts else ():
        for n in plan.sizes:
            results["memory"] += _memory.run(plan.layers, n, plan.batches[-1], precision, plan.device)
            note(f"memory n = {n}")
