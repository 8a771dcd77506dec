"""Floating-point operations of the operators, for `torch.utils.flop_counter.FlopCounterMode`.

Additions and multiplications both count, as in torch's own formulas. A wavelet level of n samples takes
`2 taps n`, a Hadamard transform `n log2(n)`, a diagonal n. A backward pass computes the forward pass again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from math import prod
from types import ModuleType
from typing import Any, NamedTuple

from ._library import OPERATORS
from .reference import coeff_lengths

Shape = Sequence[int]


def hadamard_flops(n: int) -> int:
    return n * (n.bit_length() - 1)


def wavelet_flops(n: int, taps: int, mode: str, level: int) -> int:
    """Return the operations of one row: each level makes both bands from the approximation above it."""
    approximations = [coeff_lengths(n, taps, mode, j)[0] for j in range(level + 1)]
    return sum(2 * taps * 2 * shorter for shorter in approximations[1:])


def _sandwich(x: Shape, diag_in: Shape, permutation: Shape, *operands: Any) -> tuple[int, int]:
    """Return the operations of the forward pass and of the two transforms alone."""
    dec_lo, (kind, mode, level, layout) = operands[3], operands[7:11]
    in_features, out_features, n, blocks = layout[:4]
    pair = 2 * (hadamard_flops(n) if kind == "hadamard" else wavelet_flops(n, dec_lo[0], mode, level))
    diagonals = prod(diag_in) + blocks * permutation[-1] + 2 * out_features
    rows = prod(x) // in_features
    return rows * (blocks * pair + diagonals), rows * blocks * pair


def sandwich(*args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return _sandwich(*args)[0]


def sandwich_backward(grad: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    forward, transforms = _sandwich(*args[:-1])
    return 2 * forward + any(args[-1][5:]) * transforms


def fwht(x: Shape, scale: float, out_shape: Any = None, **kwargs: Any) -> int:
    return prod(x[:-1]) * (hadamard_flops(x[-1]) + x[-1])


def wavedec(x: Shape, lo: Shape, hi: Shape, mode: str, level: int, out_shape: Any = None, **kwargs: Any) -> int:
    return prod(x[:-1]) * wavelet_flops(x[-1], lo[0], mode, level)


def waverec(packed: Shape, lo: Shape, hi: Shape, n: int, mode: str, level: int, out_shape: Any = None, **_: Any) -> int:
    return prod(packed[:-1]) * wavelet_flops(n, lo[0], mode, level)


def wavedec_backward(grad: Shape, x: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    *filters_mode_level, needs = args
    return wavedec(x, *filters_mode_level) * (2 + any(needs[1:]))


def waverec_backward(grad: Shape, packed: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    *filters_n_mode_level, needs = args
    return waverec(packed, *filters_n_mode_level) * (2 + any(needs[1:]))


def dwt2(x: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Count the columns, which make two planes of half the rows, and the rows of both."""
    lo0, _, lo1, _, mode0, mode1 = args
    m0: int = coeff_lengths(x[-2], lo0[0], mode0, 1)[0]
    columns, rows = x[-1] * wavelet_flops(x[-2], lo0[0], mode0, 1), 2 * m0 * wavelet_flops(x[-1], lo1[0], mode1, 1)
    return prod(x[:-2]) * (columns + rows)


def idwt2(aa: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    *bank, n0, n1, mode0, mode1 = args[3:]
    return dwt2((*aa[:-2], n0, n1), *bank, mode0, mode1)


def dwt2_backward(grad: Shape, x: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    *rest, needs = args
    return dwt2(x, *rest) * (bool(needs[0]) + 2 * any(needs[1:]))


def idwt2_backward(grad: Shape, aa: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    *rest, needs = args
    return idwt2(aa, *rest) * (any(needs[:4]) + 2 * any(needs[4:]))


def swt(x: Shape, lo: Shape, hi: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    level: int = args[2]
    return prod(x) * level * 4 * lo[0]


def iswt(cA: Shape, cD: Shape, lo: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return prod(cA) * 4 * lo[0]


def swt_backward(grad: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    *rest, needs = args
    return swt(*rest) * (bool(needs[0]) + 2 * any(needs[1:]))


def iswt_backward(grad: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    *rest, needs = args
    return iswt(*rest) * (any(needs[:2]) + any(needs[2:]))


class _Recurrent(NamedTuple):
    """Operations of a forward pass: of both dense matrices, of the sandwiches, and of their transforms alone.

    What a gate does beside its products counts nothing, as in torch's formulas.
    """

    inputs: int
    dense: int
    sandwiches: int
    transforms: int


def _recurrent(x: Shape, weight: Any, diag_in: Shape, permutation: Shape, *operands: Any) -> _Recurrent:
    dec_lo, (kind, mode, level, layout), dense = operands[3], operands[7:11], len(operands[12])
    (gates, hidden), rows = diag_in, x[0]
    pair = 2 * (hadamard_flops(layout[2]) if kind == "hadamard" else wavelet_flops(layout[2], dec_lo[1], mode, level))
    inputs, products = 0 if weight is None else 2 * x[1] * hidden, rows * (gates - dense)
    sandwiches = products * (pair + 3 * hidden + permutation[1])
    return _Recurrent(rows * gates * inputs, rows * dense * 2 * hidden**2, sandwiches, products * pair)


def gru(x: Shape, weight: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return sum(_recurrent(x, weight, *args[5:])[:3])


def lstm(x: Shape, weight: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return sum(_recurrent(x, weight, *args[6:])[:3])


def gru_backward(*args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return _recurrent_backward(*args[2:4], *args[9:-2], needs=args[-1][:3] + args[-1][6:])


def lstm_backward(*args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return _recurrent_backward(*args[3:5], *args[11:-3], needs=args[-1][:3] + args[-1][7:])


def _recurrent_backward(*args: Any, needs: Sequence[bool]) -> int:
    inputs, dense, sandwiches, transforms = _recurrent(*args)
    again = inputs * (1 + needs[0] + any(needs[1:3])) + 3 * dense + 2 * sandwiches
    return again + any(needs[7:]) * transforms


_COUNTER = "torch.utils.flop_counter"


def _register() -> None:
    from torch.utils.flop_counter import register_flop_formula

    for name, operator in OPERATORS.items():
        register_flop_formula(operator.overloadpacket)(globals()[name])


class _AfterImport(MetaPathFinder):
    """Register once torch's counter is imported: it imports Triton, which this package must not do."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != _COUNTER:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _register()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if _COUNTER in sys.modules:
    _register()
else:
    sys.meta_path.insert(0, _AfterImport())
