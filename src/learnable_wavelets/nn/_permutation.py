"""P as a pure function of (seed, block, n), defined for ever: equal on every platform, device and version of torch.

With the generator splitmix64, `mix` its output function and g its increment: `a = mix(seed + g)`,
`b = mix(a + (block + 1) g)`, `c = mix(b + n g)`, and entry i of the row has the hash `mix(c + (i + 1) g)`, all modulo
2**64. The row lists the entries by their hash, unsigned, ties by index.
"""

from __future__ import annotations

import weakref
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_CPU = torch.device("cpu")
# The constants of splitmix64 as signed integers: int64 multiplies and adds like uint64, and compilers can trace it.
_INCREMENT = 0x9E3779B97F4A7C15 - 2**64
_FACTORS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)


def mix(z: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the output function of splitmix64 on 64-bit patterns; shifts fill with zeros."""
    z = (z ^ ((z >> 30) & (2**34 - 1))) * _FACTORS[0]
    z = (z ^ ((z >> 27) & (2**37 - 1))) * _FACTORS[1]
    return z ^ ((z >> 31) & (2**33 - 1))


def permutation_rows(seed: int | None, blocks: int, n: int) -> NDArray[np.int64]:
    """Return `(blocks, n)` indices, a permutation a row; the identity for `None`."""
    if seed is None:
        return np.tile(np.arange(n, dtype=np.int64), (blocks, 1))
    start = (seed + _INCREMENT) % 2**64
    state = mix(np.array([start - 2**64 if start >= 2**63 else start], dtype=np.int64))
    state = mix(state + np.arange(1, blocks + 1, dtype=np.int64) * _INCREMENT)
    state = mix(state + np.array([n], dtype=np.int64) * _INCREMENT)
    hashes = mix(state[:, None] + np.arange(1, n + 1, dtype=np.int64) * _INCREMENT)
    return (hashes ^ -(2**63)).argsort(axis=-1, kind="stable").astype(np.int64)


class Permutation:
    """P of all layers that agree in seed and sizes; made by `shared_permutation`.

    Neither parameter nor buffer. The numpy array is the master, made at its first use: a layer on meta takes no memory.
    Tensors are made from it outside of inference mode and only where nothing traces, one for each device.
    """

    def __init__(self, *key: Any) -> None:
        self.key = key
        self.tensors: dict[torch.device, Tensor] = {}

    @cached_property
    def array(self) -> NDArray[np.int64]:
        return permutation_rows(*self.key)

    def prepare(self, device: torch.device) -> None:
        """Make the tensors for the CPU and `device` ahead of a first call that may be compiled or captured."""
        plain = not torch._C._len_torch_dispatch_stack() and not torch._C._are_functorch_transforms_active()
        if device not in self.tensors and device.type != "meta" and plain and not torch.compiler.is_dynamo_compiling():
            with torch.inference_mode(False):
                for each in (_CPU, device):
                    self.tensors.setdefault(each, torch.from_numpy(self.array).to(each))

    def on(self, device: torch.device) -> Tensor:
        """Return the index tensor on `device`; read it, never write it."""
        found = self.tensors.get(device)
        if torch.compiler.is_dynamo_compiling():
            return self.tensors[_CPU].to(device) if found is None else found
        if found is None:
            self.prepare(device)
            found = self.tensors.get(device)
        # a fake or tracing mode takes no real tensor: `from_numpy` makes one of the mode's own
        if found is None or torch._C._len_torch_dispatch_stack():
            return torch.from_numpy(self.array).to(device)
        return found

    def __reduce__(self) -> Any:
        return shared_permutation, self.key

    def __deepcopy__(self, memo: Any) -> Permutation:
        return self


_SHARED: weakref.WeakValueDictionary[tuple[Any, ...], Permutation] = weakref.WeakValueDictionary()


def shared_permutation(seed: int | None, blocks: int, n: int) -> Permutation:
    """Return the one object of these numbers; its memory goes with the last layer that holds it."""
    if torch.compiler.is_dynamo_compiling():
        torch._dynamo.graph_break()  # the decorators that keep a function from dynamo import it: a second
    found = _SHARED.get((seed, blocks, n))
    if found is None:
        found = _SHARED[seed, blocks, n] = Permutation(seed, blocks, n)
    return found
