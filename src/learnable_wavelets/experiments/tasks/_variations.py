"""MNIST with rotated digits over pictures, and with digits in correlated noise; made anew from MNIST, always the same.

After the sets of Larochelle, Erhan, Courville, Bergstra and Bengio, ICML 2007, whose files are no longer at hand.
`docs/experiments.md` says how these differ. Random numbers come from `RandomState`, whose streams numpy keeps.
"""

import numpy as np
import numpy.typing as npt
import pywt.data

from ..._checks import check_choice
from ._files import check_content
from ._mnist import Bytes, Mnist

SIZE, TRAIN = 28, 12_000
SEEDS = {"bg-rot": 1, "noise": 2}
SIGMA, REACH = 2.0, 6  # of the noise, in pixels

HASHES = {
    "bg-rot": "dc0412de471a85fbd66260d376e49557c982ffabaae90d4ec9717c005d134541",
    "noise": "279c4574790f6055791929d3b4a09198ee3d5087fcee2a805b0a08ee34100a65",
}
"""SHA-256 of the training and test images made from the full set."""

Floats = npt.NDArray[np.float64]


def vary(data: Mnist, kind: str) -> Mnist:
    """Put 12,000 training images, drawn at random, and all test images before backgrounds; `bg-rot` or `noise`.

    Raises:
        DataError: the images made from the full set are others than everywhere else.
    """
    check_choice("variant", kind, tuple(SEEDS))
    source = np.random.RandomState(SEEDS[kind])
    drawn = source.permutation(len(data.train_labels))[:TRAIN]
    train, test = (VARIATIONS[kind](images, source) for images in (data.train_images[drawn], data.test_images))
    if data.name == "full":
        check_content(f"MNIST-{kind}", train.tobytes() + test.tobytes(), HASHES[kind])
    counts = f"{len(train):,} training and {len(test):,} test images"
    origin = f"MNIST-{kind}, {counts}, made from {data.source}"
    return Mnist(train, data.train_labels[drawn], test, data.test_labels, f"{data.name}-{kind}", origin)


def _rotated_over_pictures(images: Bytes, source: np.random.RandomState) -> Bytes:
    """Turn each digit by its own angle, and put a patch of one of three pictures behind it."""
    angles = source.uniform(0, 2 * np.pi, len(images))
    pictures = np.stack([pywt.data.camera(), pywt.data.ascent(), pywt.data.aero()]).astype(np.uint8)
    which = source.randint(len(pictures), size=len(images))
    top, left = (source.randint(extent - SIZE + 1, size=(len(images), 1)) for extent in pictures.shape[1:])
    inside = np.arange(SIZE)
    patches = pictures[which[:, None, None], (top + inside)[:, :, None], (left + inside)[:, None, :]]
    turned = np.concatenate([rotate(images[part], angles[part]) for part in _chunks(len(images))])
    return np.where(turned == 0, patches, turned)


def _in_noise(images: Bytes, source: np.random.RandomState) -> Bytes:
    """Put noise round grey behind each digit, its standard deviation a quarter of the range."""
    behind = [_bytes(255 * (0.5 + noise(len(images[part]), source) / 4)) for part in _chunks(len(images))]
    return np.where(images == 0, np.concatenate(behind), images)


VARIATIONS = {"bg-rot": _rotated_over_pictures, "noise": _in_noise}


def rotate(images: Bytes, angles: Floats) -> Bytes:
    """Turn images about their centres, bilinearly; black comes in from outside."""
    centre = (SIZE - 1) / 2
    down, right = np.meshgrid(np.arange(SIZE) - centre, np.arange(SIZE) - centre, indexing="ij")
    cos, sin = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    y = np.clip(cos * down - sin * right + centre, -1, SIZE)
    x = np.clip(sin * down + cos * right + centre, -1, SIZE)
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2))).astype(np.float64)
    row, column = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    total, every = np.zeros_like(y), np.arange(len(images))[:, None, None]
    for i, weight_y in enumerate((1 - (y - row), y - row)):
        for j, weight_x in enumerate((1 - (x - column), x - column)):
            total += weight_y * weight_x * padded[every, row + 1 + i, column + 1 + j]
    return _bytes(total)


def noise(count: int, source: np.random.RandomState) -> Floats:
    """Draw normal noise of variance 1: white noise through a Gaussian window."""
    window = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / SIGMA) ** 2)
    window /= np.sqrt((window**2).sum())
    white = source.standard_normal((count, SIZE + 2 * REACH, SIZE + 2 * REACH))
    rows, smooth = np.zeros((count, SIZE, SIZE + 2 * REACH)), np.zeros((count, SIZE, SIZE))
    for i, weight in enumerate(window):
        rows += weight * white[:, i : i + SIZE]
    for i, weight in enumerate(window):
        smooth += weight * rows[:, :, i : i + SIZE]
    return smooth


def _bytes(values: Floats) -> Bytes:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _chunks(count: int, size: int = 1000) -> list[slice]:
    """Cut into parts that fit the cache."""
    return [slice(start, start + size) for start in range(0, count, size)]
