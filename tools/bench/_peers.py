"""Other packages' transforms, each optional: the call, and the conversion of its result to our convention."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import pywt
import torch
from torch import Tensor

from learnable_wavelets.benchmarks._measure import Call

Make = Callable[..., Call]


@dataclass(frozen=True)
class Peer:
    """A way to call a package.

    Attributes:
        label: the name in the tables.
        package: the name for pip.
        module: the name for import.
        make: makes the call to time from the module, the input and the settings.
        read: converts its result to one tensor like ours.
        note: differences from ours besides speed.
        only: the device type, if it does not take every one.
        modes: its signal extensions under pywt's names; empty where there are none.
    """

    label: str
    package: str
    module: str
    make: Make
    read: Callable[[Any], Tensor]
    note: str
    only: str | None = None
    modes: tuple[str, ...] = ()


def load(peer: Peer, device: torch.device) -> ModuleType | str:
    """Import the package, or return the reason why it cannot be measured."""
    if peer.only not in (None, device.type):
        return f"takes {'CPU arrays' if peer.only == 'cpu' else 'CUDA tensors'} only"
    if peer_version(peer) is None:
        return "not installed"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not in our users' hands
            return import_module(peer.module)
    except Exception as error:  # a package that fails to import must not stop the others
        return f"cannot be imported: {error}"


def peer_version(peer: Peer) -> str | None:
    """Return the installed version."""
    try:
        return version(peer.package)
    except PackageNotFoundError:
        return None


def _fht_cpu(module: ModuleType, x: Tensor) -> Call:
    array, threads = x.numpy(), torch.get_num_threads()
    return lambda: module.fht(array, inplace=False, num_threads=threads)


def _fht_cpu_inplace(module: ModuleType, x: Tensor) -> Call:
    # The first call transforms the data, which is checked; see `_transforms` for how repeated calls stay finite.
    array, threads = x.clone().numpy(), torch.get_num_threads()
    return lambda: module.fht(array, num_threads=threads)


def _hadamard_transform(module: ModuleType, x: Tensor) -> Call:
    root = x.shape[-1] ** 0.5
    return lambda: (module.hadamard_transform(x), root)


def _fast_hadamard_transform(module: ModuleType, x: Tensor) -> Call:
    return lambda: module.hadamard_transform(x)


def _pywt(module: ModuleType, x: Tensor, wavelet: str, mode: str, level: int) -> Call:
    array, bank = x.numpy(), pywt.Wavelet(wavelet)
    return lambda: module.wavedec(array, bank, mode=mode, level=level)


def _ptwt(module: ModuleType, x: Tensor, wavelet: str, mode: str, level: int) -> Call:
    bank = pywt.Wavelet(wavelet)
    return lambda: module.wavedec(x, bank, mode=mode, level=level)


def _pytorch_wavelets(module: ModuleType, x: Tensor, wavelet: str, mode: str, level: int) -> Call:
    transform = module.DWT1DForward(J=level, wave=wavelet, mode=mode).to(device=x.device, dtype=x.dtype)
    channel = x.unsqueeze(1)
    return lambda: transform(channel)


def _read_bands(answer: tuple[Tensor, list[Tensor]]) -> Tensor:
    coarse, details = answer
    return torch.cat([coarse, *reversed(details)], dim=-1).squeeze(1)


FWHT = (
    Peer("fht-cpu", "fht-cpu", "fht_cpu", _fht_cpu, torch.as_tensor,
         "numpy; not normalised; into a new array, as ours", only="cpu"),
    Peer("fht-cpu, in place", "fht-cpu", "fht_cpu", _fht_cpu_inplace, torch.as_tensor,
         "numpy; not normalised; overwrites its input: half the memory of ours", only="cpu"),
    Peer("hadamard-transform", "hadamard-transform", "hadamard_transform", _hadamard_transform,
         lambda answer: answer[0] * answer[1], "torch; normalised, ours is not here"),
    Peer("fast-hadamard-transform", "fast-hadamard-transform", "fast_hadamard_transform", _fast_hadamard_transform,
         torch.as_tensor, "CUDA; compiled at install; not normalised", only="cuda"),
)  # fmt: skip
WAVEDEC = (
    Peer("pywt", "PyWavelets", "pywt", _pywt, lambda answer: torch.cat([torch.as_tensor(c) for c in answer], dim=-1),
         "numpy; one thread", only="cpu", modes=tuple(pywt.Modes.modes)),
    Peer("ptwt", "ptwt", "ptwt", _ptwt, lambda answer: torch.cat(list(answer), dim=-1),
         "torch; no periodization (its periodic is another mode)",
         modes=("zero", "constant", "symmetric", "periodic", "reflect")),
    Peer("pytorch_wavelets", "pytorch-wavelets", "pytorch_wavelets", _pytorch_wavelets, _read_bands,
         "torch; wants (batch, channel, n), bands fine to coarse", modes=("zero", "symmetric", "periodization")),
)  # fmt: skip
