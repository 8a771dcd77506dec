"""Every shape comes back, from 1 sample (2 in the modes that reflect) to 40: 20 wavelets, nine modes, one and two axes.

All lengths of one axis and a sample of the 1,600 shapes of two; in the quick run a few of both. `EVERY_SHAPE=1` runs
all of them: 280,000 round trips, six minutes on a quiet core.
"""

import os
import random
from itertools import product

import numpy as np
import pytest
import torch

from learnable_wavelets import FilterBank
from learnable_wavelets.functional import dwt, idwt, wavedec, wavedec2, wavedecn, waverec, waverec2, waverecn

from ..banks import MODES, assert_same, quietly, signal

WAVELETS = (
    "haar", "db2", "db3", "db4", "db7", "db10", "db20", "db38", "sym4", "sym5", "sym8", "coif1", "coif5", "bior1.3",
    "bior2.2", "bior3.1", "bior4.4", "bior6.8", "rbio2.4", "dmey",
)  # fmt: skip
QUICK, SLOW = 2, 20


def first(mode):
    return 2 if "reflect" in mode else 1


def check(back, x, cA, wavelet):
    """Compare to 1e-10; dmey, no exact bank, to 2e-2 of the largest number, for `smooth` extrapolates far."""
    assert back.shape == x.shape
    tolerance = 1e-10 if wavelet != "dmey" else 2e-2 * max(x.abs().max().item(), cA.abs().max().item())
    np.testing.assert_allclose(back.numpy(), x.numpy(), rtol=0, atol=tolerance)


def deepest(transform, x, bank, mode):
    """The coefficients of two levels; of one where the second would be too deep, or reflect a single sample."""
    try:
        return quietly(transform, x, bank, mode, 2)
    except ValueError:
        return quietly(transform, x, bank, mode, 1)


def one_dimension(wavelet, mode, lengths):
    bank = FilterBank.from_wavelet(wavelet, dtype=torch.float64)
    for n in lengths:
        x = signal(n)
        cA, cD = dwt(x, bank, mode)
        check(idwt(cA, cD, bank, mode, n=n), x, cA, wavelet)
        coeffs = deepest(wavedec, x, bank, mode)
        check(waverec(coeffs, bank, mode, n=n), x, coeffs[0], wavelet)


def two_dimensions(wavelet, mode, count):
    bank, sizes = FilterBank.from_wavelet(wavelet, dtype=torch.float64), range(first(mode), 41)
    shapes = [*product(sizes, sizes)]
    for shape in random.Random(f"{wavelet} {mode} {count}").sample(shapes, min(count, len(shapes))):
        x = signal(*shape)
        coeffs = deepest(wavedec2, x, bank, mode)
        check(waverec2(coeffs, bank, mode, shape=shape), x, coeffs[0], wavelet)


@pytest.mark.parametrize("wavelet", WAVELETS)
def test_a_few_shapes(wavelet):
    for mode in MODES:
        one_dimension(wavelet, mode, random.Random(f"{wavelet} {mode}").sample(range(first(mode), 41), 4))
        two_dimensions(wavelet, mode, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("wavelet", WAVELETS)
def test_shapes(wavelet):
    for mode in MODES:
        one_dimension(wavelet, mode, range(first(mode), 41))
        two_dimensions(wavelet, mode, 10**6 if os.environ.get("EVERY_SHAPE") else SLOW)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", ["bior2.4", *(pytest.param(w, marks=pytest.mark.slow) for w in ("haar", "db10"))])
def test_absent_bands_count_as_zeros_of_their_length(wavelet, mode):
    for n in range(2, 41):
        coeffs = deepest(wavedec, signal(n), wavelet, mode)
        kept, zeros = [*coeffs], [*coeffs]
        kept[1], zeros[1] = None, torch.zeros_like(coeffs[1])
        assert_same(waverec(kept, wavelet, mode, n=n), waverec(zeros, wavelet, mode, n=n))


def test_absent_bands_of_odd_lengths():
    x = signal(21, 17)
    coeffs = wavedecn(x, "db2", level=2)
    zeros = [coeffs[0], {key: torch.zeros_like(c) for key, c in coeffs[1].items()}, coeffs[2]]
    kept = [coeffs[0], {}, coeffs[2]]
    assert_same(waverecn(kept, "db2", shape=(21, 17)), waverecn(zeros, "db2", shape=(21, 17)))
    assert waverecn([None, {}, {"dd": coeffs[2]["dd"]}], "db2", shape=(21, 17)).shape == (21, 17)
