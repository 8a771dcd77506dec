"""The commands `learnable-wavelets reproduce NAME` and `table FOLDER`: every layer, every seed, one table."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.progress import Progress

from .. import _output
from .._command_line import add_options, parse_device, parse_names
from . import conversion, report
from .engine import Callbacks, Ranks, Record, execute, local_device, process_group, stored_rate, tuned
from .paper import EXPERIMENTS
from .spec import EVERY, Case, Experiment, Options, Run, Task, cases, parse

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

OUT = Path("results")
SHARED = tuple(name for name in EXPERIMENTS[0].layers if all(name in other.layers for other in EXPERIMENTS))


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add `reproduce NAME` for each experiment, `reproduce all` and `table`."""
    reproduce = commands.add_parser("reproduce", help="Repeat an experiment of the paper.")
    names = reproduce.add_subparsers(metavar="NAME", required=True)
    for experiment in EXPERIMENTS:
        parser = names.add_parser(experiment.name, help=experiment.help, description=experiment.help)
        rate = experiment.lr_multiplier
        texts = {
            "layers": ", ".join(experiment.layers),
            "default": ", ".join(experiment.default_layers),
            "quick": experiment.quick,
            "paper": experiment.full,
            "multiplier": "1" if rate == 1 else f"{rate:g} for layers of the library, else 1",
            "taps": "" if experiment.taps is None else f" Under ours {experiment.taps}, if its start is not chosen.",
        }
        defaults = {"out": str(OUT / experiment.name), "seeds": "1", **experiment.defaults}
        add_options(parser, Options, experiment.names, texts, defaults)
        parser.set_defaults(command=partial(run_experiment, experiment))
    help = f"All of {', '.join(experiment.name for experiment in EXPERIMENTS)}, each into a folder below --out."
    parser = names.add_parser("all", help=help, description=help)
    texts = {"layers": ", ".join(SHARED), "default": "each experiment's own", "quick": "short", "paper": "published"}
    add_options(parser, Options, EVERY, texts, {"out": str(OUT), "seeds": "1"})
    parser.set_defaults(command=run_all)
    conversion.add_command(names)
    parser = commands.add_parser("table", help="Make table and pictures anew.", description=report.table.__doc__)
    parser.add_argument("folder", type=Path, help="A results folder, as given to --out.")
    parser.set_defaults(command=lambda values: report.table(**values))


def run_all(values: Mapping[str, Any]) -> int:
    """Run one experiment after the other, each into its own folder, until one is interrupted."""
    values = dict(values)
    if "layer" in values:
        values["layer"] = list(parse_names("layer", values["layer"], SHARED))
    out = values.pop("out", OUT)
    each = (run_experiment(experiment, {**values, "out": out / experiment.name}) for experiment in EXPERIMENTS)
    return next(filter(None, each), 0)


def run_experiment(experiment: Experiment, values: Mapping[str, Any]) -> int:
    """Train and test every case; show one table; return the exit status."""
    options = parse(experiment, {"out": OUT / experiment.name, **values})
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    device = local_device(parse_device(options.device))
    options = replace(options, device=str(device))
    task = experiment.load(options, device)
    _check_tuning(options, task)
    if options.tensorboard:
        report.check_tensorboard()
    planned = cases(experiment, options, task)
    for case in planned:  # a wrong choice must fail now, not after the first layer's hour
        case.settings()
    if not options.tune:
        planned = [stored_rate(case, options.out) for case in planned]
    options.out.mkdir(parents=True, exist_ok=True)
    with process_group(device) as ranks:
        console = _output.console(quiet=not ranks.writes)
        _announce(console, planned)
        try:
            records = list(_run_cases(console, planned, ranks))
        except KeyboardInterrupt:
            runs = options.out / "runs"
            console.print(f"\nStopped. The finished epochs are in {runs}; --resume goes on", soft_wrap=True)
            return 130
        if ranks.writes:
            report.write_all(options.out)
            for screen in report.screen_tables(report.summarise(records)):
                console.print(screen)
            console.print(f"Table and pictures of all runs so far: {options.out / 'table.md'}", soft_wrap=True)
    return 0


def _check_tuning(options: Options, task: Task) -> None:
    if options.tune and options.learning_rate is not None:
        raise ValueError(f"--tune chooses the learning rate, got --learning-rate {options.learning_rate:g} as well")
    if options.tune and not task.parts("validation"):
        raise ValueError("--tune chooses on held-out images, got --validation 0")


def _announce(console: "Console", planned: list[Case]) -> None:
    recipe = planned[0].recipe()
    console.print(planned[0].task.source, soft_wrap=True)
    rates = sorted({case.recipe().learning_rate for case in planned})
    rate = f"rate {rates[0]:g}" if len(rates) == 1 else f"rate {rates[0]:g} to {rates[-1]:g} by layer"
    if planned[0].options.tune:
        rate = "the rate that --tune chooses"
    how = f"{recipe.optimizer}, {rate}, {recipe.schedule}, batch {recipe.batch}"
    console.print(f"Epochs: {recipe.epochs} of {recipe.interval} steps; {how}", soft_wrap=True)


def _run_cases(console: "Console", planned: list[Case], ranks: Ranks) -> Iterator[Record]:
    options = planned[0].options
    with Progress(console=console, disable=not console.is_terminal) as progress:
        for case in planned:
            if options.tune:
                run = partial(_run_one, progress, ranks, options.out / "tuning", False)
                case = tuned(case, options.out, options.overwrite, ranks, run)
            for seed in options.seeds:
                yield _run_one(progress, ranks, options.out, True, case, seed)


def _run_one(progress: Progress, ranks: Ranks, out: Path, test: bool, case: Case, seed: int) -> Record:
    case = replace(case, options=replace(case.options, out=out))
    with _progress_bar(progress, case.run(seed), case.recipe().steps, ranks) as callbacks, ExitStack() as stack:
        if test and case.options.tensorboard:
            folder = out / "tensorboard" / case.run(seed).name
            writes = stack.enter_context(report.event_files(folder, case.options.overwrite))
            callbacks = replace(callbacks, on_network=writes)
        record = execute(case, seed, ranks, callbacks, test)
    if ranks.writes:
        report.draw_filters(out, record)
    return record


@contextmanager
def _progress_bar(progress: Progress, run: Run, steps: int, ranks: Ranks) -> Iterator[Callbacks]:
    label = ", ".join(part for part in (run.layer, run.settings, f"seed {run.seed}") if part)
    console = progress.console
    if console.is_terminal:
        console.print(label, soft_wrap=True)
    bar = progress.add_task(f"seed {run.seed}", total=steps, visible=ranks.writes)

    def on_epoch(record: Record) -> None:
        metrics = _metrics(record)
        progress.update(bar, description=f"seed {run.seed}: {metrics[0]}")  # short, to leave room for the bar
        if not console.is_terminal:  # a log file shows no bar until the end
            line = f"{label}: epoch {record['epoch']} of {run.epochs}, {', '.join(metrics)}"
            console.print(line, soft_wrap=True)

    def on_finished(path: Path) -> None:
        progress.update(bar, completed=steps)
        console.print(f"{label}: finished before, {path}; --overwrite trains again", soft_wrap=True)

    yield Callbacks(lambda done: progress.update(bar, completed=done), on_epoch, on_finished=on_finished)


def _metrics(record: Record) -> list[str]:
    """Format the metrics of the validation split, or the training loss."""
    values = [(metric, record.get(f"validation_{name}")) for name, metric in report.METRICS.items()]
    metrics = [f"{metric.title} {value:{metric.format}}" for metric, value in values if value is not None]
    return [f"validation {metrics[0]}", *metrics[1:]] if metrics else [f"training loss {record['train_loss']:.4f}"]
