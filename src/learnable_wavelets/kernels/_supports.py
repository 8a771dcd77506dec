"""State what a back end is: the functions that it has, and the calls that it serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ._recurrence import Inputs, Recurrence
from ._sandwich import Sandwich


class Supports(NamedTuple):
    """Modes, dtypes and device types of a back end: none where it is not built; the reference takes every device."""

    modes: tuple[str, ...]
    dtypes: tuple[torch.dtype, ...]
    devices: tuple[str, ...] = ()


class Backend(Protocol):
    """A module with these functions; they trust their input, see `_validate`.

    The gradients have an empty tensor where none is needed.
    """

    SUPPORTS: Supports
    PLANES: Supports
    """Calls that its `PlaneBackend` serves: without dtypes it is none, and planes go through the 1-D functions."""
    RECURRENT: Supports
    """The calls of `gru` and `lstm` that it serves better than a loop over the steps."""

    def missing(self) -> str | None: ...

    def fwht(self, x: Tensor, scale: float) -> Tensor: ...

    def wavedec(self, x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> Tensor: ...

    def waverec(self, packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor: ...

    def wavedec_backward(
        self, grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int, needs: Sequence[bool]
    ) -> Sequence[Tensor]: ...

    def waverec_backward(
        self, grad: Tensor, packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int, needs: Sequence[bool]
    ) -> Sequence[Tensor]: ...

    def sandwich(self, x: Tensor, operands: Sandwich) -> Tensor: ...

    def sandwich_backward(
        self, grad: Tensor, x: Tensor, operands: Sandwich, needs: Sequence[bool]
    ) -> Sequence[Tensor]: ...


class PlaneBackend(Protocol):
    """A back end for more than rows: the last two axes at once, and the stationary transform along any axis.

    In the first, bank and mode 0 belong to axis -2. The bands aa, ad, da, dd that `dwt2` returns are one tensor
    `(4, ..., m0, m1)`, so that each is contiguous; those of `swt`, from coarse to fine, are one of `(bands, *x.shape)`.
    """

    PLANES: Supports

    def dwt2(self, x: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor, mode0: str, mode1: str) -> Tensor: ...

    def idwt2(
        self, aa: Tensor, ad: Tensor, da: Tensor, dd: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor,
        n0: int, n1: int, mode0: str, mode1: str,
    ) -> Tensor: ...  # fmt: skip

    def dwt2_backward(
        self, grad: Tensor, x: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor, mode0: str, mode1: str,
        needs: Sequence[bool],
    ) -> Sequence[Tensor]: ...  # fmt: skip

    def idwt2_backward(
        self, grad: Tensor, aa: Tensor, ad: Tensor, da: Tensor, dd: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor,
        hi1: Tensor, n0: int, n1: int, mode0: str, mode1: str, needs: Sequence[bool],
    ) -> Sequence[Tensor]: ...  # fmt: skip

    def swt(self, x: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int, level: int, trim: bool) -> Tensor: ...

    def iswt(self, cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int) -> Tensor: ...

    def swt_backward(
        self, grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int, level: int, trim: bool,
        needs: Sequence[bool],
    ) -> Sequence[Tensor]: ...  # fmt: skip

    def iswt_backward(
        self, grad: Tensor, cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, axis: int, start_level: int,
        needs: Sequence[bool],
    ) -> Sequence[Tensor]: ...  # fmt: skip


class RecurrentBackend(Backend, Protocol):
    """A back end that takes whole sequences: the reference, and those whose `RECURRENT` has dtypes."""

    def recurrent(self, inputs: Inputs, start: tuple[Tensor, ...], recurrence: Recurrence) -> tuple[Tensor, ...]: ...

    def recurrent_backward(
        self,
        grads: Sequence[Tensor],
        inputs: Inputs,
        start: tuple[Tensor, ...],
        recurrence: Recurrence,
        found: Sequence[Tensor],
        needs: Sequence[bool],
    ) -> Sequence[Tensor]: ...
