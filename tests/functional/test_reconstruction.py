"""Contract 4: the inverse transform brings the signal back, for every mode and every exact bank."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learnable_wavelets import FilterBank
from learnable_wavelets.functional import dwt, idwt, wavedec, waverec

from ..banks import EXACT, MODES, assert_same, exact_banks, long_ones_slow, quietly, signal
from ..strategies import exact_wavelets, modes


def check(wavelet, mode, n, level, tolerance):
    x = signal(2, n)
    padded = n + n % 2
    back = idwt(*dwt(x, wavelet, mode), wavelet, mode)
    assert back.shape == (2, padded)
    assert_same(back[:, :n], x, tolerance)
    back = waverec(quietly(wavedec, x, wavelet, mode, level), wavelet, mode)
    assert back.shape == (2, padded if level else n)
    assert_same(back[:, :n], x, tolerance)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", long_ones_slow(EXACT))
def test_every_wavelet_reconstructs(name, mode):
    bank = FilterBank.from_wavelet(name, dtype=torch.float64)
    for n, level in ((2, 1), (5, 2), (17, 3), (40, 2)):
        check(bank, mode, n, level, 1e-8)  # PyWavelets' tables are no better


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", exact_banks())
def test_every_exact_bank_reconstructs(name, mode):
    for n in (2 if "reflect" in mode else 1, 2, 3, 8, 13, 50):  # a single sample cannot be reflected
        check(exact_banks()[name], mode, n, 2, 1e-12)


@given(exact_wavelets, modes, st.integers(1, 80), st.integers(0, 3))
def test_any_length_and_level_reconstructs(name, mode, n, level):
    if "reflect" in mode and name in ("haar", "db1", "bior1.1", "rbio1.1"):
        level = min(level, (n - 1).bit_length())  # two taps leave a single sample, which cannot be reflected
    check(name, mode, n + (n == 1 and "reflect" in mode), level, 1e-8)


@pytest.mark.parametrize("name", ["haar", "db4", "sym7", "coif2"])
@pytest.mark.parametrize("n", [16, 48])
def test_periodization_of_an_orthogonal_bank_is_an_orthogonal_matrix(name, n):
    matrix = torch.cat(quietly(wavedec, torch.eye(n, dtype=torch.float64), name, "periodization", 4), dim=-1)
    assert_same(matrix @ matrix.T, torch.eye(n), 1e-9)
