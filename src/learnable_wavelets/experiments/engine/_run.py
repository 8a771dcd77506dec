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

from ..._output import write_atomic
from ..spec import Case, Options, Run, count
from ._checkpoint import Checkpoint, exclusive
from ._ranks import SINGLE, Ranks
from ._records import JsonLines, Record, check_identity, finite, read_record
from ._trainer import Trainer


@dataclass(frozen=True)
class Callbacks:
    """Called after each step with the number of steps done, and after each epoch with its record."""

    on_step: Callable[[int], None] = lambda done: None
    on_epoch: Callable[[Record], None] = lambda record: None
    on_network: Callable[[nn.Module, Record], None] = lambda network, record: None
    """Called after each epoch with the network and the record, in the process that writes."""
    on_finished: Callable[[Path], None] = lambda path: None
    """Called with the path of a record that an earlier command has written."""


NONE = Callbacks()


def execute(case: Case, seed: int, ranks: Ranks = SINGLE, callbacks: Callbacks = NONE, test: bool = True) -> Record:
    """Train a case; write one JSON line an epoch, checkpoints, and the record in the end. A finished run is only read.

    With `test=False` the test set is left out.

    Raises:
        ValueError: the files are of another run or damaged, there is an unfinished run and neither `resume` nor
            `overwrite` is set, or another process is at it.
    """
    run, network, recipe, options = case.run(seed), case.network(seed), case.recipe(), case.options
    runs = options.out / "runs"
    identity = {**asdict(run), "recipe": asdict(recipe), "parameters": count(network)}
    checkpoint = Checkpoint(runs / f"{run.name}.checkpoint", identity, options.checkpoint_seconds)
    finished = runs / f"{run.name}.json"
    with exclusive(options.out / ".locks" / f"{run.name}.lock") if ranks.writes else nullcontext():
        if not options.overwrite and finished.exists() and not checkpoint.newer_than(finished):
            record = _read(finished, checkpoint, ranks)
            callbacks.on_finished(finished)
            return record
        start = _banks(network)
        trainer = Trainer(network, case.task, recipe, seed, ranks)
        _resume(trainer, checkpoint, options)
        ranks.wait()  # every process has looked at the files before the first one changes them
        if not ranks.writes:
            _train(trainer, callbacks)
            return _record(run, trainer, test, start)
        if options.overwrite:
            checkpoint.remove()
        with JsonLines(runs / f"{run.name}.jsonl") as lines:
            for epoch in trainer.history:  # that of the checkpoint; a killed process may have written more
                lines.write({"run": run.name, **epoch})
            _train(trainer, callbacks, lines, checkpoint)
        record = _record(run, trainer, test, start)
        write_atomic(finished, json.dumps(record, indent=1, allow_nan=False) + "\n")
        checkpoint.remove()
        return record


def _read(finished: Path, checkpoint: Checkpoint, ranks: Ranks) -> Record:
    """Read the record of the run to which `checkpoint` belongs."""
    record = read_record(finished)
    check_identity(finished, {key: record.get(key) for key in checkpoint.identity}, checkpoint.identity)
    if ranks.writes:
        checkpoint.remove()  # a kill may have come between the record and this
    return record


def _resume(trainer: Trainer, checkpoint: Checkpoint, options: Options) -> None:
    """Load the checkpoint, which only `resume` may use up: a forgotten option must not cost hours of training."""
    if options.resume:
        checkpoint.load(trainer)
    elif not options.overwrite and checkpoint.path.exists():
        raise ValueError(
            f"{checkpoint.path} is of an unfinished run: --resume goes on with it, --overwrite starts it anew, "
            "another --out leaves it"
        )


def _train(
    trainer: Trainer, callbacks: Callbacks, lines: JsonLines | None = None, checkpoint: Checkpoint | None = None
) -> None:
    callbacks.on_step(trainer.step)
    for step in range(trainer.step, trainer.recipe.steps):
        epoch = trainer.advance()
        callbacks.on_step(step + 1)
        if epoch is not None:
            if lines is not None:
                lines.write({"run": lines.path.stem, **epoch})
                callbacks.on_network(trainer.network, epoch)
            callbacks.on_epoch(epoch)
        if checkpoint is not None:
            checkpoint.save_if_due(trainer)


def digest(network: nn.Module) -> str:
    """Hash the state of the network (SHA-256): runs with equal hashes are equal to the bit."""
    total = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def _banks(network: nn.Module) -> dict[str, dict[str, list[float | None]]]:
    """List the taps of the network's filter banks; `None` where they are not finite, which JSON cannot express."""
    return {
        name: {
            part: [tap if math.isfinite(tap) else None for tap in taps.detach().tolist()]
            for part, taps in module.filter_bank._asdict().items()
        }
        for name, module in network.named_modules()
        if isinstance(module, lw.WaveletFilter)
    }


def _record(run: Run, trainer: Trainer, test: bool, start: Record) -> Record:
    last, chosen = trainer.test() if test else ({}, None)
    layers: list[nn.Module] = list(getattr(trainer.network, "layers", ()))
    record = {
        "run": run.name,
        **asdict(run),
        "parameters": count(trainer.network),
        "layer_parameters": sum(map(count, layers)),
        "last": finite(last),
        "chosen": None if chosen is None else finite(chosen),
        "wavelet_loss": finite(trainer.history[-1])["wavelet_loss"],
        "seconds": trainer.seconds,
        "state_sha256": digest(trainer.network),
        "recipe": asdict(trainer.recipe),
        "device": trainer.device.type,
        "threads": torch.get_num_threads(),
        "processes": trainer.ranks.world,
        "versions": {"torch": torch.__version__, "learnable_wavelets": lw.__version__},
        "history": [finite(epoch) for epoch in trainer.history],
    }
    learned = _banks(trainer.network)
    if start:
        record["filters"] = {name: {"start": bank, "learned": learned[name]} for name, bank in start.items()}
    return record
