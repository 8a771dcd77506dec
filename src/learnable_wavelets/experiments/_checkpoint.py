"""Checkpoints that a kill at any moment leaves whole."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from ._trainer import Trainer


class Checkpoint:
    """The file that a run goes on from; written every so many seconds, and never seen half written."""

    def __init__(self, path: Path, identity: dict[str, Any], seconds: float) -> None:
        self.path, self.identity, self.seconds = path, identity, seconds
        self._saved = time.monotonic()

    def load(self, trainer: Trainer) -> bool:
        """Set `trainer` back to where the file has it, if there is one.

        Raises:
            ValueError: it is the checkpoint of a run with other settings, or damaged.
        """
        if not self.path.exists():
            return False
        try:
            state = torch.load(self.path, map_location=trainer.device, weights_only=True)
            identity = state["identity"]
        except Exception as error:  # torch raises what its parts raise
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(f"{self.path} cannot be read ({first}): delete it to start the run anew") from error
        check_identity(self.path, identity, self.identity)
        trainer.load_state_dict(state["trainer"])
        return True

    @property
    def _partial(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    def save_if_due(self, trainer: Trainer) -> None:
        if time.monotonic() - self._saved >= self.seconds:
            self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._partial.open("wb") as file:
            torch.save({"identity": self.identity, "trainer": trainer.state_dict()}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._partial, self.path)
        self._saved = time.monotonic()

    def remove(self) -> None:
        """The run is finished."""
        self.path.unlink(missing_ok=True)
        self._partial.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, which the system gives back however this process ends.

    Raises:
        ValueError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        raise ValueError(f"another process is at the run {path.stem}: wait for it, or give another --out") from None


def check_identity(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """What is to be continued must be the same run.

    Raises:
        ValueError: it is not; the message names the first difference.
    """
    for key in sorted(found.keys() | wanted.keys()):
        if found.get(key) != wanted.get(key):
            raise ValueError(
                f"{path} is of another run ({key}: {found.get(key)}, not {wanted.get(key)}): "
                "delete it to start anew, or give another --out"
            )
