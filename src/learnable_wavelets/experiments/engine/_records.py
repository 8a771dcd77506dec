"""Records of runs: JSON lines during the training, one JSON file each at its end.

A folder may be shared by several processes: each run has files of its own, and the table is made anew from all of them.
"""

import json
import math
import os
from errno import ENOSPC
from pathlib import Path
from typing import Any

from ..._output import check_regular, read_text

Record = dict[str, Any]
GROUP = ("experiment", "layer", "settings", "protocol", "data", "epochs", "interval", "parameters")


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


def read_record(path: Path) -> Record:
    """Read one run.

    Raises:
        ValueError: the file is not JSON, or not the record of a run.
    """
    text = read_text(path)
    try:
        record = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    keys = (*GROUP, "seed", "last", "chosen", "history", "wavelet_loss")
    missing = [key for key in keys if not isinstance(record, dict) or key not in record]
    if missing:
        raise ValueError(f"{path} is not the record of a run: it has no {', '.join(missing)}")
    return dict(record)


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
