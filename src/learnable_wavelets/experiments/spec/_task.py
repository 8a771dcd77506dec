"""Learning problems, and how long and with which optimiser they are trained."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from ._options import Options

Batch = tuple[torch.Tensor, torch.Tensor]


class Task(ABC):
    """Batches as a pure function of (seed, step), a loss and metrics; data are on the device.

    The first dimension of inputs and targets counts the examples of a batch.
    """

    metrics: ClassVar[tuple[str, ...]]
    """Names of the metrics; the first chooses the epoch, the lower the better."""
    data: str
    """The name of the data, part of a run's identity."""
    source: str
    """One line for people: the data and where they were found."""
    interval: int
    """Steps between two evaluations: a pass over the data, if they are finite."""

    @abstractmethod
    def batch(self, seed: int, step: int) -> Batch:
        """Return the whole batch of a step, the same in every process and after every interruption."""

    @abstractmethod
    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Sum the mean loss of each example over the examples."""

    @abstractmethod
    def parts(self, split: str) -> Sequence[Batch]:
        """Return the `"validation"` or the `"test"` split in batches; empty if there is none."""

    @abstractmethod
    def measure(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Sum each metric over the examples."""


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
    regularizer: float = 1.0
    """The weight of `wavelet_regularizer` in the loss."""

    @property
    def steps(self) -> int:
        """Count the optimiser steps of the whole run."""
        return self.epochs * self.interval


def length(options: Options, task: Task, epochs: int, quick: int, parts: int) -> tuple[int, int]:
    """Return epochs and steps of each: `epochs` passes, or in a quick run `quick` steps in at least `parts` epochs."""
    interval = min(quick // parts, task.interval) if options.preset == "quick" else task.interval
    return options.epochs or (quick // interval if options.preset == "quick" else epochs), interval
