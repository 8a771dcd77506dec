"""Formulas for `FlopCounterMode`, against counts by hand."""

from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from learnable_wavelets import Fastfood, WaveletLinear, functional
from learnable_wavelets.kernels import available_backends, use_backend
from learnable_wavelets.kernels._library import OPERATORS
from learnable_wavelets.nn import GRU, LSTM

from .recurrences import recurrence_case, with_tensors

pytestmark = pytest.mark.skipif("cpu" not in available_backends(), reason="the extension was not built")


def count(call):
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


ROWS, N = 3, 64
ADDITIONS = N * 6  # of a Hadamard transform
LEVELS = 2 * 4 * (64 + 32)  # of 4 taps and 2 levels
DIAGONALS = N + N + 2 * N


def test_forward():
    x = torch.randn(ROWS, N)
    with torch.no_grad():
        assert count(lambda: Fastfood(N, N)(x)) == ROWS * (2 * ADDITIONS + DIAGONALS)
        assert count(lambda: WaveletLinear(N, N, level=2)(x)) == ROWS * (2 * LEVELS + DIAGONALS)
        assert count(lambda: functional.wavedec(x, "db2", "periodization", level=2)) == ROWS * LEVELS
        assert count(lambda: functional.fwht(x)) == ROWS * (ADDITIONS + N)


def test_backward():
    """The forward pass again, the adjoint, and for learned filters as much as the transforms once more."""
    x = torch.randn(ROWS, N, requires_grad=True)
    forward = ROWS * (2 * LEVELS + DIAGONALS)
    layer = WaveletLinear(N, N, level=2)
    assert count(lambda: layer(x).sum().backward()) == 3 * forward + ROWS * 2 * LEVELS
    layer.filter.requires_grad_(False)
    assert count(lambda: layer(x).sum().backward()) == 3 * forward
    layer = Fastfood(N, N)
    assert count(lambda: layer(x).sum().backward()) == 3 * ROWS * (2 * ADDITIONS + DIAGONALS)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood, lambda n, m: GRU(n, m)])
def test_nothing_is_free(kind, backend):
    with use_backend(backend):
        assert count(lambda: kind(N, N)(torch.randn(ROWS, N))) > 0


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_whole_sequences(cell):
    """A counter hooks modules, which then take the loop; the operators themselves count as much.

    Backward computes the products again, those with the inputs too.
    """
    kind, inputs, hidden = {"gru": GRU, "lstm": LSTM}[cell], 2, 16
    layer = kind(inputs, hidden, recurrent_layer=partial(WaveletLinear, level=2), gates=kind.GATES[1:])
    call = recurrence_case(cell, batch=ROWS, steps=5, inputs=inputs, dense=(0,))
    live = with_tensors(call, lambda t: t.requires_grad_() if t.is_floating_point() else t).flat()
    with torch.no_grad():
        forward = count(lambda: layer(torch.randn(5, ROWS, inputs)))
        assert count(lambda: OPERATORS[cell](*live)) == forward
    rows, gates = 5 * ROWS, len(kind.GATES)
    transforms, dense = rows * (gates - 1) * 2 * 2 * 4 * (16 + 8), rows * 2 * hidden * (gates * inputs + hidden)
    again = 2 * forward + dense + transforms
    assert count(lambda: OPERATORS[cell](*live)[0].sum().backward()) == forward + again
