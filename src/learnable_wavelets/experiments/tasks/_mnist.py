"""MNIST: the full set from a folder, the cache or the network; else the real sample inside the package.

The checksums of the full set are those of the *decompressed* files, so that a recompressed copy is as good as the
canonical one.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..._checks import check_choice
from ._files import CHOICES, FOLDER_VARIABLE, Content, DataError, folders, read_gz, read_sample

FILES = {
    "train-images-idx3-ubyte": Content(47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": Content(60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": Content(7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": Content(10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
SAMPLE_NAME = "mnist-sample.xz"
SAMPLE_SHA256 = "2dcf540c06b2aedcc104d841d97ab4e5bd335e58a2f2ae0724cf492edb08f251"

Bytes = npt.NDArray[np.uint8]


class Mnist(NamedTuple):
    """Images `(N, 28, 28)` and labels `(N,)` as uint8, and their origin."""

    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes
    name: str
    """`"full"` or `"sample"`."""
    source: str
    """One line for people: the set that was loaded, and why."""


def load_mnist(data: str = "auto") -> Mnist:
    """Load MNIST: the full set if it is at hand, else the sample (`auto`); the full set or an error; or the `sample`.

    Looks into the folder named by the environment variable `LEARNABLE_WAVELETS_DATA` (`mnist/*.gz` or `*.gz` in it),
    then into the user's cache. Only `full` downloads.

    Raises:
        DataError: a file is damaged or missing beside its siblings, or `full` is not available.
        ValueError: `data` is none of the choices.
    """
    check_choice("data", data, CHOICES)
    folder, downloads = None if data == "sample" else _find_folder(), folders()[0] / "mnist"
    if data == "full" and folder in (None, downloads):
        folder = _download(downloads)
    if folder is not None:
        arrays = [parse_idx(read_gz(folder / f"{name}.gz", content))[0] for name, content in FILES.items()]
        return _mnist(arrays, "full", f"MNIST, full set, from {folder}")
    missing = f"no full set in ${FOLDER_VARIABLE} or in the cache; --data full downloads it"
    return _load_sample("as asked" if data == "sample" else missing)


def _load_sample(why: str) -> Mnist:
    raw = read_sample(SAMPLE_NAME, SAMPLE_SHA256)
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
    """Split `raw` into its first IDX array (unsigned bytes) and the rest."""
    ndim = raw[3]
    start = 4 + 4 * ndim
    shape = np.frombuffer(raw, dtype=">u4", count=ndim, offset=4).astype(int)
    stop = start + int(shape.prod())
    return np.frombuffer(raw[start:stop], dtype=np.uint8).reshape(shape), raw[stop:]


def _find_folder() -> Path | None:
    """Find the first folder with any of the four files: if others are missing there, that is an error to report."""
    found = [folder for root in folders() for folder in (root / "mnist", root)]
    return next((folder for folder in found if any((folder / f"{name}.gz").exists() for name in FILES)), None)


def _download(folder: Path) -> Path:
    """Fetch the files that `folder` does not have yet, perhaps after an interrupted download."""
    for name, content in FILES.items():
        if not (folder / f"{name}.gz").exists():
            _download_one(name, content, folder)
    return folder


def _download_one(name: str, content: Content, folder: Path) -> None:
    """Fetch one file from the first mirror that has it undamaged; nothing else is left in `folder`."""
    import pooch

    reasons = []
    for mirror in MIRRORS:
        try:
            # No hash here: ours is of the content, and the mirrors need not have compressed it alike.
            path = Path(pooch.retrieve(f"{mirror}{name}.gz", known_hash=None, fname=f"{name}.gz.part", path=folder))
            try:
                read_gz(path, content)
            except DataError:
                path.unlink()
                raise
            path.replace(folder / f"{name}.gz")
            return
        except (OSError, DataError) as error:  # noqa: PERF203  (requests' errors are OSErrors)
            reasons.append(f"{mirror}: {error}")
    raise DataError(
        f"could not download {name}.gz ({'; '.join(reasons)}): put the four files into a folder and set "
        f"{FOLDER_VARIABLE} to it, or use --data sample"
    )
