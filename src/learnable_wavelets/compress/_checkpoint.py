"""A file of finished parts, from which a long call goes on after a kill."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch

from .._output import check_regular, write_atomic


class Checkpoint:
    """Values by key in one file of one function, written anew with each; without a path nothing is kept.

    Raises:
        ValueError: the file is none of these.
    """

    def __init__(self, path: str | os.PathLike[str] | None, function: str) -> None:
        self.path = None if path is None else Path(path)
        self._kind = f"learnable_wavelets checkpoint of {function}"
        self._values: dict[str, Any] = {}
        if self.path is not None and self.path.exists():
            self._values = _read(self.path, self._kind, function)

    def get(self, key: str) -> Any:
        """Return the value of a key, or `None`."""
        return self._values.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep a value of tensors, numbers, texts, lists and dicts."""
        self._values[key] = value
        if self.path is not None:
            content = io.BytesIO()
            torch.save({"kind": self._kind, "values": self._values}, content)
            write_atomic(self.path, content.getvalue())

    def remove(self) -> None:
        """Delete the file: the call has ended."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _read(path: Path, kind: str, function: str) -> dict[str, Any]:
    check_regular(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        if found["kind"] != kind:
            raise KeyError
    except Exception as error:  # torch raises errors of many types
        raise ValueError(
            f"`checkpoint` must be a file of an earlier call of `{function}`, got {path}: give another path, or delete "
            "it to begin anew"
        ) from error
    values: dict[str, Any] = found["values"]
    return values
