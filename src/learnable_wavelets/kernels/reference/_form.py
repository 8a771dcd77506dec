"""The forms that plain torch takes: readable as it runs here, and fast where an ONNX runtime will run it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .._layout import Layout
from .._sandwich import Transform
from . import _blocks, _wavelet


def is_exporting_onnx() -> bool:
    """Return whether `torch.onnx.export` is at work, by torch.export or by TorchScript."""
    return torch.onnx.is_in_onnx_export()


is_exporting_onnx._dynamo_marked_constant = True  # type: ignore[attr-defined]  # Dynamo itself takes it for false


def decompose(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> list[Tensor]:
    """Return `[cA_n, cD_n, ..., cD_1]` on the last axis."""
    form = _blocks.decompose if level and _takes_blocks(x) else _wavelet.decompose
    return form(x, lo, hi, mode, level)


def reconstruct(coeffs: Sequence[Tensor | None], lo: Tensor, hi: Tensor, mode: str) -> Tensor:
    """Invert `decompose`; absent coefficients count as zeros, an odd length gets one trailing sample more."""
    present = [c for c in coeffs if c is not None]
    if 1 < len(present) == len(coeffs) and _takes_blocks(present[0]):
        return _blocks.reconstruct(present, lo, hi, mode)
    return _wavelet.reconstruct(coeffs, lo, hi, mode)


def is_one_matrix(layout: Layout, transform: Transform) -> bool:
    """Return whether a whole layer is exported as one product with its matrix: long filters and small widths."""
    lo = transform.bank[0]
    if lo is None or not is_exporting_onnx():
        return False
    products = 2 * layout.blocks * layout.n * _blocks.cost(layout.n, lo.shape[0], transform.mode, transform.level)
    return products >= layout.in_features * layout.out_features


def take(x: Tensor, index: Tensor) -> Tensor:
    """Return the entries of the last axis in the order of `index`."""
    if not is_exporting_onnx():
        return x.index_select(-1, index)
    # whole rows: a runtime copies them as blocks, where it would move the entries of a last axis one by one
    return x.reshape(-1, x.shape[-1]).T.index_select(0, index).T.reshape(x.shape)


def _takes_blocks(x: Tensor) -> bool:
    return is_exporting_onnx() and isinstance(x.shape[-1], int)
