"""Learning problems: batches as a pure function of (seed, step), a loss, metrics."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch

Batch = tuple[torch.Tensor, torch.Tensor]


class Task(ABC):
    """Data on the device that trains; the first dimension of inputs and targets counts the examples of a batch."""

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
