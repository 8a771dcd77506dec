"""The contract of a learnable filter bank."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import NamedTuple

import pywt
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

from .._configuration import ConfiguredModule
from ..functional._bank import FilterBank, WaveletLike, in_double, rounding

_PLAIN = (nn.Parameter, Tensor)


def unsharded(value: Tensor) -> Tensor:
    """Return a parameter in full, also one that `fully_shard` has distributed over processes; differentiable."""
    if type(value) in _PLAIN or not hasattr(value, "full_tensor"):
        return value
    gathered: Tensor = value.full_tensor()
    return gathered


def copy_into(parameter: Tensor, values: Tensor) -> None:
    """Copy `values` into a parameter; into its shards, if `fully_shard` has distributed it over processes."""
    if hasattr(parameter, "device_mesh"):
        from torch.distributed.tensor import distribute_tensor

        mesh = parameter.device_mesh
        values = distribute_tensor(values.to(mesh.device_type), mesh, parameter.placements)  # type: ignore[attr-defined]
    parameter.copy_(values)


def real_tensors() -> contextlib.AbstractContextManager[object]:
    """Leave fake and tracing modes: the start of a filter is computed from numbers, also where layers are traced."""
    return contextlib.nullcontext() if torch.compiler.is_compiling() else _disable_current_modes()


class WaveletFilter(ConfiguredModule, ABC):
    """A module whose output is a two-channel filter bank; it knows how far the bank is from a wavelet.

    Subclasses parametrise the bank: four free filters with a soft loss, or angles or lifting steps that keep it exact.
    A subclass implements `forward()`, which takes no arguments and returns the four filters as a `FilterBank`,
    differentiable in the parameters, and `reset_parameters()`. Layers and `functional` take any of them, and two layers
    may share one. They call the module, so that hooks, pruning and weight norm work as on every module.
    """

    def __init__(self, start: FilterBank, label: str) -> None:
        super().__init__()
        # The float64 start, off every device: `reset_parameters` returns to it, also after `to_empty`.
        self._start = tuple(map(tuple, map(Tensor.tolist, start)))
        self._label = label

    @abstractmethod
    def forward(self) -> FilterBank:
        """Return the four filters, differentiable in the parameters."""

    @property
    def filter_bank(self) -> FilterBank:
        """The four filters: the output of the module, `self()`."""
        bank: FilterBank = self()
        return bank

    @abstractmethod
    def reset_parameters(self) -> None:
        """Return to the wavelet that the filter was made from."""

    def losses(self) -> dict[str, Tensor]:
        """Return the terms of the wavelet loss by name; for an exact bank they are true zeros, without a gradient."""
        own = next(self.parameters(), None)
        zero = torch.zeros((), device=(self.filter_bank.dec_lo if own is None else own).device)
        return {"perfect_reconstruction": zero, "alias_cancellation": zero}

    def regularizer(self) -> Tensor:
        """Return the sum of `losses()`: what `wavelet_regularizer` adds to the training loss."""
        return torch.stack([*self.losses().values()]).sum()

    def to_pywt(self, name: str = "learned") -> pywt.Wavelet:
        """Return the present bank as a `pywt.Wavelet`."""
        return self.filter_bank.to_pywt(name)

    def start_bank(self) -> FilterBank:
        """Return the float64 bank that training started from, on the CPU."""
        return FilterBank(*[torch.tensor(f, dtype=torch.float64, device="cpu") for f in self._start])

    def __len__(self) -> int:
        return len(self._start[0])

    def extra_repr(self) -> str:
        return f"{self._label}, taps={len(self)}"


class Start(NamedTuple):
    """The bank that a filter is made from."""

    bank: FilterBank
    """In float64, on the CPU, padded."""
    label: str
    """For `repr`."""
    rounding: float
    """The error that its taps may have."""


def read_start(wavelet: WaveletLike, taps: int | None = None) -> Start:
    """Read the bank to start from, padded to `taps`."""
    table = {"device": "cpu", "dtype": torch.float64} if isinstance(wavelet, (str, pywt.Wavelet)) else {}
    given = FilterBank.from_wavelet(wavelet, **table)  # type: ignore[arg-type]
    bank = in_double(given)
    if taps is not None:
        bank = bank.pad(taps)
    name = wavelet.name if isinstance(wavelet, pywt.Wavelet) else wavelet
    label = repr(name) if isinstance(name, str) else type(wavelet).__name__
    if not bool(torch.stack(bank).isfinite().all()):
        raise ValueError(f"`wavelet` must have finite filters, got {label} with infinite or NaN taps")
    return Start(bank, label, rounding(given.dec_lo.dtype))
