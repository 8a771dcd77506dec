"""Small data: the real sample, cut."""

import pytest

from learnable_wavelets.experiments import _data


def cut(data: _data.Mnist, train: int, test: int) -> _data.Mnist:
    return data._replace(
        train_images=data.train_images[:train],
        train_labels=data.train_labels[:train],
        test_images=data.test_images[:test],
        test_labels=data.test_labels[:test],
    )


@pytest.fixture(scope="session")
def sample() -> _data.Mnist:
    return _data.load_mnist("sample")


@pytest.fixture
def few(sample: _data.Mnist) -> _data.Mnist:
    """Enough for four steps and one test batch."""
    return cut(sample, 250, 200)
