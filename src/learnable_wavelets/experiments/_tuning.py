"""Learning rates that the validation split chooses: `--tune`, and later commands with the same folder."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .._command_line import write_atomic
from ._experiment import Case
from ._ranks import Ranks
from ._results import Record

SEED = 1000  # not one that is reported
FOLDER = "rates"


def with_kept_rate(case: Case, out: Path) -> Case:
    """The case with the learning rate that an earlier `--tune` chose for it in this folder, if one did."""
    if case.choices.learning_rate is not None or not (out / FOLDER).exists():  # else a network is made for its name
        return case
    rate = _read(_file(case, out))
    return case if rate is None else _at_rate(case, rate)


def tuned(case: Case, out: Path, resume: bool, ranks: Ranks, run: Callable[[Case, int], Record]) -> Case:
    """The case with the rate of its grid that has the best validation after the last epoch.

    `run` trains a case from a seed; it must not look at the test set.
    """
    path = _file(case, out)
    rate = _read(path) if resume else None
    ranks.wait()  # every process has read the file before one writes it again
    if rate is None:
        values = {tried: run(_at_rate(case, tried), SEED)["history"][-1]["choose"] for tried in case.experiment.grid}
        rate = min(values, key=lambda tried: float("inf") if values[tried] is None else values[tried])
        if ranks.writes:
            validation = {f"{tried:g}": value for tried, value in values.items()}
            write_atomic(path, json.dumps({"learning_rate": rate, "validation": validation}, indent=1) + "\n")
        ranks.wait()
    return _at_rate(case, rate)


def _at_rate(case: Case, rate: float) -> Case:
    return replace(case, choices=replace(case.choices, learning_rate=rate))


def _file(case: Case, out: Path) -> Path:
    """A file of its own for each case, so that commands may share the folder."""
    return out / FOLDER / f"{case.run(SEED, case.network(SEED)).name}.json"


def _read(path: Path) -> float | None:
    if not path.exists():
        return None
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["learning_rate"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a learning rate that --tune has kept: delete it to tune anew") from error
