"""The adding and the copy memory problem: endless sequences, each batch a pure function of (seed, step)."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from ..engine import generator
from ..spec import Batch, Task

PUBLISHED_LENGTH = 150
INTERVAL = 600  # steps between evaluations: 20 make the published 12,000 steps
EVALUATED = 1_000
SYMBOLS, RECALLED = 8, 10
HELD_OUT_SEED = -1  # no run's seed is negative


class Sequences(Task):
    """Random sequences, drawn at each step; validation and test are drawn once and are the same for every seed."""

    name: str

    def __init__(self, length: int, batch: int, held_out: int, device: torch.device) -> None:
        self.length, self._batch, self._held_out, self._device = length, batch, held_out, device
        self.data = "synthetic" if length == PUBLISHED_LENGTH else f"synthetic-{length}"
        self.interval, self._splits = INTERVAL, dict[str, list[Batch]]()
        self.source = f"{self.name}: sequences of length {length}, drawn as training goes; {held_out:,} held out"

    def _draw(self, count: int, source: torch.Generator) -> Batch:
        raise NotImplementedError

    def batch(self, seed: int, step: int) -> Batch:
        inputs, targets = self._draw(self._batch, generator(self.name, seed, step))
        return inputs.to(self._device), targets.to(self._device)

    def parts(self, split: str) -> Sequence[Batch]:
        if split not in self._splits:
            self._splits[split] = self._held_out_parts(split)
        return self._splits[split]

    def _held_out_parts(self, split: str) -> list[Batch]:
        drawn = self._draw(self._held_out, generator(f"{self.name} {split}", HELD_OUT_SEED, 0))
        inputs, targets = (torch.split(part.to(self._device), EVALUATED) for part in drawn)
        return list(zip(inputs, targets, strict=True))


class Adding(Sequences):
    """Add the two marked of `length` numbers: inputs `(N, T, 2)`, target their sum, right if within .05."""

    name = "adding"
    metrics = ("mse", "accuracy")

    def _draw(self, count: int, source: torch.Generator) -> Batch:
        values = torch.rand(count, self.length, generator=source)
        half = self.length // 2
        first = torch.randint(half, (count, 1), generator=source)
        second = torch.randint(half, self.length, (count, 1), generator=source)
        marks = torch.zeros_like(values).scatter_(1, torch.cat([first, second], dim=1), 1.0)
        return torch.stack([values, marks], dim=-1), (values * marks).sum(dim=1)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.mse_loss(outputs[:, 0], targets, reduction="sum")

    def measure(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        error = outputs[:, 0] - targets
        return error.square().sum(), (error.abs() < 0.05).sum()


class Memory(Sequences):
    """Repeat ten symbols after `length` empty steps: inputs `(N, T + 20, 10)` one-hot, targets the symbol at each step.

    As published: the symbols 1 to 8, `length - 1` zeros, the marker 9, ten zeros; the target is zero until the last
    ten steps. The accuracy is that of the last ten; the cross-entropy that of all steps.
    """

    name = "memory"
    metrics = ("cross_entropy", "accuracy")

    def _draw(self, count: int, source: torch.Generator) -> Batch:
        symbols = torch.randint(1, SYMBOLS + 1, (count, RECALLED), generator=source)
        inputs = torch.zeros(count, self.length + 2 * RECALLED, dtype=torch.int64)
        targets = torch.zeros_like(inputs)
        inputs[:, :RECALLED] = symbols
        inputs[:, -RECALLED - 1] = SYMBOLS + 1
        targets[:, -RECALLED:] = symbols
        return F.one_hot(inputs, SYMBOLS + 2).float(), targets

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="sum") / targets.shape[1]

    def measure(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        right = outputs[:, -RECALLED:].argmax(dim=-1) == targets[:, -RECALLED:]
        return self.loss(outputs, targets), right.sum() / RECALLED
