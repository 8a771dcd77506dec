"""The operands of a layer as one record: every back end takes it, and the schema of the operator is made from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ._layout import Layout


class Transform(NamedTuple):
    """The pair W and W^-1: the Hadamard matrix twice, or a wavelet analysis and its synthesis."""

    kind: str
    """`hadamard` or `wavelet`."""
    bank: tuple[Tensor | None, ...]
    """`dec_lo, dec_hi, rec_lo, rec_hi`; four times `None` for the Hadamard matrix."""
    mode: str = "periodization"
    level: int = 0

    @property
    def taps(self) -> int:
        return 0 if self.bank[0] is None else self.bank[0].shape[0]


HADAMARD = Transform("hadamard", (None, None, None, None))


class Sandwich(NamedTuple):
    """The operands of `y = scale * S W^-1 G P W B x + bias` other than x."""

    diag_in: Tensor
    """B, `layout.diag_in_shape`."""
    permutation: Tensor
    """P as indices, `(blocks, m)`: coefficient i of the result is number `permutation[i]`."""
    diag_mid: Tensor
    """G, `(blocks, m)`."""
    diag_out: Tensor
    """S, `(out_features,)`."""
    bias: Tensor | None
    """`(out_features,)`."""
    transform: Transform
    layout: Layout
    scale: float = 1.0

    def tensors(self) -> tuple[Tensor | None, ...]:
        """Return the tensors in the order of `TENSORS`."""
        # by name: Dynamo of old torch cannot slice a named tuple
        return (self.diag_in, self.permutation, self.diag_mid, self.diag_out, self.bias, *self.transform.bank)

    def constants(self) -> tuple[Any, ...]:
        """Return the rest in the order of `CONSTANTS`."""
        kind, _, mode, level = self.transform
        return (kind, mode, level, self.layout, self.scale)

    @classmethod
    def from_flat(cls, operands: Sequence[Any]) -> Sandwich:
        """Build the record from its tensors followed by its constants."""
        diag_in, permutation, diag_mid, diag_out, bias, *rest = operands
        kind, mode, level, layout, scale = rest[4:]
        if len(layout) != len(Layout._fields):
            raise ValueError(f"`layout` must have {len(Layout._fields)} entries, got {len(layout)}")
        transform = Transform(kind, tuple(rest[:4]), mode, level)
        return cls(diag_in, permutation, diag_mid, diag_out, bias, transform, Layout(*layout), scale)


# Operands by name, with their type in a schema.
TENSORS = {
    "diag_in": "Tensor", "permutation": "Tensor", "diag_mid": "Tensor", "diag_out": "Tensor", "bias": "Tensor?",
    "dec_lo": "Tensor?", "dec_hi": "Tensor?", "rec_lo": "Tensor?", "rec_hi": "Tensor?",
}  # fmt: skip
CONSTANTS = {"transform": "str", "mode": "str", "level": "int", "layout": "int[]", "scale": "float"}
INDEX = list(TENSORS).index("permutation")  # the one tensor without a gradient


def sources(x: Tensor, operands: Sequence[Any]) -> tuple[Tensor | None, ...]:
    """Return the tensors that have a gradient: x and all of `TENSORS` but the permutation."""
    return (x, *operands[:INDEX], *operands[INDEX + 1 : len(TENSORS)])
