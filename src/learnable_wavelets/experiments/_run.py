"""One training run of any experiment, from seed to files."""

import hashlib
import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

import learnable_wavelets as lw

from .._command_line import write_atomic
from . import _report, _results
from ._checkpoint import Checkpoint, alone, check_identity
from ._layers import count
from ._ranks import ALONE, Ranks
from ._recipe import Recipe
from ._results import Record
from ._task import Task
from ._trainer import Trainer


@dataclass(frozen=True)
class Run:
    """What tells one run from every other in a results folder."""

    experiment: str
    protocol: str
    layer: str
    settings: str
    data: str
    epochs: int
    interval: int
    seed: int

    @property
    def name(self) -> str:
        """The stem of the run's files."""
        length = f"e{self.epochs}x{self.interval}"
        parts = (self.experiment, self.protocol, self.layer, self.settings, self.data, length, f"s{self.seed}")
        return "-".join(part.replace(", ", "-").replace(" ", "-") for part in parts if part)


@dataclass(frozen=True)
class Watch:
    """Who looks on: called after each step with the number of steps done, and after each epoch with its record."""

    on_step: Callable[[int], None] = lambda done: None
    on_epoch: Callable[[Record], None] = lambda record: None


UNWATCHED = Watch()


@dataclass(frozen=True)
class Keeping:
    """Where a run is kept, and whether it goes on from there."""

    out: Path
    resume: bool = False
    checkpoint_seconds: float = 30.0
    test: bool = True
    """Whether the finished run is tested: one that only tunes must not be."""


def execute(
    run: Run,
    network: nn.Module,
    task: Task,
    recipe: Recipe,
    keeping: Keeping,
    ranks: Ranks = ALONE,
    watch: Watch = UNWATCHED,
) -> Record:
    """Train; one JSON line an epoch, a checkpoint now and then, in the end the record and, for a bank, its picture.

    Raises:
        ValueError: what is kept is of another run or damaged, is not to be resumed, or another process is at it.
    """
    stem = keeping.out / "runs" / run.name
    identity = {**asdict(run), "recipe": asdict(recipe), "parameters": count(network)}
    checkpoint = Checkpoint(stem.parent / f"{run.name}.checkpoint", identity, keeping.checkpoint_seconds)
    finished = stem.parent / f"{run.name}.json"
    with alone(keeping.out / ".locks" / f"{run.name}.lock") if ranks.writes else nullcontext():
        if keeping.resume and finished.exists():
            record = _results.read_record(finished)
            check_identity(finished, {key: record.get(key) for key in identity}, identity)
            if ranks.writes:
                checkpoint.remove()  # a kill may have come between the record and this
            return record
        before = _banks(network)
        trainer = Trainer(network, task, recipe, run.seed, ranks)
        _go_on(trainer, checkpoint, keeping.resume)
        ranks.wait()  # every process has looked at the files before the first one changes them
        if not ranks.writes:
            _train(trainer, watch)
            return _record(run, trainer, keeping.test)
        with _results.JsonLines(stem.parent / f"{run.name}.jsonl") as lines:
            for epoch in trainer.history:  # the checkpoint's, whatever a killed process had written after it
                lines.write({"run": run.name, **epoch})
            _train(trainer, watch, lines, checkpoint)
        record = _record(run, trainer, keeping.test)
        if before:
            learned = _banks(network)
            banks = {name: {"start": start, "learned": learned[name]} for name, start in before.items()}
            record["filters"] = {name: {k: _numbers(bank) for k, bank in two.items()} for name, two in banks.items()}
            _report.wavelet(keeping.out / f"{run.name}.png", next(iter(banks.values())))
        write_atomic(finished, json.dumps(record, indent=1, allow_nan=False) + "\n")
        checkpoint.remove()
        return record


def _go_on(trainer: Trainer, checkpoint: Checkpoint, resume: bool) -> None:
    """From the checkpoint, which only `resume` may use up: hours of work are not to end by a forgotten option."""
    if resume:
        checkpoint.load(trainer)
    elif checkpoint.path.exists():
        raise ValueError(
            f"{checkpoint.path} is of an unfinished run: --resume goes on with it; "
            "delete it to start anew, or give another --out"
        )


def _train(
    trainer: Trainer,
    watch: Watch,
    lines: _results.JsonLines | None = None,
    checkpoint: Checkpoint | None = None,
) -> None:
    watch.on_step(trainer.step)
    while not trainer.done:
        epoch = trainer.advance()
        watch.on_step(trainer.step)
        if epoch is not None:
            if lines is not None:
                lines.write({"run": lines.path.stem, **epoch})
            watch.on_epoch(epoch)
        if checkpoint is not None:
            checkpoint.save_if_due(trainer)


def digest(network: nn.Module) -> str:
    """SHA-256 of all that the network has learned: two runs with the same are the same to the bit."""
    total = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def _banks(network: nn.Module) -> dict[str, lw.FilterBank]:
    """Copies of the network's filter banks by name."""
    return {
        name: lw.FilterBank(*(taps.detach().to("cpu", copy=True) for taps in module.filter_bank))
        for name, module in network.named_modules()
        if isinstance(module, lw.WaveletFilter)
    }


def _numbers(bank: lw.FilterBank) -> dict[str, list[float | None]]:
    """The taps; none where they are not finite, for which JSON has no word."""
    return {
        name: [tap if math.isfinite(tap) else None for tap in taps.tolist()] for name, taps in bank._asdict().items()
    }


def _record(run: Run, trainer: Trainer, test: bool) -> Record:
    last, chosen = trainer.test() if test else ({}, None)
    layers: list[nn.Module] = list(getattr(trainer.network, "layers", ()))
    return {
        "run": run.name,
        **asdict(run),
        "parameters": count(trainer.network),
        "layer_parameters": sum(map(count, layers)),
        "last": _results.finite(last),
        "chosen": None if chosen is None else _results.finite(chosen),
        "wavelet_loss": _results.finite(trainer.history[-1])["wavelet_loss"],
        "seconds": trainer.seconds,
        "state_sha256": digest(trainer.network),
        "recipe": asdict(trainer.recipe),
        "device": trainer.device.type,
        "threads": torch.get_num_threads(),
        "processes": trainer.ranks.world,
        "versions": {"torch": torch.__version__, "learnable_wavelets": lw.__version__},
        "history": [_results.finite(epoch) for epoch in trainer.history],
    }
