"""MNIST: the full set from a folder, the cache or the network; else the real sample inside the package.

The checksums of the full set are those of the *decompressed* files, so that a recompressed copy is as good as the
canonical one.
"""

import gzip
import hashlib
import lzma
import os
import zlib
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FOLDER_VARIABLE = "LEARNABLE_WAVELETS_DATA"
CHOICES = ("auto", "full", "sample")
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
SAMPLE_NAME = "mnist-sample.xz"
SAMPLE_SHA256 = "2dcf540c06b2aedcc104d841d97ab4e5bd335e58a2f2ae0724cf492edb08f251"  # of the file itself, as packed

Bytes = npt.NDArray[np.uint8]


class DataError(ValueError):
    """Data that is damaged, incomplete or out of reach; the message is one line and names the file."""


class Mnist(NamedTuple):
    """Images `(N, 28, 28)` and labels `(N,)` as uint8, with where they came from."""

    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes
    name: str
    """`"full"` or `"sample"`."""
    source: str
    """One line for people: what was loaded, and why."""


def load_mnist(data: str = "auto") -> Mnist:
    """MNIST: the full set where it is at hand (`auto`), the full set or an error (`full`), or the `sample`.

    Looks into the folder named by the environment variable `LEARNABLE_WAVELETS_DATA` (`mnist/*.gz` or `*.gz` in it),
    then into the user's cache. Only `full` downloads.

    Raises:
        DataError: a file is damaged or missing beside its siblings, or `full` cannot be had.
        ValueError: `data` is none of the choices.
    """
    if data not in CHOICES:
        raise ValueError(f"`data` must be one of {', '.join(CHOICES)}, got {data!r}")
    folder, downloads = None if data == "sample" else _find_folder(), roots()[0] / "mnist"
    if data == "full" and folder in (None, downloads):
        folder = _download(downloads)
    if folder is not None:
        arrays = [parse_idx(read_gz(folder / f"{name}.gz", digest))[0] for name, digest in SHA256.items()]
        return _mnist(arrays, "full", f"MNIST, full set, from {folder}")
    why = (
        "as asked"
        if data == "sample"
        else f"no full set in ${FOLDER_VARIABLE} or in the cache; --data full downloads it"
    )
    return _load_sample(why)


def _load_sample(why: str) -> Mnist:
    packed = resources.files(__package__).joinpath("data", SAMPLE_NAME).read_bytes()
    if hashlib.sha256(packed).hexdigest() != SAMPLE_SHA256:
        raise DataError(_damaged(SAMPLE_NAME, SAMPLE_SHA256, packed))
    raw = lzma.decompress(packed)
    arrays = []
    while raw:
        array, raw = parse_idx(raw)
        arrays.append(array)
    counts = f"{len(arrays[1]):,} training and {len(arrays[3]):,} test images"
    return _mnist(arrays, "sample", f"MNIST, the sample inside the package, {counts} ({why})")


def _mnist(arrays: list[Bytes], name: str, source: str) -> Mnist:
    train_images, train_labels, test_images, test_labels = arrays
    return Mnist(train_images, train_labels, test_images, test_labels, name, source)


def parse_idx(raw: bytes) -> tuple[Bytes, bytes]:
    """The first IDX array (unsigned bytes) in `raw`, and what follows it."""
    ndim = raw[3]
    start = 4 + 4 * ndim
    shape = np.frombuffer(raw, dtype=">u4", count=ndim, offset=4).astype(int)
    stop = start + int(shape.prod())
    return np.frombuffer(raw[start:stop], dtype=np.uint8).reshape(shape), raw[stop:]


def read_gz(path: Path, digest: str) -> bytes:
    """The decompressed content of `path`, whose SHA-256 must be `digest`.

    Raises:
        DataError: the file is missing, cannot be decompressed or has another checksum.
    """
    chunks: list[bytes] = []
    note = ""
    try:
        with gzip.open(path) as file:
            while chunk := file.read(1 << 20):
                chunks.append(chunk)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: complete {path.parent}, or use --data sample") from error
    except (OSError, EOFError, zlib.error) as error:  # what had come until then still has a checksum to show
        note = f"decompression stopped: {error}"
    raw = b"".join(chunks)
    if note or hashlib.sha256(raw).hexdigest() != digest:
        raise DataError(_damaged(path, digest, raw, note))
    return raw


def _damaged(path: Path | str, digest: str, content: bytes, note: str = "") -> str:
    got = hashlib.sha256(content).hexdigest()
    extra = f" ({note})" if note else ""
    return f"{path} is damaged: SHA-256 should be {digest}, got {got}{extra}"


def roots() -> list[Path]:
    """Where data may lie, the folder that downloads go to first."""
    import pooch

    chosen = os.environ.get(FOLDER_VARIABLE)
    cache = Path(pooch.os_cache("learnable-wavelets"))
    return [Path(chosen), cache] if chosen else [cache]


def _find_folder() -> Path | None:
    """The first folder that holds any of the four files: to hold only some is a fault to report, not to pass by."""
    folders = [folder for root in roots() for folder in (root / "mnist", root)]
    return next((folder for folder in folders if any((folder / f"{name}.gz").exists() for name in SHA256)), None)


def _download(folder: Path) -> Path:
    """`folder`, with those files fetched that an earlier command, perhaps interrupted, has not."""
    for name, digest in SHA256.items():
        if not (folder / f"{name}.gz").exists():
            _download_one(name, digest, folder)
    return folder


def _download_one(name: str, digest: str, folder: Path) -> None:
    """Fetch one file from the first mirror that has it unharmed; nothing else is left in `folder`."""
    import pooch

    reasons = []
    for mirror in MIRRORS:
        url = f"{mirror}{name}.gz"
        try:
            # No hash here: ours is of the content, and the mirrors need not have compressed it alike.
            path = Path(pooch.retrieve(url, known_hash=None, fname=f"{name}.gz.part", path=folder))
            try:
                read_gz(path, digest)
            except DataError:
                path.unlink()
                raise
            path.replace(folder / f"{name}.gz")
            return
        except (OSError, DataError) as error:  # requests' errors are OSErrors
            reasons.append(f"{mirror}: {error}")
    raise DataError(
        f"could not download {name}.gz ({'; '.join(reasons)}): lay the four files into a folder and set "
        f"{FOLDER_VARIABLE} to it, or use --data sample"
    )
