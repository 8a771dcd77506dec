"""The operators in flat form, checked: `function(backend, *arguments of the schema)`, and their shapes for tracers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import reference
from ._backend import BACKENDS
from ._flat_recurrent import fake_gru as fake_gru
from ._flat_recurrent import fake_gru_backward as fake_gru_backward
from ._flat_recurrent import fake_lstm as fake_lstm
from ._flat_recurrent import fake_lstm_backward as fake_lstm_backward
from ._flat_recurrent import gru as gru
from ._flat_recurrent import gru_backward as gru_backward
from ._flat_recurrent import lstm as lstm
from ._flat_recurrent import lstm_backward as lstm_backward
from ._planes import dwt2 as dwt2
from ._planes import dwt2_backward as dwt2_backward
from ._planes import fake_dwt2 as fake_dwt2
from ._planes import fake_dwt2_backward as fake_dwt2_backward
from ._planes import fake_idwt2 as fake_idwt2
from ._planes import fake_idwt2_backward as fake_idwt2_backward
from ._planes import idwt2 as idwt2
from ._planes import idwt2_backward as idwt2_backward
from ._planes import reference_dwt2_backward as reference_dwt2_backward
from ._planes import reference_idwt2_backward as reference_idwt2_backward
from ._sandwich import Sandwich, sources
from ._supports import Backend
from ._undecimated import fake_iswt as fake_iswt
from ._undecimated import fake_iswt_backward as fake_iswt_backward
from ._undecimated import fake_swt as fake_swt
from ._undecimated import fake_swt_backward as fake_swt_backward
from ._undecimated import iswt as iswt
from ._undecimated import iswt_backward as iswt_backward
from ._undecimated import reference_iswt_backward as reference_iswt_backward
from ._undecimated import reference_swt_backward as reference_swt_backward
from ._undecimated import swt as swt
from ._undecimated import swt_backward as swt_backward
from ._validate import (
    aligned,
    check_bank,
    check_data,
    check_depth,
    check_each,
    check_grad,
    check_needs,
    check_permutation,
    check_power_of_two,
    check_sandwich,
    check_transform,
)


def fwht(backend: Backend, x: Tensor, scale: float) -> Tensor:
    check_data(x, "x", backend.SUPPORTS)
    check_power_of_two(x.shape[-1])
    return backend.fwht(aligned(x), scale)


def wavedec(backend: Backend, x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> Tensor:
    check_data(x, "x", backend.SUPPORTS, mode)
    x, lo, hi, _ = check_transform(x, lo, hi, mode, level)
    return backend.wavedec(x, lo, hi, mode, level)


def waverec(backend: Backend, packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor:
    check_data(packed, "packed", backend.SUPPORTS, mode)
    packed, lo, hi, _ = check_transform(packed, lo, hi, mode, level, n)
    return backend.waverec(packed, lo, hi, n, mode, level)


def wavedec_backward(
    backend: Backend, grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int, needs: Sequence[bool]
) -> tuple[Tensor, ...]:
    check_data(x, "x", backend.SUPPORTS, mode)
    x, lo, hi, m = check_transform(x, lo, hi, mode, level)
    grad, needs = check_grad(grad, x, m), check_needs(needs, (x, lo, hi))
    return tuple(backend.wavedec_backward(grad, x, lo, hi, mode, level, needs))


def waverec_backward(
    backend: Backend, grad: Tensor, packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int,
    needs: Sequence[bool],
) -> tuple[Tensor, ...]:  # fmt: skip
    check_data(packed, "packed", backend.SUPPORTS, mode)
    packed, lo, hi, _ = check_transform(packed, lo, hi, mode, level, n)
    grad, needs = check_grad(grad, packed, n), check_needs(needs, (packed, lo, hi))
    return tuple(backend.waverec_backward(grad, packed, lo, hi, n, mode, level, needs))


def sandwich(backend: Backend, x: Tensor, *operands: Any) -> Tensor:
    record = Sandwich.from_flat(operands)
    check_data(x, "x", backend.SUPPORTS, record.transform.mode)
    x, record = check_sandwich(x, record)
    _check_entries(backend, record)
    return backend.sandwich(x, record)


def sandwich_backward(backend: Backend, grad: Tensor, x: Tensor, *operands: Any) -> tuple[Tensor, ...]:
    record, needs = Sandwich.from_flat(operands[:-1]), operands[-1]
    check_data(x, "x", backend.SUPPORTS, record.transform.mode)
    x, record = check_sandwich(x, record)
    _check_entries(backend, record)
    needs = check_needs(needs, sources(x, record.tensors()))
    grad = check_grad(grad, x, record.layout.out_features)
    return tuple(backend.sandwich_backward(grad, x, record, needs))


def _check_entries(backend: Backend, record: Sandwich) -> None:
    if backend is not BACKENDS["cpu"]:  # the C checks each entry of its own copy
        check_permutation(record.permutation)


# --- gradients in plain torch, unchecked: under `vmap` and `create_graph=True` there are no addresses to look at

reference_wavedec_backward = reference.wavedec_backward
reference_waverec_backward = reference.waverec_backward


def reference_sandwich_backward(grad: Tensor, x: Tensor, *operands: Any) -> tuple[Tensor, ...]:
    return reference.sandwich_backward(grad, x, Sandwich.from_flat(operands[:-1]), operands[-1])


# --- shapes alone


def fake_fwht(x: Tensor, scale: float) -> Tensor:
    check_data(x, "x")
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def fake_wavedec(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> Tensor:
    check_data(x, "x")
    check_depth(mode, level)
    taps = check_bank(lo, hi)
    return x.new_empty((*x.shape[:-1], sum(reference.coeff_lengths(x.shape[-1], taps, mode, level))))


def fake_waverec(packed: Tensor, lo: Tensor, hi: Tensor, n: int, mode: str, level: int) -> Tensor:
    check_data(packed, "packed")
    check_depth(mode, level)
    check_bank(lo, hi)
    return packed.new_empty((*packed.shape[:-1], n))


def fake_wavedec_backward(grad: Tensor, x: Tensor, lo: Tensor, hi: Tensor, *args: Any) -> tuple[Tensor, ...]:
    check_data(x, "x")
    check_bank(lo, hi)
    return _gradients((x, lo, hi), args[-1], x)


def fake_waverec_backward(grad: Tensor, packed: Tensor, lo: Tensor, hi: Tensor, *args: Any) -> tuple[Tensor, ...]:
    check_data(packed, "packed")
    check_bank(lo, hi)
    return _gradients((packed, lo, hi), args[-1], packed)


def fake_sandwich(x: Tensor, *operands: Any) -> Tensor:
    check_data(x, "x")
    record = Sandwich.from_flat(operands)
    check_each(x, record)
    return x.new_empty((*x.shape[:-1], record.layout.out_features))


def fake_sandwich_backward(grad: Tensor, x: Tensor, *operands: Any) -> tuple[Tensor, ...]:
    check_data(x, "x")
    record = Sandwich.from_flat(operands[:-1])
    check_each(x, record)
    return _gradients(sources(x, record.tensors()), operands[-1], record.diag_out)


def _gradients(inputs: Sequence[Tensor | None], needs: Sequence[bool], like: Tensor) -> tuple[Tensor, ...]:
    wanted = check_needs(needs, inputs)
    return tuple(
        t.new_empty(t.shape) if needed and t is not None else like.new_empty((0,))
        for t, needed in zip(inputs, wanted, strict=True)
    )
