"""`--tensorboard`: the curves of a run and pictures of its filters, epoch by epoch."""

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import nn

import learnable_wavelets as lw

from ..engine import Record

_POSITION = ("epoch", "step", "choose")


def check_tensorboard() -> None:
    """Refuse the option before hours of training, where TensorBoard is missing."""
    if find_spec("tensorboard") is None:
        raise ValueError('--tensorboard needs tensorboard: pip install "learnable-wavelets[tensorboard]"')


@contextmanager
def event_files(folder: Path, again: bool) -> Iterator[Callable[[nn.Module, Record], None]]:
    """Yield a function that writes an epoch; a run that is resumed goes on, one that runs again starts anew."""
    writers: list[Any] = []

    def write(network: nn.Module, record: Record) -> None:
        if not writers:
            from torch.utils.tensorboard.writer import SummaryWriter

            if again:
                shutil.rmtree(folder, ignore_errors=True)
            writers.append(SummaryWriter(folder, purge_step=record["step"]))
        for name, value in record.items():
            if name not in _POSITION and isinstance(value, (int, float)) and math.isfinite(value):
                writers[0].add_scalar(name, value, record["step"])
        lw.plotting.add_filters(writers[0], network, record["step"])
        writers[0].flush()

    try:
        yield write
    finally:
        for writer in writers:
            writer.close()
