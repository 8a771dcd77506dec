"""Training on tensors that lie on the device: one loop, one record an epoch."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import learnable_wavelets as lw

from ._data import Bytes, Mnist

MEAN, STD = 0.1307, 0.3081
BATCH, TEST_BATCH = 64, 1000


class Split(NamedTuple):
    """Normalised images `(N, 1, 28, 28)` and their labels."""

    images: torch.Tensor
    labels: torch.Tensor


class Recipe(NamedTuple):
    """The published optimiser and schedule: Adadelta, the rate falling by a constant factor after each epoch."""

    epochs: int
    learning_rate: float = 1.0

    @property
    def gamma(self) -> float:
        """The published .8 at 20 epochs; shorter runs fall as far in fewer steps."""
        return float(0.8 ** (20 / self.epochs))


class Epoch(NamedTuple):
    """What is known after one epoch; `test_error` is in percent."""

    epoch: int
    train_loss: float
    wavelet_loss: float
    test_error: float
    seconds: float


def steps(images: int) -> int:
    """Optimiser steps in one epoch over `images`."""
    return -(-images // BATCH)


def splits(data: Mnist, device: torch.device) -> tuple[Split, Split]:
    """Training and test split of `data` as tensors on `device`."""

    def split(images: Bytes, labels: Bytes) -> Split:
        pixels = torch.from_numpy(images.astype(np.float32)).unsqueeze(1) / 255
        return Split(((pixels - MEAN) / STD).to(device), torch.from_numpy(labels.astype(np.int64)).to(device))

    return split(data.train_images, data.train_labels), split(data.test_images, data.test_labels)


def train(
    model: nn.Module, train: Split, test: Split, recipe: Recipe, seed: int, on_step: Callable[[], None] = lambda: None
) -> Iterator[Epoch]:
    """Train `model` in place on `nll + wavelet_regularizer(model)`, yielding a record after each epoch."""
    # With the channels last, convolution and pooling take half the time on a CPU.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adadelta(model.parameters(), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=recipe.gamma)
    shuffle = torch.Generator().manual_seed(seed)
    for epoch in range(1, recipe.epochs + 1):
        start = time.perf_counter()
        train_loss = _one_epoch(model, train, optimizer, shuffle, on_step)
        schedule.step()
        with torch.no_grad():
            wavelet_loss = float(lw.wavelet_regularizer(model))
        yield Epoch(epoch, train_loss, wavelet_loss, test_error(model, test), time.perf_counter() - start)


def _one_epoch(
    model: nn.Module,
    data: Split,
    optimizer: torch.optim.Optimizer,
    shuffle: torch.Generator,
    on_step: Callable[[], None],
) -> float:
    """One pass over `data` in a new order; the mean of the task loss."""
    model.train()
    total = torch.zeros((), device=data.images.device)  # summed there: reading each loss would wait for the device
    order = torch.randperm(len(data.labels), generator=shuffle).to(data.images.device)
    for index in torch.split(order, BATCH):
        loss = F.nll_loss(model(data.images[index]), data.labels[index])
        optimizer.zero_grad()
        (loss + lw.wavelet_regularizer(model)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach() * len(index)
        on_step()
    return float(total) / len(data.labels)


@torch.no_grad()
def test_error(model: nn.Module, data: Split) -> float:
    """Wrongly classified images, in percent."""
    model.eval()
    pairs = zip(torch.split(data.images, TEST_BATCH), torch.split(data.labels, TEST_BATCH), strict=True)
    wrong = sum(int((model(images).argmax(dim=-1) != labels).sum()) for images, labels in pairs)
    return 100 * wrong / len(data.labels)
