"""One conversion: a teacher, the small network, its error before and after an epoch of training."""

# ruff: noqa: RUF009  (`option` declares a field)
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

import learnable_wavelets as lw

from ..._command_line import at_least, first_line, flag, one_of, option, parse_counts, parse_names, parse_seeds
from ..._output import check_regular, write_atomic
from ..engine import Record, Trainer, evaluate, read_record
from ..models import Perceptron
from ..spec import Recipe, count
from ..tasks import Images
from ._methods import METHODS, WIDTH, split

OUT = Path("results/conversion")
BATCH, RATE = 128, 1e-3
EVERY = 100  # every hundredth training image, without its label, is what layers are fitted to
TEACHER_EPOCHS, QUICK_INTERVAL = 4, 100


def _methods(name: str, texts: list[str]) -> tuple[str, ...]:
    return parse_names(name, texts, METHODS)


def _ratios(name: str, text: str) -> tuple[int, ...]:
    return parse_counts(name, text, 2)


@dataclass(frozen=True)
class Settings:
    """The options of `reproduce conversion`."""

    layer: tuple[str, ...] = option(
        tuple(METHODS), f"Of {', '.join(METHODS)}, or all.", action="append", parse=_methods
    )
    budgets: tuple[int, ...] = option(
        (200, 100, 45, 24, 12, 8), "Weights of a layer before over after, with commas.", parse=_ratios
    )
    seeds: tuple[int, ...] = option((0,), "A count (3) or a list (0,1,2; `7,` for one).", parse=parse_seeds)
    preset: str = option(
        "quick", f"quick: epochs of {QUICK_INTERVAL} steps; paper: whole epochs.", parse=one_of("quick", "paper")
    )
    data: str = option("auto", "full; sample; auto: full from $LEARNABLE_WAVELETS_DATA or the cache, else sample.")
    out: Path = option(OUT, "Folder for results; commands may share it.", type=Path)
    overwrite: bool = flag("Run again where --out has a finished run.")
    threads: int | None = option(None, "CPU threads, torch's own number if not given.", type=at_least(int, 1))


def interval(task: Images, settings: Settings) -> int:
    """Return the steps of an epoch."""
    return task.interval if settings.preset == "paper" else min(QUICK_INTERVAL, task.interval)


def run_name(task: Images, settings: Settings, method: str, ratio: int, seed: int) -> str:
    """Return the stem of the run's file."""
    return f"conversion-{method}-1-{ratio}-{task.data}-{interval(task, settings)}-s{seed}"


def run(task: Images, settings: Settings, method: str, ratio: int, seed: int) -> Record:
    """Convert, test, train for an epoch and test again; a finished run is only read."""
    path = settings.out / "runs" / f"{run_name(task, settings, method, ratio, seed)}.json"
    if path.exists() and not settings.overwrite:
        return read_record(path, ("budget", "fit_error"))
    convert, low_rank = METHODS[method]
    parts = split(ratio, low_rank)
    network = teacher(task, settings, seed)
    dense = evaluate(network, task, "test")["error"]
    torch.manual_seed(seed)
    error = convert(network, parts, task.train[0][::EVERY])
    before = evaluate(network, task, "test")["error"]
    recipe = Recipe(1, interval(task, settings), BATCH, "adamw", RATE, "one-cycle", weight_decay=0.01)
    trainer = train(network, task, recipe, seed)
    after = trainer.test()[0]
    record = {
        "run": path.stem, "experiment": "conversion", "protocol": "equal", "layer": method,
        "settings": parts.describe(), "data": task.data, "epochs": 1, "interval": recipe.interval, "seed": seed,
        "parameters": count(network), "budget": ratio, "fit_error": error, "teacher_error": dense,
        "last": {"error": after["error"], "zero_shot": before}, "chosen": None,
        "wavelet_loss": trainer.history[-1]["wavelet_loss"], "seconds": trainer.seconds, "history": trainer.history,
        "versions": {"torch": torch.__version__, "learnable_wavelets": lw.__version__},
    }  # fmt: skip
    write_atomic(path, json.dumps(record, indent=1) + "\n")
    return record


def train(network: nn.Module, task: Images, recipe: Recipe, seed: int) -> Trainer:
    """Train for the whole recipe."""
    trainer = Trainer(network, task, recipe, seed)
    while not trainer.done:
        trainer.advance()
    return trainer


def teacher(task: Images, settings: Settings, seed: int) -> Any:
    """Return the trained dense network, which is made once for each seed and kept in the folder."""
    torch.manual_seed(seed)
    network = Perceptron([nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)], WIDTH, 10)
    path = settings.out / "teachers" / f"{task.data}-{interval(task, settings)}-s{seed}.pt"
    if path.exists():
        check_regular(path)
        try:
            network.load_state_dict(torch.load(path, weights_only=True))
        except Exception as error:  # torch raises errors of many types
            raise ValueError(f"{path} cannot be read ({first_line(error)}): delete it to train anew") from error
        return network
    recipe = Recipe(TEACHER_EPOCHS, interval(task, settings), BATCH, "adamw", RATE, "one-cycle", weight_decay=0.01)
    train(network, task, recipe, seed)
    content = io.BytesIO()
    torch.save(network.state_dict(), content)
    write_atomic(path, content.getvalue())
    return network
