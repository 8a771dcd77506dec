"""Data files: where they lie, and reading them with a known size and checksum."""

import gzip
import hashlib
import lzma
import os
import zlib
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from ..._output import check_regular

FOLDER_VARIABLE = "LEARNABLE_WAVELETS_DATA"
CHOICES = ("auto", "full", "sample")


class DataError(ValueError):
    """Data that are damaged, incomplete or out of reach; the message is one line and names the file."""


class Content(NamedTuple):
    """Size and SHA-256 of a file; of a compressed one, those of its decompressed content."""

    size: int
    sha256: str


def folders() -> list[Path]:
    """List the folders that may hold data, the one for downloads first."""
    import pooch

    chosen = os.environ.get(FOLDER_VARIABLE)
    cache = Path(pooch.os_cache("learnable-wavelets"))
    return [Path(chosen), cache] if chosen else [cache]


def read_gz(path: Path, expected: Content) -> bytes:
    """Decompress `path`, no further than one byte beyond the expected size.

    Raises:
        DataError: the file is missing, is no regular file, cannot be decompressed or has another content.
        OSError: it cannot be opened.
    """
    try:
        with gzip.open(check_regular(path)) as file:
            raw = file.read(expected.size + 1)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: complete {path.parent}, or use --data sample") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged: decompression stopped: {error}") from error
    if len(raw) > expected.size:
        raise DataError(f"{path} is damaged: it holds more than {expected.size:,} bytes")
    return check_content(path, raw, expected.sha256)


def check_content(path: Path | str, content: bytes, sha256: str) -> bytes:
    """Return `content` if its checksum is right.

    Raises:
        DataError: it is not.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{path} is damaged: SHA-256 should be {sha256}, got {found}")
    return content


def read_sample(name: str, sha256: str) -> bytes:
    """Decompress a sample inside the package; the checksum is that of the packed file."""
    packed = resources.files("learnable_wavelets.experiments").joinpath("data", name).read_bytes()
    return lzma.decompress(check_content(name, packed, sha256))
