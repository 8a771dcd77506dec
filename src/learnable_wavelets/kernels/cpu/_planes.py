"""Calls of the 2-D transform in C, which is one function: an analysis, or its adjoint with the filters' gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..reference import coeff_lengths
from . import _cpu as _c
from ._calls import DTYPES, MODES

Four = tuple[Tensor, Tensor, Tensor, Tensor]
Pair = tuple[str, str]
_NONE = (0, 0, 0, 0)


def dwt2(x: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor, mode0: str, mode1: str) -> Tensor:
    bank, modes = (lo0, hi0, lo1, hi1), (mode0, mode1)
    bands = x.new_empty((4, *_shape(x, bank, modes)))
    _call(x, bank, modes, x.data_ptr(), _NONE, _addresses(bands.unbind(0)), _NONE, backwards=True)
    return bands


def dwt2_apart(x: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor, mode0: str, mode1: str) -> list[Tensor]:
    """Return what `dwt2` does in four tensors."""
    bank, modes = (lo0, hi0, lo1, hi1), (mode0, mode1)
    shape = _shape(x, bank, modes)
    bands = [x.new_empty(shape) for _ in range(4)]
    _call(x, bank, modes, x.data_ptr(), _NONE, _addresses(bands), _NONE, backwards=True)
    return bands


def idwt2(
    aa: Tensor, ad: Tensor, da: Tensor, dd: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor,
    n0: int, n1: int, mode0: str, mode1: str,
) -> Tensor:  # fmt: skip
    y = aa.new_empty((*aa.shape[:-2], n0, n1))
    bank, bands = (lo0, hi0, lo1, hi1), _addresses((aa, ad, da, dd))
    _call(y, bank, _of_inverse(mode0, mode1), 0, bands, (y.data_ptr(), 0, 0, 0), _NONE, backwards=False)
    return y


def dwt2_backward(
    grad: Tensor, x: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor, mode0: str, mode1: str,
    needs: Sequence[bool],
) -> list[Tensor]:  # fmt: skip
    return dwt2_pullback(grad.unbind(0), x, lo0, hi0, lo1, hi1, mode0, mode1, needs)


def dwt2_pullback(
    grads: Sequence[Tensor], x: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor, mode0: str, mode1: str,
    needs: Sequence[bool],
) -> list[Tensor]:  # fmt: skip
    """Return the gradients from those of the four bands."""
    inputs = (x, lo0, hi0, lo1, hi1)
    results, (at, *of_filters) = _results(inputs, needs)
    to = (at, 0, 0, 0)
    _call(x, inputs[1:], (mode0, mode1), x.data_ptr(), _addresses(grads), to, of_filters, backwards=True)
    return results


def idwt2_backward(
    grad: Tensor, aa: Tensor, ad: Tensor, da: Tensor, dd: Tensor, lo0: Tensor, hi0: Tensor, lo1: Tensor, hi1: Tensor,
    n0: int, n1: int, mode0: str, mode1: str, needs: Sequence[bool],
) -> list[Tensor]:  # fmt: skip
    """Return the gradients: of the bands the analysis of `grad`, of the filters what `dwt2` of `grad` would have."""
    bank, bands, modes, x = (lo0, hi0, lo1, hi1), (aa, ad, da, dd), _of_inverse(mode0, mode1), grad.data_ptr()
    results = [torch.empty_like(aa) if any(needs[:4]) else grad.new_empty(0) for _ in bands]
    if any(needs[:4]):
        _call(grad, bank, modes, x, _NONE, _addresses(results), _NONE, backwards=False)
        results = [r if needed else r.new_empty(0) for r, needed in zip(results, needs[:4], strict=True)]
    found, grads = _results(bank, needs[4:])
    if any(needs[4:]):
        _call(grad, bank, modes, x, _addresses(bands), _NONE, grads, backwards=False)
    return [*results, *found]


def _of_inverse(*modes: str) -> Pair:
    mode0, mode1 = (mode if mode == "periodization" else "zero" for mode in modes)  # the inverse of the others too
    return mode0, mode1


def _shape(x: Tensor, bank: Four, modes: Pair) -> tuple[int, ...]:
    sizes = zip(x.shape[-2:], (bank[0], bank[2]), modes, strict=True)
    return (*x.shape[:-2], *(coeff_lengths(n, lo.shape[0], mode, 1)[0] for n, lo, mode in sizes))


def _addresses(bands: Sequence[Tensor]) -> list[int]:
    return [band.data_ptr() for band in bands]


def _results(inputs: Sequence[Tensor], needs: Sequence[bool]) -> tuple[list[Tensor], list[int]]:
    results = [torch.empty_like(t) if needed else t.new_empty(0) for t, needed in zip(inputs, needs, strict=True)]
    return results, [r.data_ptr() if needed else 0 for r, needed in zip(results, needs, strict=True)]


def _call(
    plane: Tensor, bank: Four, modes: Pair, x: int, bands: Sequence[int], out: Sequence[int], grads: Sequence[int],
    backwards: bool,
) -> None:  # fmt: skip
    """Call the C for planes like `plane`; an analysis reads filters of a decomposition backwards."""
    n0, n1 = plane.shape[-2:]
    _c.planes(
        plane.numel() // (n0 * n1), n0, MODES[modes[0]], bank[0].shape[0], n1, MODES[modes[1]], bank[2].shape[0],
        x, *bands, *out, *_addresses(bank), *grads, backwards, DTYPES[plane.dtype], torch.get_num_threads(),
    )  # fmt: skip
