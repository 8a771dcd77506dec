"""Small data: the real sample, cut."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from learnable_wavelets.experiments import _data, mnist, shootout
from learnable_wavelets.experiments._experiment import Case, Experiment
from learnable_wavelets.experiments._images import Images, as_maps, as_vectors
from learnable_wavelets.experiments._options import Choices
from learnable_wavelets.experiments._task import Task

CPU = torch.device("cpu")


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


@pytest.fixture
def maps(few: _data.Mnist) -> Images:
    """200 images for training, 50 held out."""
    return Images(few, as_maps, 50, 50, CPU)


@pytest.fixture
def vectors(few: _data.Mnist) -> Images:
    return Images(few, as_vectors, 50, 50, CPU)


@pytest.fixture
def small(few: _data.Mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands see little data."""
    for module in (mnist, shootout):
        monkeypatch.setattr(module, "load_mnist", lambda _: few)


@pytest.fixture
def case() -> Callable[..., Case]:
    """`case(experiment, layer, task, **choices)`."""

    def make(experiment: Experiment, layer: str, task: Task, **choices: object) -> Case:
        return Case(experiment, layer, replace(Choices(), **choices), task)

    return make


def same_state(one: nn.Module, other: nn.Module) -> bool:
    """To the bit."""
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
