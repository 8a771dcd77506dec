"""`learnable-wavelets compare`: a dense layer, a wavelet layer and no layer at all, in a minute or two."""

# ruff: noqa: RUF009  (`option` declares a field)
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from .. import _output
from .._command_line import add_options, at_least, flag, option, parse_options, parse_seeds
from . import report
from .engine import Callbacks, Record, execute
from .paper import shootout
from .spec import Case, cases, parse

if TYPE_CHECKING:
    import argparse

SHOOTOUT = shootout.EXPERIMENT
WAVELET = {"wavelet": "haar", "taps": 256, "level": 1}
LAYERS = {
    "dense": "nn.Linear(1024, 1024)",
    "wavelet": "WaveletLinear(1024, 1024), 256 taps",
    "removed": "no layer",
}
TEXT = (
    "Train three networks on the images of handwritten digits inside the package, offline: 1,024 pixels, one hidden "
    "layer, 10 digits. The hidden layer is dense, a wavelet layer, or left out."
)


@dataclass(frozen=True)
class Choices:
    """The parsed options of the command."""

    seeds: tuple[int, ...] = option((0, 1, 2), "A count (3) or a list (0,1,2; `7,` for one).", parse=parse_seeds)
    epochs: int | None = option(None, "Instead of 20.", type=at_least(int, 1))
    data: str = option("sample", "sample; full: all of MNIST; auto: full where it is at hand.")
    out: Path = option(Path("results/compare"), "Folder for results.", type=Path)
    resume: bool = flag("Go on from checkpoints.")
    overwrite: bool = flag("Train again where --out has a finished or an unfinished run.")
    threads: int | None = option(None, "CPU threads, torch's own number if not given.", type=at_least(int, 1))


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add `compare`."""
    parser = commands.add_parser("compare", help="Dense, wavelet and no layer, side by side.", description=TEXT)
    add_options(parser, Choices)
    parser.set_defaults(command=run)


def run(values: Mapping[str, Any]) -> int:
    """Train and test the three networks; show the table and draw the picture."""
    chosen = Choices(**parse_options(Choices, values))
    if chosen.threads is not None:
        torch.set_num_threads(chosen.threads)
    planned = _plan(values, chosen)
    chosen.out.mkdir(parents=True, exist_ok=True)
    console = _output.console()
    console.print(planned[0].task.source, soft_wrap=True)
    try:
        records = _train(console, planned, chosen)
    except KeyboardInterrupt:
        console.print(f"\nStopped. The finished runs are in {chosen.out / 'runs'}; --resume goes on", soft_wrap=True)
        return 130
    rows = report.summarise(records)
    table = _table(rows)
    report.draw_comparison(chosen.out / "compare.png", rows, LAYERS, _filters(records))
    _output.write_atomic(chosen.out / "table.md", _output.markdown(table))
    console.print(_output.screen(table))
    console.print(_verdict(rows), soft_wrap=True)
    console.print(f"Picture, table and runs are in {chosen.out}: compare.png, table.md, runs/", soft_wrap=True)
    return 0


def _plan(values: Mapping[str, Any], chosen: Choices) -> list[Case]:
    shared = {name: values[name] for name in ("epochs", "resume", "overwrite") if name in values}
    given = {**shared, **WAVELET, "layer": list(LAYERS), "preset": "paper", "data": chosen.data, "out": chosen.out}
    options = replace(parse(SHOOTOUT, given), seeds=chosen.seeds)
    return cases(SHOOTOUT, options, SHOOTOUT.load(options, torch.device("cpu")))


def _train(console: Console, planned: list[Case], chosen: Choices) -> list[Record]:
    """Run every case and seed under one bar; its text says which."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
    )
    records = []
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        total = sum(case.recipe().steps for case in planned) * len(chosen.seeds)
        bar, done = progress.add_task("", total=total), 0
        for seed in chosen.seeds:
            for case in planned:
                start, label = done, f"{LAYERS[case.layer]}, seed {seed}"
                progress.update(bar, description=label)

                def advance(steps: int, start: int = start) -> None:
                    progress.update(bar, completed=start + steps)

                record = execute(case, seed, callbacks=Callbacks(on_step=advance))
                console.print(f"{label}: test error {record['last']['error']:.2f} %", soft_wrap=True)
                records.append(record)
                done += case.recipe().steps
                progress.update(bar, completed=done)
    return records


def _table(rows: list[Record]) -> _output.Table:
    by_layer = {row["layer"]: row for row in rows}
    lines = [
        [title, f"{row['parameters']:,}", report.show(row["last"]["error"], ".2f"), f"{row['seconds']['mean']:.1f}"]
        for title, row in ((LAYERS[layer], by_layer[layer]) for layer in LAYERS)
    ]
    seeds = len(rows[0]["seeds"])
    spread = f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "one seed"
    header = ("hidden layer", "parameters", "test error %", "training, s")
    return _output.Table(header, lines, note=f"Parameters of the whole network; {spread}.")


def _verdict(rows: list[Record]) -> str:
    dense, wavelet = ({row["layer"]: row for row in rows}[layer] for layer in ("dense", "wavelet"))
    fewer = dense["parameters"] / wavelet["parameters"]
    errors = [report.show({**row["last"]["error"], "std": None}, ".2f") for row in (wavelet, dense)]
    return f"The wavelet layer: 1/{fewer:.0f} of the parameters; test error {errors[0]} %, dense {errors[1]} %."


def _filters(records: list[Record]) -> Record:
    """Return the first learned filter bank with its start."""
    wavelet = next(record for record in records if record["layer"] == "wavelet")
    first: Record = next(iter(wavelet["filters"].values()))
    return first
