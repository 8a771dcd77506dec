"""The losses against closed forms: paper-facts 1.2 and sums written out with `np.convolve`."""

import numpy as np
import pytest
import pywt
import torch

from learnable_wavelets import FilterBank
from learnable_wavelets.functional import alias_cancellation_loss, orthogonality_loss, perfect_reconstruction_loss

from ..banks import BIORTHOGONAL, DISCRETE, EXACT, ORTHOGONAL, exact_banks, random_bank

db2 = FilterBank.from_wavelet("db2", dtype=torch.float64)
scaled = db2._replace(dec_lo=2 * db2.dec_lo, rec_lo=db2.rec_lo / 2)
flipped = db2._replace(dec_lo=-db2.dec_lo, rec_lo=-db2.rec_lo)
delayed = FilterBank(*(torch.nn.functional.pad(f, (2, 0)) for f in db2))  # delay L + 1, not L - 1


def quadrature(bank):
    return alias_cancellation_loss(bank, "quadrature")


@pytest.mark.parametrize(
    ("loss", "bank", "expected"),
    [
        (quadrature, db2, 0),
        (quadrature, scaled, 1.25),
        (quadrature, flipped, 8),
        (alias_cancellation_loss, scaled, 0),
        (alias_cancellation_loss, flipped, 0),
        (perfect_reconstruction_loss, scaled, 0),
        (perfect_reconstruction_loss, flipped, 0),
        (perfect_reconstruction_loss, db2._replace(rec_lo=0 * db2.rec_lo, rec_hi=0 * db2.rec_hi), 4),
        (perfect_reconstruction_loss, delayed, 8),  # a 2 in the wrong place
        (alias_cancellation_loss, db2._replace(rec_lo=0 * db2.rec_lo, dec_hi=0 * db2.dec_hi), 0),
        (orthogonality_loss, db2, 0),
        (orthogonality_loss, flipped, 0),
        # <h0, h0> = 4 instead of 1, and f0 is a quarter of the reversed h0: 9 + 2.25; high pair untouched
        (orthogonality_loss, scaled, 9 + 1.5**2),
        (orthogonality_loss, db2._replace(rec_hi=-db2.rec_hi), 4),
    ],
)
def test_closed_forms(loss, bank, expected):
    assert float(loss(bank)) == pytest.approx(expected, abs=1e-10)


def written_out(bank):
    h0, h1, f0, f1 = (f.numpy() for f in bank)
    m = (-1.0) ** np.arange(len(h0))[::-1]
    delta = np.zeros(2 * len(h0) - 1)
    delta[len(h0) - 1] = 2
    shifted = {}
    for a, b in (("00", (h0, h0)), ("11", (h1, h1)), ("01", (h0, h1))):
        correlation = np.correlate(b[0], b[1], "full")[(len(h0) - 1) % 2 :: 2]
        shifted[a] = correlation - (a != "01") * (np.arange(len(correlation)) == len(correlation) // 2)
    return {
        "pr": ((np.convolve(h0, f0) + np.convolve(h1, f1) - delta) ** 2).sum(),
        "general": ((np.convolve(m * h0, f0) + np.convolve(m * h1, f1)) ** 2).sum(),
        "quadrature": ((f0 - m * h1) ** 2).sum() + ((f1 + m * h0) ** 2).sum(),
        "orthogonality": sum((s**2).sum() for s in shifted.values())
        + ((f0 - h0[::-1]) ** 2).sum() + ((f1 - h1[::-1]) ** 2).sum(),
    }  # fmt: skip


@pytest.mark.parametrize("taps", [2, 4, 6, 10])
def test_written_out(taps):
    bank = random_bank(taps)
    expected = written_out(bank)
    assert float(perfect_reconstruction_loss(bank)) == pytest.approx(expected["pr"])
    assert float(alias_cancellation_loss(bank)) == pytest.approx(expected["general"])
    assert float(quadrature(bank)) == pytest.approx(expected["quadrature"])
    assert float(orthogonality_loss(bank)) == pytest.approx(expected["orthogonality"])


def in_double(name):
    return FilterBank.from_wavelet(name, dtype=torch.float64)


def test_every_pywt_wavelet_reconstructs():
    for name in DISCRETE:
        bound = 1e-4 if name == "dmey" else 1e-14
        bank = in_double(name)
        assert max(perfect_reconstruction_loss(bank), alias_cancellation_loss(bank), quadrature(bank)) < bound, name
    assert len(DISCRETE) == len(EXACT) + 1 == 106


def test_orthogonality_tells_the_families_apart():
    assert all(orthogonality_loss(in_double(name)) < 1e-16 for name in ORTHOGONAL)
    # the Haar pair comes under two more names, which PyWavelets files as biorthogonal
    others = [name for name in BIORTHOGONAL if name not in ("bior1.1", "rbio1.1")]
    assert all(orthogonality_loss(in_double(name)) > 1e-4 for name in others)
    assert len(ORTHOGONAL) + len(BIORTHOGONAL) == 105


def test_losses_vanish_on_exact_banks_only():
    for bank in exact_banks().values():
        assert perfect_reconstruction_loss(bank) < 1e-24
        assert alias_cancellation_loss(bank) < 1e-24
    bank = random_bank()
    assert min(perfect_reconstruction_loss(bank), alias_cancellation_loss(bank), orthogonality_loss(bank)) > 1


@pytest.mark.parametrize("loss", [perfect_reconstruction_loss, alias_cancellation_loss, orthogonality_loss])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_summed_in_float32(loss, dtype):
    bank = random_bank().to(dtype=dtype)
    value = loss(bank)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(loss(bank.to(dtype=torch.float64))), rel=1e-5)


def test_losses_take_all_that_transforms_take():
    assert float(perfect_reconstruction_loss(pywt.Wavelet("db3"))) < 1e-10
    assert float(alias_cancellation_loss("db3")) < 1e-10
    assert float(orthogonality_loss("db3")) < 1e-10
