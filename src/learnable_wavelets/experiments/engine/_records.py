"""Records of runs: JSON lines during the training, one JSON file each at its end.

A folder may be shared by several processes: each run has files of its own, and the table is made anew from all of them.
"""

import json
import math
import os
from collections.abc import Collection
from errno import ENOSPC
from pathlib import Path
from types import NoneType
from typing import Any

from ..._output import check_regular, read_text

Record = dict[str, Any]
GROUP = ("experiment", "layer", "settings", "protocol", "data", "epochs", "interval", "parameters")
_FIELDS: dict[str, Any] = {
    "experiment": str, "layer": str, "settings": str, "protocol": str, "data": str, "epochs": int, "interval": int,
    "parameters": int, "seed": int, "last": dict, "chosen": (dict, NoneType), "history": list,
    "wavelet_loss": (int, float, NoneType),
}  # fmt: skip
_EPOCH = ("epoch", "train_loss", "seconds")


class JsonLines:
    """A file of JSON objects, one a line; each is one unbuffered write, so that an interrupt leaves whole lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            check_regular(path)
        self._file = path.open("wb", buffering=0)

    def write(self, record: Record) -> None:
        line = json.dumps(finite(record), allow_nan=False).encode() + b"\n"
        try:
            if self._file.write(line) < len(line):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def finite(record: Record) -> Record:
    """Replace NaN and infinity, which JSON does not have, by `None`."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}


def read_runs(folder: Path) -> list[Record]:
    """Read the finished runs of `folder`, sorted by name.

    Raises:
        ValueError: there is none, or a file is not the record of a run.
    """
    runs = [read_record(path) for path in sorted(folder.glob("runs/*.json"))]
    if not runs:
        raise ValueError(f"no finished run in {folder / 'runs'}")
    return runs


def read_record(path: Path, more: Collection[str] = ()) -> Record:
    """Read one run, which must have `more` keys than those of every run.

    Raises:
        ValueError: the file is not JSON, or not the record of a run.
    """
    text = read_text(path)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    what = f"{path} is not the record of a run"
    missing = [key for key in (*_FIELDS, *more) if not isinstance(record, dict) or key not in record]
    if missing:
        raise ValueError(f"{what}: it has no {', '.join(missing)}")
    for key, kind in _FIELDS.items():
        if not isinstance(record[key], kind):
            raise ValueError(f"{what}: its {key} is {str(record[key])[:40]}")
    for epoch in record["history"] or [None]:
        if not isinstance(epoch, dict) or not all(key in epoch for key in _EPOCH):
            raise ValueError(f"{what}: its history must have {', '.join(_EPOCH)}, got {str(epoch)[:40]}")
    return {"run": path.stem, **record}


def check_identity(path: Path, found: Record, wanted: Record) -> None:
    """Check that `path` holds the same run.

    Raises:
        ValueError: it does not; the message names the first difference.
    """
    for key in sorted(found.keys() | wanted.keys()):
        if found.get(key) != wanted.get(key):
            raise ValueError(
                f"{path} is of another run ({key}: {found.get(key)}, not {wanted.get(key)}): "
                "--overwrite replaces it, another --out keeps it"
            )
