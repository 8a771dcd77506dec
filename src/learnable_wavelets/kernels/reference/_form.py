"""The forms that plain torch takes: readable as it runs here, and fast where an ONNX runtime will run it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from . import _blocks, _wavelet


def is_exporting_onnx() -> bool:
    """Return whether `torch.onnx.export` is at work; always false with `dynamo=True` in torch before 2.7."""
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


def take(x: Tensor, index: Tensor) -> Tensor:
    """Return the entries of the last axis in the order of `index`."""
    if not is_exporting_onnx():
        return x.index_select(-1, index)
    # whole rows: a runtime copies them as blocks, where it would move the entries of a last axis one by one
    return x.reshape(-1, x.shape[-1]).T.index_select(0, index).T.reshape(x.shape)


def _takes_blocks(x: Tensor) -> bool:
    return is_exporting_onnx() and isinstance(x.shape[-1], int)
