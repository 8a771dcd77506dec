"""`learnable-wavelets bench`: times of the layers against `nn.Linear`."""

import platform
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import torch
from rich.progress import Progress

import learnable_wavelets as lw

from .. import _output
from .._command_line import add_options, first_line
from . import _device, _files, _layers, _plot, _tables
from ._plan import Part, Plan, parse_plan

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

HELP = "Measure if replacing nn.Linear pays on this machine, at these sizes."
LAYERS = Part(
    name="layers",
    cases=lambda plan: [_layers.Case(*point) for point in product(plan.passes, plan.dtype, plan.sizes, plan.batch)],
    label=lambda case: f"{case.step} n = {case.n}, batch {case.batch}",
    run=lambda case, plan, clock: _layers.run_case(
        (_layers.DENSE, *plan.layers), case, plan.device, clock, plan.seconds
    ),
    tables=_tables.layer_tables,
    draw=_plot.draw_layers,
)


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add `bench`."""
    parser = commands.add_parser("bench", help=HELP, description=HELP)
    add_options(parser, Plan)
    parser.set_defaults(command=partial(run, parts=(LAYERS,)))


def run(values: Mapping[str, Any], parts: Sequence[Part]) -> int:
    """Measure the parts, write the files, answer and show the tables; return the exit status.

    Raises:
        ValueError: an option is wrong, or a case does not run here; the others are measured, written and shown first.
    """
    console = _output.console()
    if "threads" in values:
        torch.set_num_threads(values["threads"])
    torch.manual_seed(0)
    plan = parse_plan(values)
    plan.out.mkdir(parents=True, exist_ok=True)
    results = start(plan, parts)
    console.print(_files.about(results), soft_wrap=True)
    try:
        with plan.on_backend():
            failures = _measure(console, plan, results, parts)
    except KeyboardInterrupt:
        console.print("\nStopped. Nothing was written.")
        return 130
    failed = f"not measured: {'; '.join(failures)}"
    if failures and not all(results[part.name] for part in parts):
        raise ValueError(f"{failed}; nothing was written")
    written = _files.write(plan.out, results, parts)
    for line in _files.answer(results):
        console.print(line, soft_wrap=True)
    for table in _files.tables(results, parts):
        console.print(_output.screen(table))
    console.print(f"Written: {', '.join(map(str, written))}", soft_wrap=True)
    if failures:
        raise ValueError(failed)
    return 0


def start(plan: Plan, parts: Sequence[Part]) -> _files.Results:
    """Make the record before the first measurement: machine, versions, settings."""
    return {
        "machine": _device.describe(plan.device),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "learnable_wavelets": lw.__version__,
            **{package: version for part in parts for package, version in part.versions().items()},
        },
        "settings": {
            "layers": plan.layers,
            "sizes": plan.sizes,
            "batches": plan.batch,
            "steps": plan.passes,
            "precisions": plan.dtype,
            "seconds": plan.seconds,
            "device": str(plan.device),
            "backend": plan.backend,
            "parts": [part.name for part in parts if part is not LAYERS],
            "backends": list(lw.kernels.available_backends()),
            "wavelet_levels": _layers.LEVEL,
        },
        **{part.name: [] for part in parts},
    }


def _measure(console: "Console", plan: Plan, results: _files.Results, parts: Sequence[Part]) -> list[str]:
    """Add the records to the results; return which cases did not run, and why, as one that does not fit the memory."""
    failures = []
    clock = _device.clock_for(plan.device)
    work = [(part, case) for part in parts for case in part.cases(plan)]
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("", total=len(work))
        for part, case in work:
            try:
                results[part.name] += part.run(case, plan, clock)
            except (RuntimeError, MemoryError) as error:
                failures.append(f"{part.label(case)}: {first_line(error)}")
            progress.update(bar, advance=1, description=part.label(case))
    return failures
