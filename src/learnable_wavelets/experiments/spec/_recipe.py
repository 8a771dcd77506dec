"""Optimiser, schedule and length of a run."""

from dataclasses import dataclass

from ._options import Options
from ._task import Task


@dataclass(frozen=True)
class Recipe:
    """Optimiser, schedule and length of a run; `interval` steps are an epoch, after which the run is evaluated."""

    epochs: int
    interval: int
    batch: int
    optimizer: str
    learning_rate: float
    schedule: str = "constant"
    gamma: float = 1.0
    weight_decay: float = 0.0
    clip: float | None = None

    @property
    def steps(self) -> int:
        """Count the optimiser steps of the whole run."""
        return self.epochs * self.interval


def length(options: Options, task: Task, epochs: int, quick: int, parts: int) -> tuple[int, int]:
    """Return epochs and steps of each: `epochs` passes, or in a quick run `quick` steps in at least `parts` epochs."""
    interval = min(quick // parts, task.interval) if options.preset == "quick" else task.interval
    return options.epochs or (quick // interval if options.preset == "quick" else epochs), interval
