"""What is learned: batches as a pure function of (seed, step), a loss, metrics."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch

Batch = tuple[torch.Tensor, torch.Tensor]


class Task(ABC):
    """Data on the device that trains; the first dimension of inputs and targets counts the examples of a batch."""

    metrics: ClassVar[tuple[str, ...]]
    """Names of what is measured; the first chooses the epoch, the lower the better."""
    data: str
    """The name of the data, part of a run's identity."""
    source: str
    """One line for people: what was loaded, and from where."""
    interval: int
    """Steps between two evaluations: a pass, where the data end."""

    @abstractmethod
    def batch(self, seed: int, step: int) -> Batch:
        """The whole batch of a step, the same in every process and after every interruption."""

    @abstractmethod
    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The mean loss of each example, summed over the examples."""

    @abstractmethod
    def parts(self, split: str) -> Sequence[Batch]:
        """The `"validation"` or the `"test"` split in batches; empty if there is none."""

    @abstractmethod
    def measure(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The metrics, in their order, summed over the examples."""
