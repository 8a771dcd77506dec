"""MNIST as a task: normalised pixels on the device, a validation split from the training images, shuffled passes."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional as F

from ..engine import generator
from ..spec import Batch, Task
from ._mnist import Bytes, Mnist

MEAN, STD = 0.1307, 0.3081
TEST_BATCH = 1000


class Images(Task):
    """Classify images by `cross_entropy`; the error is in percent.

    Args:
        data: the images as bytes.
        shape: converts normalised images `(N, 28, 28)` to the network's input.
        batch: examples of a step.
        validation: how many training images, evenly spaced, choose the epoch instead of training.
        shuffle: a new order in each pass; else file order.
        shift: the largest random shift of a training map along both axes, in pixels, new at each step.
        device: holds all tensors.
    """

    metrics = ("error", "cross_entropy")

    def __init__(
        self,
        data: Mnist,
        shape: Callable[[torch.Tensor], torch.Tensor],
        batch: int,
        validation: int,
        device: torch.device,
        *,
        shuffle: bool = True,
        shift: int = 0,
    ) -> None:
        held = held_out(len(data.train_labels), validation)
        self.data, self.source = data.name, data.source
        self.train = _split(data.train_images[~held], data.train_labels[~held], shape, device)
        self.validation = _split(data.train_images[held], data.train_labels[held], shape, device)
        self.test = _split(data.test_images, data.test_labels, shape, device)
        self._batch, self._shuffle, self._shift, self._device = batch, shuffle, shift, device
        self.interval = -(-len(self.train[1]) // batch)
        self._order = lru_cache(maxsize=1)(self._draw_order)

    def _draw_order(self, seed: int, epoch: int) -> torch.Tensor:
        count = len(self.train[1])
        order = torch.randperm(count, generator=generator("order", seed, epoch))
        return (order if self._shuffle else torch.arange(count)).to(self._device)

    def batch(self, seed: int, step: int) -> Batch:
        epoch, position = divmod(step, self.interval)
        index = self._order(seed, epoch)[position * self._batch : (position + 1) * self._batch]
        images = self.train[0][index]
        if self._shift:
            images = shifted(images, self._shift, generator("shift", seed, step))
        return images, self.train[1][index]

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(outputs, targets, reduction="sum")

    def parts(self, split: str) -> Sequence[Batch]:
        images, labels = {"validation": self.validation, "test": self.test}[split]
        pairs = zip(torch.split(images, TEST_BATCH), torch.split(labels, TEST_BATCH), strict=True)
        return list(pairs) if len(labels) else []

    def measure(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return 100 * (outputs.argmax(dim=-1) != targets).sum(), F.cross_entropy(outputs, targets, reduction="sum")


def held_out(count: int, validation: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mask `validation` evenly spaced entries of `count`.

    Raises:
        ValueError: nothing would be left for training.
    """
    if not 0 <= validation < count:
        raise ValueError(f"`validation` must be between 0 and {count - 1}, for {count} images, got {validation}")
    mask = np.zeros(count, dtype=np.bool_)
    mask[np.arange(validation) * count // max(validation, 1)] = True
    return mask


def _split(images: Bytes, labels: Bytes, shape: Callable[[torch.Tensor], torch.Tensor], device: torch.device) -> Batch:
    pixels = torch.from_numpy(images.astype(np.float32)) / 255
    return shape((pixels - MEAN) / STD).to(device), torch.from_numpy(labels.astype(np.int64)).to(device)


def shifted(maps: torch.Tensor, reach: int, source: torch.Generator) -> torch.Tensor:
    """Move each of `(N, C, height, width)` by its own -`reach` to `reach` pixels along both axes."""
    count, _, *sizes = maps.shape
    padded = F.pad(maps, (reach,) * 4, value=-MEAN / STD)
    starts = torch.randint(2 * reach + 1, (2, count, 1), generator=source)
    rows, columns = ((start + torch.arange(size)).to(maps.device) for start, size in zip(starts, sizes, strict=True))
    every = torch.arange(count, device=maps.device)[:, None, None]
    return padded[every, :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def as_maps(images: torch.Tensor) -> torch.Tensor:
    """Return `(N, 1, 28, 28)`."""
    return images.unsqueeze(1)


def as_vectors(images: torch.Tensor) -> torch.Tensor:
    """Return `(N, 1024)`: two rows and columns of background on each side make a power of two."""
    return F.pad(images, (2, 2, 2, 2), value=-MEAN / STD).flatten(1)


def as_pixels(images: torch.Tensor) -> torch.Tensor:
    """Return `(N, 784)`."""
    return images.flatten(1)


def as_short_sequences(images: torch.Tensor) -> torch.Tensor:
    """Return `(N, 196, 1)`: the mean of two by two pixels a step."""
    return as_sequences(F.avg_pool2d(images.unsqueeze(1), 2).squeeze(1))


def as_sequences(images: torch.Tensor) -> torch.Tensor:
    """Return `(N, 784, 1)`: one pixel a step."""
    return images.flatten(1).unsqueeze(-1)
