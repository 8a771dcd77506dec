"""MNIST-bg-rot and MNIST-noise, made anew: always the same images, and what is promised of them."""

import hashlib

import numpy as np
import pytest

from learnable_wavelets.experiments.tasks import DataError, Mnist, _variations, vary
from learnable_wavelets.experiments.tasks._variations import SIGMA, noise, rotate

from .conftest import cut

HASHES = {
    "bg-rot": "4df99009bd8372af467f01b98f28472db823d40adeff6ac6cc1196ac8c4b7f6a",
    "noise": "701ef0b21d69384e617285d0385eef13d42784157e990b8cf1a4678d632f4fcf",
}


@pytest.mark.parametrize("kind", HASHES)
def test_always_the_same_images(sample: Mnist, kind: str) -> None:
    made = vary(cut(sample, 120, 60), kind)
    assert (made.name, made.train_images.dtype, made.train_images.shape) == (f"sample-{kind}", np.uint8, (120, 28, 28))
    assert made.source.startswith(f"MNIST-{kind}, 120 training and 60 test images, made from MNIST, the sample")
    assert np.array_equal(made.test_labels, sample.test_labels[:60])
    images = made.train_images.tobytes() + made.test_images.tobytes()
    assert hashlib.sha256(images).hexdigest() == HASHES[kind]


def test_training_images_are_drawn_at_random(sample: Mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _variations.TRAIN == 12_000
    monkeypatch.setattr(_variations, "TRAIN", 40)
    few = cut(sample, 50, 10)
    made = vary(few, "noise")
    assert len(made.train_images) == 40
    shown = [np.where(few.train_images > 0, image, 0) for image in made.train_images]
    origin = [int((part == few.train_images).all(axis=(1, 2)).argmax()) for part in shown]
    assert len(set(origin)) == 40
    assert origin != sorted(origin)
    assert np.array_equal(made.train_labels, few.train_labels[origin])


def test_images_of_the_full_set_are_checked(sample: Mnist) -> None:
    other = cut(sample, 30, 10)._replace(name="full")
    with pytest.raises(DataError, match="MNIST-noise is damaged: SHA-256 should be 279c4574"):
        vary(other, "noise")


def test_noise_is_behind_the_digit(sample: Mnist) -> None:
    few = cut(sample, 1, 100)
    made = vary(few, "noise").test_images
    digit = few.test_images > 0
    assert np.array_equal(made[digit], few.test_images[digit])
    behind = made[~digit] / 255
    assert behind.mean() == pytest.approx(0.5, abs=0.01)
    assert behind.std() == pytest.approx(0.25, abs=0.03)  # a little less: cut off at black and white


def test_noise_has_variance_one_and_correlates_as_a_gaussian() -> None:
    drawn = noise(500, np.random.RandomState(0))
    assert drawn.var() == pytest.approx(1, abs=0.05)
    drawn /= drawn.std()
    for distance in (1, 2, 4):
        expected = np.exp(-(distance**2) / (4 * SIGMA**2))
        assert (drawn[:, :, distance:] * drawn[:, :, :-distance]).mean() == pytest.approx(expected, abs=0.02)
        assert (drawn[:, distance:] * drawn[:, :-distance]).mean() == pytest.approx(expected, abs=0.02)


def test_rotation(sample: Mnist) -> None:
    images = sample.train_images[:4]
    quarter = np.full(4, np.pi / 2)
    assert np.array_equal(rotate(images, 0 * quarter), images)
    assert np.array_equal(rotate(images, quarter), np.rot90(images, axes=(2, 1)))
    there = rotate(images, quarter / 2)
    assert there.sum() == pytest.approx(images.sum(), rel=0.01)  # nothing of a digit leaves
    assert np.abs(there.astype(float) - images).mean() > 10
    back = rotate(there, -quarter / 2)
    assert np.abs(back.astype(float) - images).mean() < 10


def test_angles_and_patches_differ_from_image_to_image(sample: Mnist) -> None:
    same = np.repeat(sample.train_images[:1], 50, axis=0)
    made = vary(cut(sample, 50, 1)._replace(train_images=same), "bg-rot").train_images
    assert len({image.tobytes() for image in made}) == 50
    corners = made[:, :4, :4]  # no digit reaches them
    assert len({corner.tobytes() for corner in corners}) > 45


def test_unknown_variant(sample: Mnist) -> None:
    with pytest.raises(ValueError, match="`variant` must be one of bg-rot, noise; got 'fog'"):
        vary(cut(sample, 2, 2), "fog")
