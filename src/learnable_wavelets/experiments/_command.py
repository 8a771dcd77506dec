"""The command `learnable-wavelets reproduce NAME`: every layer, every seed, one table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import typer
from rich.console import Console
from rich.progress import Progress

from .._command_line import one_line_errors, parse_device, parse_names
from . import _report
from ._experiment import Case, Experiment, cases, parse
from ._options import Choices, make_command
from ._ranks import Ranks, local_device, process_group
from ._results import METRICS, Record, summarise
from ._run import Keeping, Run, Watch, execute
from ._task import Task
from ._tuning import tuned, with_kept_rate


def command(experiment: Experiment) -> Callable[..., None]:
    """The function that `learnable-wavelets reproduce` runs."""

    def reproduce(**values: Any) -> None:
        run_experiment(experiment, values)

    words = {
        "layers": ", ".join(experiment.layers),
        "default": ", ".join(experiment.default_layers),
        "quick": experiment.quick,
        "paper": experiment.full,
        "taps": "" if experiment.taps is None else f" Under ours {experiment.taps}, if its start is not chosen.",
    }
    defaults = {"out": Path("results") / experiment.name, **experiment.defaults}
    return make_command(reproduce, experiment.names, words, experiment.help, defaults)


def run_experiment(experiment: Experiment, values: dict[str, Any]) -> None:
    """Train and test every case; show one table."""
    with one_line_errors():
        choices = parse(experiment, values)
        if choices.threads is not None:
            torch.set_num_threads(choices.threads)
        device = local_device(parse_device(choices.device))
        choices = replace(choices, device=str(device))
        task = experiment.load(choices, device)
        _check_tuning(choices, task)
        planned = cases(experiment, choices, task)
        for case in planned:  # a wrong choice is to fail now, not after the first layer's hour
            case.network(0)
        if not choices.tune:
            planned = [with_kept_rate(case, choices.out) for case in planned]
        choices.out.mkdir(parents=True, exist_ok=True)
    with process_group(device) as ranks:
        console = Console(quiet=not ranks.writes)
        _announce(console, planned)
        try:
            records = list(_run_all(console, planned, ranks))
        except KeyboardInterrupt:
            where = choices.out / "runs"
            console.print(f"\nStopped. The finished epochs are in {where}; --resume goes on", soft_wrap=True)
            raise typer.Exit(130) from None
        if ranks.writes:
            with one_line_errors():
                _report.write_all(choices.out)
            for screen in _report.screen_tables(summarise(records)):
                console.print(screen)
            console.print(f"Table and pictures of all runs so far: {choices.out / 'table.md'}", soft_wrap=True)


def _check_tuning(choices: Choices, task: Task) -> None:
    if choices.tune and choices.learning_rate is not None:
        raise ValueError(f"--tune chooses the learning rate, got --learning-rate {choices.learning_rate:g} as well")
    if choices.tune and not task.parts("validation"):
        raise ValueError("--tune chooses on held-out images, got --validation 0")


def _announce(console: Console, planned: list[Case]) -> None:
    recipe = planned[0].recipe()
    console.print(planned[0].task.source, soft_wrap=True)
    rates = sorted({case.recipe().learning_rate for case in planned})
    rate = f"rate {rates[0]:g}" if len(rates) == 1 else f"rate {rates[0]:g} to {rates[-1]:g} by layer"
    if planned[0].choices.tune:
        rate = "the rate that --tune chooses"
    how = f"{recipe.optimizer}, {rate}, {recipe.schedule}, batch {recipe.batch}"
    console.print(f"Epochs: {recipe.epochs} of {recipe.interval} steps; {how}", soft_wrap=True)


def _run_all(console: Console, planned: list[Case], ranks: Ranks) -> Iterator[Record]:
    with Progress(console=console) as progress:
        first = planned[0].choices
        keeping = Keeping(first.out, first.resume, first.checkpoint_seconds)
        for case in planned:
            case = _tuned(progress, case, keeping, ranks) if case.choices.tune else case
            for seed in case.choices.seeds:
                yield _run_one(progress, case, seed, keeping, ranks)


def _tuned(progress: Progress, case: Case, keeping: Keeping, ranks: Ranks) -> Case:
    apart = replace(keeping, out=keeping.out / "tuning", test=False)
    with one_line_errors():
        return tuned(
            case, keeping.out, keeping.resume, ranks, lambda tried, seed: _run_one(progress, tried, seed, apart, ranks)
        )


def _run_one(progress: Progress, case: Case, seed: int, keeping: Keeping, ranks: Ranks) -> Record:
    network, recipe = case.network(seed), case.recipe()
    run = case.run(seed, network)
    with _watched(progress, run, recipe.steps, ranks) as watch, one_line_errors():
        return execute(run, network, case.task, recipe, keeping, ranks, watch)


@contextmanager
def _watched(progress: Progress, run: Run, steps: int, ranks: Ranks) -> Iterator[Watch]:
    label = ", ".join(part for part in (run.layer, run.settings, f"seed {run.seed}") if part)
    if progress.console.is_terminal:
        progress.console.print(label, soft_wrap=True)
    bar = progress.add_task(f"seed {run.seed}", total=steps, visible=ranks.writes)

    def on_epoch(record: Record) -> None:
        words = _words(record)
        progress.update(bar, description=f"seed {run.seed}: {words[0]}")  # short, to leave room for the bar
        if not progress.console.is_terminal:  # a log file shows no bar until the end
            line = f"{label}: epoch {record['epoch']} of {run.epochs}, {', '.join(words)}"
            progress.console.print(line, soft_wrap=True)

    yield Watch(lambda done: progress.update(bar, completed=done), on_epoch)


def _words(record: Record) -> list[str]:
    """The metrics of the validation split, or the training loss."""
    shown = [(METRICS[name], record.get(f"validation_{name}")) for name in METRICS]
    metrics = [f"{metric.title} {value:{metric.format}}" for metric, value in shown if value is not None]
    return [f"validation {metrics[0]}", *metrics[1:]] if metrics else [f"training loss {record['train_loss']:.4f}"]


EVERY = ("layer", "seeds", "preset", "protocol", "epochs", "out", "resume", "checkpoint_seconds", "device", "threads")


def all_command(experiments: tuple[Experiment, ...]) -> Callable[..., None]:
    """`learnable-wavelets reproduce all`: one after the other, each into its own folder."""
    shared = tuple(name for name in experiments[0].layers if all(name in other.layers for other in experiments))

    def reproduce(**values: Any) -> None:
        if values["layer"]:
            with one_line_errors():
                values["layer"] = list(parse_names("layer", values["layer"], shared))
        for experiment in experiments:
            own = {**experiment.defaults, **values, "out": values["out"] / experiment.name}
            run_experiment(experiment, own)

    words = {
        "layers": ", ".join(shared),
        "default": "each experiment's own",
        "quick": "short",
        "paper": "published",
        "taps": "",
    }
    help = f"All of {', '.join(experiment.name for experiment in experiments)}, each into a folder below --out."
    return make_command(reproduce, EVERY, words, help, {"out": Path("results")})
