"""Checkpoints that a kill at any moment leaves whole."""

import os
import time
from pathlib import Path
from typing import Any

import torch

from ._trainer import Trainer


class Checkpoint:
    """The file that a run goes on from; written every so many seconds, and never seen half written."""

    def __init__(self, path: Path, identity: dict[str, Any], seconds: float) -> None:
        self.path, self.identity, self.seconds = path, identity, seconds
        self._saved = time.monotonic()

    def load(self, trainer: Trainer) -> bool:
        """Set `trainer` back to where the file has it, if there is one.

        Raises:
            ValueError: it is the checkpoint of a run with other settings.
        """
        if not self.path.exists():
            return False
        state = torch.load(self.path, map_location=trainer.device, weights_only=True)
        check_identity(self.path, state["identity"], self.identity)
        trainer.load_state_dict(state["trainer"])
        return True

    def save_if_due(self, trainer: Trainer) -> None:
        if time.monotonic() - self._saved >= self.seconds:
            self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.part")
        with partial.open("wb") as file:
            torch.save({"identity": self.identity, "trainer": trainer.state_dict()}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self.path)
        self._saved = time.monotonic()

    def remove(self) -> None:
        """The run is finished, or starts anew."""
        self.path.unlink(missing_ok=True)
        self.path.with_name(f"{self.path.name}.part").unlink(missing_ok=True)


def check_identity(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """What is to be continued must be the same run.

    Raises:
        ValueError: it is not; the message names the first difference.
    """
    for key in sorted(found.keys() | wanted.keys()):
        if found.get(key) != wanted.get(key):
            raise ValueError(
                f"{path} is of another run ({key}: {found.get(key)}, not {wanted.get(key)}): "
                "start it anew without --resume or give another --out"
            )
