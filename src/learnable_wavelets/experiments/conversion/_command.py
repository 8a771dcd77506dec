"""The command `learnable-wavelets reproduce conversion`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from ... import _output
from ..._command_line import add_options, parse_options
from .. import report
from ..engine import Record
from ..tasks import Images, load_mnist
from ._methods import split
from ._run import BATCH, Settings, run

if TYPE_CHECKING:
    import argparse

HELP = "Convert a trained perceptron at several budgets; report the error without training and after one epoch."


def add_command(names: "argparse._SubParsersAction[Any]") -> None:
    """Add `conversion` to `reproduce`."""
    parser = names.add_parser("conversion", help=HELP, description=HELP)
    add_options(parser, Settings)
    parser.set_defaults(command=run_conversion)


def run_conversion(values: Mapping[str, Any]) -> int:
    """Run every method at every budget for every seed; show one table; return the exit status."""
    settings = Settings(**parse_options(Settings, values))
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    for ratio in settings.budgets:
        split(ratio, False)  # a budget that is too small must fail now
    task = Images(load_mnist(settings.data), lambda images: images.flatten(1), BATCH, 0, torch.device("cpu"))
    console = _output.console()
    console.print(task.source, soft_wrap=True)
    records = []
    for seed in settings.seeds:
        for ratio in settings.budgets:
            for method in settings.layer:
                records.append(run(task, settings, method, ratio, seed))
                console.print(_line(records[-1]), soft_wrap=True)
    rows = [row for row in report.write_all(settings.out) if row["experiment"] == "conversion"]
    report.error_over_parameters(settings.out / "conversion-zero-shot.png", rows, "zero_shot")
    for screen in report.screen_tables(report.summarise(records)):
        console.print(screen)
    console.print(f"Table and pictures of all runs so far: {settings.out / 'table.md'}", soft_wrap=True)
    return 0


def _line(record: Record) -> str:
    last, fit = record["last"], record["fit_error"]
    name = f"{record['layer']} 1/{record['budget']} ({record['settings']}), seed {record['seed']}"
    fitted = "" if fit is None else f", error of the layers {fit:.2f}"
    return f"{name}: {last['zero_shot']:.2f} %, after an epoch {last['error']:.2f} %{fitted}"
