"""What a benchmark leaves: `results.md`, `results.json` and the plots."""

import json
from pathlib import Path
from typing import Any

from .._command_line import write_atomic
from . import _plot, _scaling, _tables, _transforms, _verdict

Results = dict[str, Any]  # the parts `layers`, `transforms`, `memory`, `scaling` (records), `machine`, `settings`


def tables(results: Results) -> list[_tables.Table]:
    """Every table, in the order of the command line's help."""
    kinds = dict.fromkeys((row["precision"], row["step"]) for row in results["layers"])
    found = [_tables.layer_table(results["layers"], step, precision) for precision, step in kinds]
    if rows := results["transforms"]:
        found += [_tables.transform_table(rows, name) for name in dict.fromkeys(row["transform"] for row in rows)]
        found.append(_tables.peer_table(_transforms.conventions()))
    if rows := results["memory"]:
        found.append(_tables.memory_table(rows))
    if rows := results["scaling"]:
        found.append(_tables.exponent_table(_scaling.exponents(rows)))
    return found


def about(results: Results) -> str:
    """The machine in one line."""
    machine, settings = results["machine"], results["settings"]
    backend = settings["backend"] or f"automatic, of {', '.join(settings['backends'])}"
    if "gpu" in machine:
        where = f"{machine['gpu']}; triton {machine['triton']}"
    else:
        where = f"{machine['cpu']} ({machine['vectors']}), {machine['threads']} threads"
    line = f"{where}; torch {results['versions']['torch']}; backend: {backend}."
    if ("triton" if "gpu" in machine else "cpu") not in settings["backends"]:
        line += " No kernel is available here: the library's own times are of plain torch."
    return line


def doubts(results: Results) -> list[str]:
    """What makes the figures doubtful, if anything does."""
    load, cores = results["machine"]["load_at_start"], results["machine"]["cores"]
    if load is None or cores is None or load <= 0.5 * cores:
        return []
    return [f"The machine was busy at the start (load {load:.1f} on {cores} cores): take the figures with care."]


def closing(results: Results) -> list[str]:
    """Doubts and losing cases, if any, and then the one line that answers."""
    cases, words = _verdict.losses(results["layers"])
    lines = [f"No faster than nn.Linear in {len(words)} of {cases} cases: {'; '.join(words)}."] if words else []
    return [*doubts(results), *lines, _verdict.verdict(results["layers"])]


def write(folder: Path, results: Results) -> list[Path]:
    """Write all files; their paths."""
    text, record = folder / "results.md", folder / "results.json"
    parts = ["# learnable-wavelets bench", about(results), *map(_tables.markdown, tables(results)), *closing(results)]
    write_atomic(text, "\n\n".join(part.strip() for part in parts) + "\n")
    if results["scaling"]:
        results = results | {"exponents": _scaling.exponents(results["scaling"])}
    write_atomic(record, json.dumps(results, indent=1, allow_nan=False) + "\n")
    return [text, record, *_plots(folder, results)]


def _plots(folder: Path, results: Results) -> list[Path]:
    made = []
    for precision in dict.fromkeys(row["precision"] for row in results["layers"]):
        rows = [row for row in results["layers"] if row["precision"] == precision]
        panels = _plot.panels_of(rows, "layer", ("step", "batch"), "{}, batch {}")
        made.append(folder / f"layers-{precision}.png")
        batches = len({row["batch"] for row in rows})
        _plot.draw(made[-1], f"Time over n, square layers, {precision}", panels, batches)
    if rows := [row for row in results["transforms"] if row["transform"] == "fwht"]:
        rows = [row | {"elements": f"{row['batch'] * row['n']:,}"} for row in rows]
        made.append(folder / "fwht.png")
        panels = _plot.panels_of(rows, "name", ("elements",), "array of {} elements")
        _plot.draw(made[-1], "Walsh-Hadamard transform: time over n", panels, 2)
    if rows := results["scaling"]:
        made.append(folder / "scaling.png")
        panels = _plot.panels_of(_per_row(rows), "layer", ("step",), "{}: one row")
        _plot.draw(made[-1], "Growth with n at a fixed number of elements", panels, 2)
    return made


def _per_row(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"seconds": {k: v / row["batch"] for k, v in row["seconds"].items()}} for row in rows]
