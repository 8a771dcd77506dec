"""Checkpoints that a kill at any moment leaves whole."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from ..._output import check_regular, write_atomic
from ._records import check_identity
from ._trainer import Trainer

_PARTIAL = ".part"  # the same in every process: the lock admits one, which takes the place of a killed one


class Checkpoint:
    """The file from which a run is resumed; written at intervals of `seconds`, and never seen half written."""

    def __init__(self, path: Path, identity: dict[str, Any], seconds: float) -> None:
        self.path, self.identity, self.seconds = path, identity, seconds
        self._due = time.monotonic() + seconds

    def load(self, trainer: Trainer) -> bool:
        """Set `trainer` to the state in the file, if there is one.

        Raises:
            ValueError: it is the checkpoint of a run with other settings, or damaged.
        """
        if not self.path.exists():
            return False
        check_regular(self.path)
        try:
            state = torch.load(self.path, map_location=trainer.device, weights_only=True)
            identity = state["identity"]
        except Exception as error:  # torch raises errors of many types
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(f"{self.path} cannot be read ({first}): --overwrite starts the run anew") from error
        check_identity(self.path, identity, self.identity)
        trainer.load_state_dict(state["trainer"])
        return True

    def save_if_due(self, trainer: Trainer) -> None:
        if time.monotonic() >= self._due:
            self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        content = io.BytesIO()  # torch's own file writer hides the cause where the disk is full
        torch.save({"identity": self.identity, "trainer": trainer.state_dict()}, content)
        write_atomic(self.path, content.getvalue(), _PARTIAL)
        self._due = time.monotonic() + self.seconds

    def remove(self) -> None:
        """Delete the file, when the run is finished or starts anew."""
        self.path.unlink(missing_ok=True)
        self.path.with_name(self.path.name + _PARTIAL).unlink(missing_ok=True)

    def newer_than(self, record: Path) -> bool:
        """Return True if the file belongs to a run that was to replace `record`."""
        try:
            return self.path.stat().st_mtime_ns > record.stat().st_mtime_ns
        except FileNotFoundError:  # another process may remove it now
            return False


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, which the system releases however this process ends.

    Raises:
        ValueError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        raise ValueError(f"another process is at the run {path.stem}: wait for it, or give another --out") from None
