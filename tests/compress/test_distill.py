"""`distill_`: a student trained on what a teacher's layers do."""

import copy

import pytest
import torch
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets.compress import _distill

from .models import perceptron

CONFIG = lw.Compression(wavelet="haar", taps=8, depth=2)
DATA = list(torch.randn(4, 16, 64, generator=torch.Generator().manual_seed(0)))


def pair():
    teacher = perceptron()
    student = copy.deepcopy(teacher)
    lw.compress_(student, CONFIG, lambda module, name: name != "4")
    return student, teacher


def state(model):
    return copy.deepcopy(model.state_dict())


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_layers_come_near_their_teachers_first():
    student, teacher = pair()
    before, head = state(teacher), student[4].weight.clone()
    losses = lw.distill_(student, teacher, DATA, layer_epochs=12, epochs=0, lr=3e-3)
    assert losses["layers"][-1] < 0.5 * losses["layers"][0]
    assert losses["whole"] == []
    assert torch.equal(student[4].weight, head)
    assert same(before, teacher.state_dict())
    assert all(p.grad is None for p in [*student.parameters(), *teacher.parameters()])


def test_the_whole_comes_near_then():
    student, teacher = pair()
    x, head = torch.cat(DATA), student[4].weight.clone()
    apart = (student(x) - teacher(x)).norm()
    losses = lw.distill_(student, teacher, DATA, layer_epochs=0, epochs=12, lr=3e-3)
    assert (losses["layers"], len(losses["whole"])) == ([], 12)
    assert losses["whole"][-1] < 0.6 * losses["whole"][0]
    assert (student(x) - teacher(x)).norm() < 0.8 * apart
    assert not torch.equal(student[4].weight, head)


def test_a_loss_of_the_users_own():
    student, teacher = pair()
    seen = []

    def loss(outputs, targets):
        seen.append((outputs.requires_grad, targets.requires_grad))
        return (outputs - targets).abs().mean()

    lw.distill_(student, teacher, DATA, layer_epochs=0, loss=loss)
    assert seen == [(True, False)] * 4


def test_modes_and_frozen_parameters_stay():
    student, teacher = pair()
    student[4].weight.requires_grad_(False)
    kept = student[4].weight.clone()
    student[1].eval()
    teacher.train()
    lw.distill_(student, teacher, {"input": DATA[0]})
    assert [module.training for module in student[:3]] == [True, False, True]
    assert teacher.training
    assert torch.equal(student[4].weight, kept)


class Nested(nn.Module):
    """Returns nested outputs, and reads named arguments."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 64)

    def forward(self, x, scale=1.0):
        y = self.fc(input=scale * x)
        return {"a": y, "b": (y.sum(-1), y.argmax(-1))}


def test_nested_outputs_and_named_arguments():
    teacher = Nested()
    student = copy.deepcopy(teacher)
    lw.compress_(student, CONFIG)
    losses = lw.distill_(student, teacher, [{"x": DATA[0], "scale": 2.0}], layer_epochs=2, epochs=2)
    assert all(len(found) == 2 for found in losses.values())


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [2, 4, 6, 11])
def test_a_killed_call_goes_on(after, tmp_path, monkeypatch):
    student, teacher = pair()
    whole, path = copy.deepcopy(student), tmp_path / "distill.pt"
    options = {"layer_epochs": 2, "epochs": 1, "checkpoint": path}
    expected = lw.distill_(whole, teacher, DATA, **options)
    monkeypatch.setattr(_distill, "_SECONDS", 0.0)
    start, left, train = copy.deepcopy(student), [after], _distill._Phase._train

    def killing(phase, *args):
        if not left[0]:
            raise Killed
        left[0] -= 1
        return train(phase, *args)

    monkeypatch.setattr(_distill._Phase, "_train", killing)
    with pytest.raises(Killed):
        lw.distill_(student, teacher, DATA, **options)
    left[0] = 12 - after  # no step is made twice
    student = start
    assert lw.distill_(student, teacher, DATA, **options) == expected
    assert same(whole.state_dict(), student.state_dict())
    assert not path.exists()


def test_a_checkpoint_of_another_call(tmp_path, monkeypatch):
    student, teacher = pair()
    path = tmp_path / "distill.pt"
    monkeypatch.setattr(_distill._Phase, "_rate", lambda phase, done: {}[phase.name] if done else 1.0)
    with pytest.raises(KeyError):
        lw.distill_(student, teacher, DATA, layer_epochs=2, checkpoint=path)
    with pytest.raises(ValueError, match="`checkpoint` must be of the same call"):
        lw.distill_(student, teacher, DATA, layer_epochs=3, checkpoint=path)


def without_layer():
    student, teacher = pair()
    return student, nn.Sequential(*teacher[:2]), DATA


def sharing():
    student, teacher = pair()
    student[4] = teacher[4]
    return student, teacher, DATA


BAD = {
    "`student` must have compressed layers, got none": lambda: (perceptron(), perceptron(), DATA),
    "`teacher` must have a module '2' as `student`, got none": without_layer,
    "`student` must have parameters of its own, got some of `teacher`": sharing,
    "`batches` must run through the model, got RuntimeError": lambda: (*pair(), [torch.randn(4, 3)]),
    "`batches` must have at least one batch": lambda: (*pair(), []),
    "`batches` must be readable in each epoch, as a list is, got a list_iterator": lambda: (*pair(), iter(DATA)),
    "`batches` must be a tensor, a tuple, a mapping": lambda: (*pair(), 3),
    "`teacher` must be a torch.nn.Module, got int": lambda: (pair()[0], 3, DATA),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_distilled(message):
    student, teacher, data = BAD[message]()
    before = state(student)
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        lw.distill_(student, teacher, data)
    assert "\n" not in str(caught.value)
    assert same(before, student.state_dict())


@pytest.mark.parametrize("name", ["layer_epochs", "epochs", "lr"])
def test_negative_numbers(name):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 0, got -1"):
        lw.distill_(*pair(), DATA, **{name: -1})


def test_outputs_that_are_no_numbers():
    student, teacher = pair()
    for model in (student, teacher):
        model.forward = lambda x, model=model: model[2](model[0](x)).argmax(-1)
    with pytest.raises(ValueError, match="`teacher` must return tensors of real numbers"):
        lw.distill_(student, teacher, DATA, layer_epochs=0)
