"""`distill_`: a student trained on what a teacher's layers do."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

import learnable_wavelets as lw
from learnable_wavelets.compress import _distill
from learnable_wavelets.compress._features import recording

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


class Residual(nn.Module):
    """Adds to its input what its layer makes of it."""

    def __init__(self, in_place):
        super().__init__()
        self.fc, self.in_place = nn.Linear(64, 64), in_place

    def forward(self, x):
        y = self.fc(x)
        return x.add_(y) if self.in_place else x + y


def activated(in_place):
    return nn.Sequential(nn.LeakyReLU(0.5, in_place), nn.Linear(64, 64), nn.LeakyReLU(0.5, in_place), nn.Linear(64, 2))


@pytest.mark.parametrize(("make", "epochs"), [(Residual, 0), (activated, 2)])
def test_models_that_work_in_place(make, epochs):
    losses, batches = [], [batch.clone() for batch in DATA]
    for in_place in (False, True):
        torch.manual_seed(0)
        teacher = make(in_place)
        student = copy.deepcopy(teacher)
        lw.compress_(student, CONFIG, lambda module, name: name != "3")
        losses.append(lw.distill_(student, teacher, batches, layer_epochs=2, epochs=epochs))
    assert losses[0] == losses[1]
    assert all(torch.equal(one, other) for one, other in zip(batches, DATA, strict=True))


def test_recordings_are_copies_in_the_graph():
    layer, x = nn.Linear(64, 64), DATA[0].clone()
    expected = layer(x)
    with recording({"a": layer}) as outputs, recording({"a": layer}, with_inputs=True) as calls:
        layer(x).relu_()
    x.zero_()
    assert (outputs["a"][0].args, outputs["a"][0].keywords) == ((), {})
    assert torch.equal(calls["a"][0].args[0], DATA[0])
    assert all(torch.equal(found["a"][0].output, expected) for found in (outputs, calls))
    assert outputs["a"][0].output.requires_grad


class Stream(IterableDataset):
    def __iter__(self):
        yield from torch.cat(DATA)


def test_a_loader_without_a_length():
    student, teacher = pair()
    losses = lw.distill_(student, teacher, DataLoader(Stream(), batch_size=16))
    assert [len(found) for found in losses.values()] == [1, 1]


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
    frozen, other = copy.deepcopy(student).requires_grad_(False), copy.deepcopy(teacher)
    lw.compress_(other, lw.Compression(**{**CONFIG.to_dict(), "seed": 1}), lambda module, name: name != "4")
    for student in (frozen, other):
        before = state(student)
        with pytest.raises(ValueError, match="`checkpoint` must be of the same call"):
            lw.distill_(student, teacher, DATA, layer_epochs=2, checkpoint=path)
        assert same(before, student.state_dict())
    with pytest.raises(ValueError, match="`checkpoint` must be a file of an earlier call of `compress_`"):
        lw.compress_(teacher, lw.Compression(depth=0, rank=2), inputs=DATA, checkpoint=path)
    assert path.exists()


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


def test_inference_mode():
    student, teacher = pair()
    with torch.inference_mode(), pytest.raises(ValueError, match="`batches` must be used outside of"):
        lw.distill_(student, teacher, DATA)


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
