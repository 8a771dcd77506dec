"""`learnable-wavelets reproduce mnist`: the paper's LeNet-5, its big linear layer dense, Fastfood or wavelet."""

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from rich.console import Console
from rich.progress import Progress

from .._command_line import one_line_errors, parse_choice, parse_device, parse_names, parse_seeds
from . import _data, _models, _report, _results, _run, _train

PRESETS = ("quick", "paper")
PAPER_EPOCHS = 20
QUICK_STEPS = 3000  # about a minute on two cores, whatever the data's size

_LAYER = f"Of {', '.join(_models.LAYERS)}, or all; repeated or with commas; wavelet if not given."
_DATA = (
    f"auto: the full set from ${_data.FOLDER_VARIABLE} or the cache, else the sample inside the package; "
    "full: the full set, downloaded if need be; sample."
)


class Plan(NamedTuple):
    """The checked options of one command."""

    layers: tuple[str, ...]
    options: _models.WaveletOptions
    seeds: tuple[int, ...]
    epochs: int
    data: _data.Mnist
    device: torch.device
    out: Path


def command(
    layer: Annotated[list[str] | None, typer.Option(help=_LAYER)] = None,
    wavelet: Annotated[str | None, typer.Option(help="For the layer wavelet: its start, a pywt name.")] = None,
    mode: Annotated[str | None, typer.Option(help="For the layer wavelet: its padding, a pywt mode.")] = None,
    level: Annotated[int | None, typer.Option(help="For the layer wavelet: its depth.")] = None,
    seeds: Annotated[str, typer.Option(help="A count (3) or a list (0,1,2; `7,` for one).")] = "1",
    preset: Annotated[str, typer.Option(help=f"quick: {QUICK_STEPS} steps; paper: {PAPER_EPOCHS} epochs.")] = "quick",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's epochs.")] = None,
    data: Annotated[str, typer.Option(help=_DATA)] = "auto",
    out: Annotated[Path, typer.Option(help="Folder for results; commands may share it.")] = Path("results/mnist"),
    device: Annotated[str, typer.Option(help="Where to train: cpu, cuda, ...")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads, torch's own number if not given.")] = None,
) -> None:
    """Train the paper's LeNet-5 on MNIST; report the test error after the last epoch."""
    console = Console()
    if threads is not None:
        torch.set_num_threads(threads)
    with one_line_errors():
        layers = parse_names("layer", layer or ["wavelet"], _models.LAYERS)
        options = _wavelet_options(layers, wavelet, mode, level)
        parse_choice("preset", preset, PRESETS)
        where = parse_device(device)
        chosen_seeds = parse_seeds(seeds)
        mnist = _data.load_mnist(data)
        out.mkdir(parents=True, exist_ok=True)
    plan = Plan(layers, options, chosen_seeds, epochs or preset_epochs(preset, mnist), mnist, where, out)
    _announce(console, plan)
    try:
        records = _run_all(console, plan)
    except KeyboardInterrupt:
        console.print(f"\nStopped. The finished epochs are in {out / 'runs'}", soft_wrap=True)
        raise typer.Exit(130) from None
    with one_line_errors():
        _results.write_table(out)
    console.print(_report.screen_table(_results.summarise(records)))
    console.print(f"Table of all runs so far: {out / 'table.md'}", soft_wrap=True)


def preset_epochs(preset: str, data: _data.Mnist) -> int:
    """Epochs of a preset: `quick` keeps the number of steps, not of epochs, whatever the size of the data."""
    return PAPER_EPOCHS if preset == "paper" else max(1, QUICK_STEPS // _train.steps(len(data.train_labels)))


def _wavelet_options(
    layers: tuple[str, ...], wavelet: str | None, mode: str | None, level: int | None
) -> _models.WaveletOptions:
    choices: dict[str, Any] = {"wavelet": wavelet, "mode": mode, "level": level}
    given = {name: value for name, value in choices.items() if value is not None}
    if given and "wavelet" not in layers:
        raise ValueError(f"--{next(iter(given))} is for the layer wavelet, got --layer {','.join(layers)}")
    options = _models.WaveletOptions()._replace(**given)
    for name in layers:  # a wrong choice is to fail now, not after the first layer's hour
        _models.build(name, options)
    return options


def _announce(console: Console, plan: Plan) -> None:
    recipe = _train.Recipe(plan.epochs)
    note = "" if plan.epochs == PAPER_EPOCHS else f"; the paper trains {PAPER_EPOCHS}"
    steps = _train.steps(len(plan.data.train_labels))
    console.print(plan.data.source, soft_wrap=True)
    console.print(
        f"Epochs: {plan.epochs} of {steps} steps, learning rate x {recipe.gamma:.2f} after each{note}", soft_wrap=True
    )


def _run_all(console: Console, plan: Plan) -> list[_results.Record]:
    splits = _train.splits(plan.data, plan.device)
    with Progress(console=console) as progress:
        return [_run_one(progress, plan, splits, layer, seed) for layer in plan.layers for seed in plan.seeds]


def _run_one(
    progress: Progress, plan: Plan, splits: tuple[_train.Split, _train.Split], layer: str, seed: int
) -> _results.Record:
    run, network = _run.start(layer, plan.options, plan.data.name, plan.epochs, seed)
    network = network.to(plan.device)
    label = f"{layer}, seed {seed}"
    task = progress.add_task(label, total=plan.epochs * _train.steps(len(splits[0].labels)))

    def on_epoch(epoch: _train.Epoch) -> None:
        progress.update(task, description=f"{label}: {epoch.test_error:.2f} %")
        if not progress.console.is_terminal:  # a log file shows no bar until the end
            progress.console.print(
                f"{label}: epoch {epoch.epoch} of {plan.epochs}, test error {epoch.test_error:.2f} %"
            )

    return _run.execute(run, network, splits, plan.out, lambda: progress.advance(task), on_epoch)
