"""Learning rates that the validation split chooses: `--tune`, and later commands with the same folder."""

import json
from collections.abc import Callable
from pathlib import Path

from ..._output import read_text, write_atomic
from ..spec import Case
from ._ranks import Ranks
from ._records import Record

SEED = 1000  # reported runs have other seeds
FOLDER = "rates"


def stored_rate(case: Case, out: Path) -> Case:
    """Set the learning rate that an earlier `--tune` chose for the case in this folder, if one did."""
    if case.options.learning_rate is not None:
        return case
    rate = _read(_file(case, out))
    return case if rate is None else case.at_rate(rate)


def tuned(case: Case, out: Path, overwrite: bool, ranks: Ranks, run: Callable[[Case, int], Record]) -> Case:
    """Set the learning rate of the grid that has the best validation after the last epoch.

    `run` trains a case from a seed; it must not look at the test set.
    """
    path = _file(case, out)
    rate = None if overwrite else _read(path)
    ranks.wait()  # every process has read the file before one writes it again
    if rate is None:
        values = {tried: run(case.at_rate(tried), SEED)["history"][-1]["choose"] for tried in case.experiment.grid}
        rate = min(values, key=lambda tried: float("inf") if values[tried] is None else values[tried])
        if ranks.writes:
            validation = {f"{tried:g}": value for tried, value in values.items()}
            write_atomic(path, json.dumps({"learning_rate": rate, "validation": validation}, indent=1) + "\n")
        ranks.wait()
    return case.at_rate(rate)


def _file(case: Case, out: Path) -> Path:
    """Name a file of its own for each case, so that commands may share the folder."""
    return out / FOLDER / f"{case.run(SEED).name}.json"


def _read(path: Path) -> float | None:
    if not path.exists():
        return None
    text = read_text(path)
    try:
        return float(json.loads(text)["learning_rate"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} holds no learning rate of --tune: delete it to tune anew") from error
