"""Small data: the real sample, cut."""

import pytest
import torch
from torch import nn

from learnable_wavelets.experiments.paper import mnist, shl, shootout
from learnable_wavelets.experiments.tasks import Images, Mnist, as_maps, as_vectors, load_mnist

CPU = torch.device("cpu")


def cut(data: Mnist, train: int, test: int) -> Mnist:
    return data._replace(
        train_images=data.train_images[:train],
        train_labels=data.train_labels[:train],
        test_images=data.test_images[:test],
        test_labels=data.test_labels[:test],
    )


@pytest.fixture(scope="session")
def sample() -> Mnist:
    return load_mnist("sample")


@pytest.fixture
def few(sample: Mnist) -> Mnist:
    """Enough for four steps and one test batch."""
    return cut(sample, 250, 200)


@pytest.fixture
def maps(few: Mnist) -> Images:
    """200 images for training, 50 held out."""
    return Images(few, as_maps, 50, 50, CPU)


@pytest.fixture
def vectors(few: Mnist) -> Images:
    return Images(few, as_vectors, 50, 50, CPU)


@pytest.fixture
def small(few: Mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the commands little data."""
    for module in (mnist, shl, shootout):
        monkeypatch.setattr(module, "load_mnist", lambda _: few)


def same_state(one: nn.Module, other: nn.Module) -> bool:
    """To the bit."""
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
