"""`distill_`: train compressed layers on what a teacher's layers do, without labels."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .._checks import check_int, check_number
from ..regularize import wavelet_regularizer
from ._checkpoint import Checkpoint
from ._dense import find_compressed
from ._features import difference, recording
from ._inputs import Arguments, batches, call, check_gradients, count_batches, evaluating
from ._optimizers import parameter_groups
from ._plan import check_model
from ._progress import Advance, progress
from ._project import FILTERS

_SECONDS = 60.0  # between two states in the checkpoint

Loss = Callable[[Any, Any], Tensor]


class _Pair(NamedTuple):
    student: nn.Module
    teacher: nn.Module
    layers: dict[str, tuple[nn.Module, nn.Module]]
    loss: Loss


def distill_(
    student: nn.Module,
    teacher: nn.Module,
    batches: Any,
    *,
    layer_epochs: int = 1,
    epochs: int = 1,
    lr: float = 1e-3,
    loss: Loss | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> dict[str, list[float]]:
    """Train a compressed model to do what a dense one does, in place: layer by layer first, then as a whole.

    Layer by layer, each compressed layer gets the inputs of the teacher's layer of the same name, and its outputs as
    the target. As a whole, the student's outputs and those of its compressed layers are held to the teacher's; all
    parameters that need gradients are trained. Adam's rate falls along a cosine where `batches` has a length.

    Args:
        student: a model with compressed layers, as `compress_` makes one from a copy of the teacher.
        teacher: a model with modules of the same names.
        batches: data without labels, in the forms of `inputs` of `compress_`; read anew in each epoch.
        layer_epochs: passes over the data layer by layer.
        epochs: passes over the data as a whole.
        lr: the learning rate.
        loss: a function of the outputs of student and teacher; `None`: the mean square of their difference over the
            variance.
        checkpoint: a file for the state, written every minute: a call that was killed goes on from it, if the batches
            come in the same order. It is deleted in the end.

    Returns:
        The mean loss of each epoch, in the lists `layers` and `whole`.

    Raises:
        ValueError: a student without compressed layers, or that shares parameters with the teacher; a teacher without
            modules of their names; batches that do not run through the models, or that can be read only once; a
            negative number; a checkpoint of another call.
        TypeError: an argument of another type.

    Examples:
        >>> import copy, torch, learnable_wavelets as lw
        >>> teacher = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
        >>> student, data = copy.deepcopy(teacher), [torch.randn(32, 64) for _ in range(8)]
        >>> report = lw.compress_(student, lw.Compression(taps=16, depth=2), lambda module, name: name == "0")
        >>> losses = lw.distill_(student, teacher, data, layer_epochs=4, epochs=1)
        >>> losses["layers"][-1] < losses["layers"][0]
        True
    """
    pair = _Pair(student, teacher, _layers(student, teacher), difference if loss is None else loss)
    passes = {"layers": check_int("layer_epochs", layer_epochs), "whole": check_int("epochs", epochs)}
    for name, value in (("layer_epochs", layer_epochs), ("epochs", epochs), ("lr", check_number("lr", lr))):
        if not value >= 0:
            raise ValueError(f"`{name}` must be at least 0, got {value}")
    check_gradients("batches")
    if isinstance(batches, Iterator):
        raise ValueError(f"`batches` must be readable in each epoch, as a list is, got a {type(batches).__name__}")
    modes = [(module, module.training) for module in student.modules()]
    state = _State(Checkpoint(checkpoint, "distill_"), [passes, lr, _description(pair)])
    count = count_batches(batches)
    total = None if count is None else sum(passes.values()) * count
    try:
        student.train()
        with progress(total) as advance:
            for phase, count in passes.items():
                _Phase(phase, count, pair, batches, lr, state).run(advance)
    finally:
        for module, training in modes:
            module.training = training
    state.file.remove()
    return state.losses


def _description(pair: _Pair) -> Any:
    """Return what a state must fit: the compressed layers, and the parameters of the whole student."""
    layers = {name: repr(own) for name, (own, _) in pair.layers.items()}
    return layers, [(name, [*p.shape], p.requires_grad) for name, p in pair.student.named_parameters()]


def _layers(student: Any, teacher: Any) -> dict[str, tuple[nn.Module, nn.Module]]:
    """Return the compressed layers of the student by name, each with the teacher's."""
    check_model(student)
    if not isinstance(teacher, nn.Module):
        raise TypeError(f"`teacher` must be a torch.nn.Module, got {type(teacher).__name__}")
    found = {name: module for name, _, _, module in find_compressed(student)}
    if not found:
        raise ValueError("`student` must have compressed layers, got none")
    there = dict(teacher.named_modules(remove_duplicate=False))
    for name in found:
        if name not in there:
            raise ValueError(f"`teacher` must have a module {name!r} as `student`, got none")
    taught = {id(p) for p in teacher.parameters()}
    if any(id(p) in taught for p in student.parameters() if p.requires_grad):
        raise ValueError("`student` must have parameters of its own, got some of `teacher`: convert a deepcopy of it")
    return {name: (module, there[name]) for name, module in found.items()}


class _State:
    """Losses of the epochs, and the state of the phase that a checkpoint holds."""

    def __init__(self, file: Checkpoint, call: Any) -> None:
        self.file, self.call = file, repr(call)
        self.losses: dict[str, list[float]] = {"layers": [], "whole": []}
        self.saved: Any = file.get("distill")
        if self.saved is not None and self.saved["call"] != self.call:
            raise ValueError("`checkpoint` must be of the same call, got one of another: delete it to begin anew")
        if self.saved is not None:
            self.losses = self.saved["losses"]
        self._due = time.monotonic() + _SECONDS

    def save(self, values: Callable[[], dict[str, Any]], now: bool = False) -> None:
        """Keep the state, once a minute or now."""
        if self.file.path is not None and (now or time.monotonic() >= self._due):
            self.file.put("distill", {"call": self.call, "losses": self.losses, **values()})
            self._due = time.monotonic() + _SECONDS

    def take(self, phase: str) -> Any:
        """Return what is kept of a phase, once."""
        if self.saved is None or self.saved["phase"] != phase:
            return None
        saved, self.saved = self.saved, None
        return saved


class _Phase:
    """Training layer by layer, or as a whole."""

    def __init__(self, name: str, epochs: int, pair: _Pair, batches: Any, lr: float, state: _State) -> None:
        self.name, self.epochs, self.pair, self.batches, self.lr, self.state = name, epochs, pair, batches, lr, state
        self.step = self.skip = 0
        self.sum = 0.0

    def run(self, advance: Advance) -> None:
        """Train for all epochs, or from where the checkpoint is on."""
        layers = nn.ModuleList(own for own, _ in self.pair.layers.values())
        trained = layers if self.name == "layers" else self.pair.student
        if not self.epochs or not any(p.requires_grad for p in trained.parameters()):
            return
        optimizer = torch.optim.Adam(parameter_groups(trained, self.lr, 0.0))
        saved = self.state.take(self.name)
        if saved is not None:
            self.pair.student.load_state_dict(saved["student"])
            optimizer.load_state_dict(saved["optimizer"])
            self.skip, self.sum = saved["step"], saved["sum"]
        while len(self.state.losses[self.name]) < self.epochs:
            self._epoch(trained, optimizer, advance)

    def _epoch(self, trained: nn.Module, optimizer: torch.optim.Optimizer, advance: Advance) -> None:
        done = len(self.state.losses[self.name])
        label = f"{self.name}, epoch {done + 1} of {self.epochs}"
        self.step = 0
        for arguments in batches(self.batches, "batches"):
            self.step += 1
            advance(label)
            if self.step <= self.skip:
                continue
            for group in optimizer.param_groups:
                group["lr"] = self.lr * self._rate(done)
            self.sum += self._train(arguments, trained, optimizer)
            self.state.save(partial(self._values, optimizer))
        if not self.step:
            raise ValueError("`batches` must have at least one batch, got none")
        self.state.losses[self.name].append(self.sum / self.step)
        self.step, self.skip, self.sum = 0, 0, 0.0
        self.state.save(partial(self._values, optimizer), now=True)

    def _train(self, arguments: Arguments, trained: nn.Module, optimizer: torch.optim.Optimizer) -> float:
        with torch.enable_grad():
            loss = _by_layer(self.pair, arguments) if self.name == "layers" else _whole(self.pair, arguments)
            self.pair.student.zero_grad()
            (loss + FILTERS * wavelet_regularizer(trained)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        self.pair.student.zero_grad()
        return float(loss.detach())

    def _rate(self, done: int) -> float:
        count = count_batches(self.batches)
        if count is None:
            return 1.0
        return (1 + math.cos(math.pi * (done + (self.step - 1) / count) / self.epochs)) / 2

    def _values(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        state = {"student": self.pair.student.state_dict(), "optimizer": optimizer.state_dict()}
        return {"phase": self.name, "step": self.step, "sum": self.sum, **state}


def _by_layer(pair: _Pair, arguments: Arguments) -> Tensor:
    """Return the mean difference of the layers, each on the inputs of the teacher's."""
    teachers = {name: there for name, (_, there) in pair.layers.items()}
    with evaluating(pair.teacher), recording(teachers, with_inputs=True) as calls:
        call(pair.teacher, arguments, "batches")
    terms = [
        difference(own(*made.args, **made.keywords), made.output)
        for name, (own, _) in pair.layers.items()
        for made in calls[name]
    ]
    if not terms:
        raise ValueError("`batches` must reach a compressed layer, got none that does")
    return torch.stack(terms).mean()


def _whole(pair: _Pair, arguments: Arguments) -> Tensor:
    """Return the loss of the outputs plus the mean difference of the layers."""
    with evaluating(pair.teacher), recording({name: there for name, (_, there) in pair.layers.items()}) as wanted:
        targets = call(pair.teacher, arguments, "batches")
    with recording({name: own for name, (own, _) in pair.layers.items()}) as made:
        outputs = call(pair.student, arguments, "batches")
    terms = [
        difference(one.output, other.output)
        for name in pair.layers
        for one, other in zip(made[name], wanted[name], strict=True)
    ]
    total = pair.loss(outputs, targets)
    return total + torch.stack(terms).mean() if terms else total
