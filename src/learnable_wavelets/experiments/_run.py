"""One training run of the MNIST experiment, from seed to files."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import learnable_wavelets as lw

from .._command_line import write_atomic
from . import _models, _report, _results, _train


@dataclass(frozen=True)
class Run:
    """What tells one run from every other in a results folder."""

    layer: str
    settings: str
    data: str
    epochs: int
    seed: int

    @property
    def name(self) -> str:
        """The stem of the run's files."""
        parts = ("mnist", self.layer, self.settings, self.data, f"e{self.epochs}", f"s{self.seed}")
        return "-".join(part.replace(", ", "-").replace(" ", "-") for part in parts if part)


def start(layer: str, options: _models.WaveletOptions, data: str, epochs: int, seed: int) -> tuple[Run, _models.LeNet5]:
    """The run and its network, which the seed alone decides."""
    torch.manual_seed(seed)
    network = _models.build(layer, options)
    return Run(layer, _models.settings(layer, options, network), data, epochs, seed), network


def execute(
    run: Run,
    network: _models.LeNet5,
    splits: tuple[_train.Split, _train.Split],
    out: Path,
    on_step: Callable[[], None] = lambda: None,
    on_epoch: Callable[[_train.Epoch], None] = lambda _: None,
) -> _results.Record:
    """Train; write one JSON line an epoch, then the record of the run and, for a wavelet layer, its picture."""
    recipe = _train.Recipe(run.epochs)
    before = _bank(network)
    history = []
    with _results.JsonLines(out / "runs" / f"{run.name}.jsonl") as lines:
        for epoch in _train.train(network, *splits, recipe, run.seed, on_step):
            lines.write({"run": run.name, **epoch._asdict()})
            history.append(epoch)
            on_epoch(epoch)
    record = _record(run, network, recipe, history)
    after = _bank(network)
    if before is not None and after is not None:
        banks = {"start": before, "learned": after}
        record["filters"] = {name: {k: v.tolist() for k, v in bank._asdict().items()} for name, bank in banks.items()}
        _report.picture(out / f"{run.name}.png", banks)
    write_atomic(out / "runs" / f"{run.name}.json", json.dumps(record, indent=1) + "\n")
    return record


def _bank(network: _models.LeNet5) -> lw.FilterBank | None:
    """A copy of the network's filters, if it has any."""
    if not isinstance(network.layer, lw.WaveletLinear):
        return None
    return lw.FilterBank(*(taps.detach().to("cpu", copy=True) for taps in network.layer.filter.filter_bank))


def _record(run: Run, network: _models.LeNet5, recipe: _train.Recipe, history: list[_train.Epoch]) -> _results.Record:
    epochs = [_results.finite(epoch._asdict()) for epoch in history]
    return {
        "run": run.name,
        "experiment": "mnist",
        **asdict(run),
        "parameters": _models.count(network),
        "layer_parameters": _models.count(network.layer),
        "test_error": epochs[-1]["test_error"],
        "wavelet_loss": epochs[-1]["wavelet_loss"],
        "seconds": sum(epoch.seconds for epoch in history),
        "recipe": {**recipe._asdict(), "gamma": recipe.gamma, "batch": _train.BATCH},
        "device": next(network.parameters()).device.type,
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "learnable_wavelets": lw.__version__},
        "history": epochs,
    }
