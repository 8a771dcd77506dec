"""Predict the next character: windows of a text, and every character of the held-out texts once."""

from collections.abc import Mapping, Sequence
from math import log
from types import MappingProxyType

import torch
from torch.nn import functional as F

from ..engine import generator
from ..spec import Batch, Task
from ._text import Text

EVALUATED = 128  # windows in a batch of an evaluation


class Characters(Task):
    """Inputs `(N, T)` and targets, the same shifted by one, as indices; the first `warm` predictions do not count.

    A step takes `batch` windows, each from the state zero as published, from random places of the training text.
    An evaluation reads all windows of its split, or the first `limits[split]` batches of 128 of them.
    """

    metrics = ("bpc", "accuracy")

    def __init__(
        self,
        text: Text,
        batch: int,
        length: int,
        warm: int,
        device: torch.device,
        limits: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        index = {character: i for i, character in enumerate(text.alphabet)}
        self.data, self.source, self.symbols = text.name, text.source, len(index)
        self._batch, self._length, self._warm, self._device = batch, length, warm, device
        self._train, valid, test = (
            torch.tensor([index[c] for c in part], dtype=torch.int64).to(device) for part in text[:3]
        )
        if min(len(self._train), len(valid), len(test)) <= length:
            raise ValueError(f"each split of the text must be longer than {length} characters")
        splits = {"validation": valid, "test": test}
        self._parts = {name: self._windows(part)[: limits.get(name)] for name, part in splits.items()}
        self.interval = -(-len(self._train) // (batch * (length - warm)))

    def batch(self, seed: int, step: int) -> Batch:
        places = len(self._train) - self._length
        starts = torch.randint(places, (self._batch, 1), generator=generator("windows", seed, step))
        where = (starts + torch.arange(self._length + 1)).to(self._device)
        return _pairs(self._train[where])

    def _windows(self, part: torch.Tensor) -> list[Batch]:
        """Cut windows whose counted predictions follow each other; an incomplete last one is left out."""
        windows = part.unfold(0, self._length + 1, self._length - self._warm)
        return [_pairs(chunk) for chunk in torch.split(windows, EVALUATED)]

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        counted = self._length - self._warm
        return F.cross_entropy(*self._counted(outputs, targets), reduction="sum") / counted

    def parts(self, split: str) -> Sequence[Batch]:
        return self._parts[split]

    def measure(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        scores, symbols = self._counted(outputs, targets)
        right = (scores.argmax(dim=-1) == symbols).sum() / (self._length - self._warm)
        return self.loss(outputs, targets) / log(2), right

    def _counted(self, outputs: torch.Tensor, targets: torch.Tensor) -> Batch:
        return outputs[:, self._warm :].flatten(0, 1), targets[:, self._warm :].flatten()


def _pairs(windows: torch.Tensor) -> Batch:
    return windows[:, :-1], windows[:, 1:]
