"""The files of a benchmark: `results.md`, `results.json` and the plots."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._output import Table, markdown, write_atomic
from ..kernels._backend import REMEDY
from . import _verdict
from ._plan import Part

NAME = "learnable_wavelets"
Results = dict[str, Any]  # `machine`, `versions`, `settings`, and the records of each part


def tables(results: Results, parts: Sequence[Part]) -> list[Table]:
    """Make every table, in the order of the parts."""
    return [table for part in parts for table in part.tables(results[part.name])]


def about(results: Results) -> str:
    """Describe the machine in one line."""
    machine, settings = results["machine"], results["settings"]
    backend = settings["backend"] or f"automatic, of {', '.join(settings['backends'])}"
    if "gpu" in machine:
        where = f"{machine['gpu']}; triton {machine['triton']}"
    else:
        where = f"{machine['cpu']} ({machine['vectors']}), {machine['threads']} threads"
    others = {name: version for name, version in results["versions"].items() if name not in ("python", NAME)}
    versions = ", ".join(f"{name} {version or '(not installed)'}" for name, version in others.items())
    line = f"{where}; {versions}; backend: {backend}."
    if ("triton" if "gpu" in machine else "cpu") not in settings["backends"]:
        line += f" No kernel is available here: the library's own times are of plain torch. {_remedy(machine)}"
    return line


def _remedy(machine: dict[str, Any]) -> str:
    if "gpu" in machine:
        return "The kernels for a GPU need Triton."
    return f"To have the kernels, {REMEDY}."


def answer(results: Results) -> list[str]:
    """Answer in one line; then name losing cases and reasons for doubt, if any."""
    load, cores = results["machine"]["load_at_start"], results["machine"]["cores"]
    lines = []
    if load is not None and cores is not None and load > 0.5 * cores:
        lines.append(
            f"The machine was busy at the start (load {load:.1f} on {cores} cores): take the figures with care."
        )
    cases, lost = _verdict.losses(results["layers"])
    if lost:
        lines.insert(0, f"No faster than the best dense product in {len(lost)} of {cases} cases: {'; '.join(lost)}.")
    return [_verdict.verdict(results["layers"]), *lines]


def write(folder: Path, results: Results, parts: Sequence[Part]) -> list[Path]:
    """Write all files; return their paths."""
    text, record = folder / "results.md", folder / "results.json"
    formatted = map(markdown, tables(results, parts))
    paragraphs = ["# learnable-wavelets bench", *answer(results), about(results), *formatted]
    write_atomic(text, "\n\n".join(paragraph.strip() for paragraph in paragraphs) + "\n")
    for part in parts:
        results = results | part.extra(results[part.name])
    write_atomic(record, json.dumps(results, indent=1, allow_nan=False) + "\n")
    return [text, record, *(path for part in parts for path in part.draw(folder, results[part.name]))]
