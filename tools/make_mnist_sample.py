"""Make the MNIST sample that is embedded in the package.

    python tools/make_mnist_sample.py FOLDER_WITH_THE_FOUR_IDX_GZ_FILES

The rule: every 7th training image (numbers 0, 7, 14, ...; 8,572 of them) and every 5th test image (numbers 0, 5,
10, ...; 2,000 of them), with their labels, in file order. Evenly spaced, because the two halves of the test set differ;
an odd step, because the training images with even and with odd numbers differ too (mean brightness .123 and .139).
No class was balanced by hand.

The result is four IDX files, one after the other, compressed with xz. Its checksum, printed at the end, belongs into
`experiments/tasks/_mnist.py`.
"""

import argparse
import hashlib
import lzma
import struct
from pathlib import Path

import numpy as np

from learnable_wavelets.experiments.tasks import _files, _mnist

EVERY = {"train": 7, "t10k": 5}
TARGET = Path(__file__).parents[1] / "src/learnable_wavelets/experiments/data" / _mnist.SAMPLE_NAME


def idx(array: np.ndarray) -> bytes:
    """Format `array` (uint8) as an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def sample(folder: Path) -> bytes:
    """Make the sample's uncompressed bytes from the full set in `folder`."""
    parts = []
    for name, content in _mnist.FILES.items():
        array, _ = _mnist.parse_idx(_files.read_gz(folder / f"{name}.gz", content))
        parts.append(idx(array[:: EVERY[name.split("-")[0]]]))
    return b"".join(parts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    raw = sample(parser.parse_args().folder)
    # Position bits model text-like alignment, which pixels have not; four literal context bits measured best.
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]
    packed = lzma.compress(raw, filters=filters)
    TARGET.write_bytes(packed)
    print(f"{TARGET.name}: {len(packed):,} bytes, SHA-256 {hashlib.sha256(packed).hexdigest()}")
