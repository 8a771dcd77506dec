"""`pack` and `unpack`, and what a `FilterBank` is made from."""

import copy
import pickle

import pytest
import pywt
import torch
from hypothesis import given
from hypothesis import strategies as st

from learnable_wavelets import FilterBank, LearnableWaveletFilter
from learnable_wavelets.functional import pack, unpack, wavedec

from ..banks import EXACT, assert_same, random_bank, signal


@given(st.lists(st.integers(0, 3), max_size=2), st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_unpack_inverts_pack(leading, lengths):
    coeffs = [signal(*leading, n, seed=i) for i, n in enumerate(lengths)]
    packed, found = pack(coeffs)
    assert found == tuple(lengths)
    assert packed.shape == (*leading, sum(lengths))
    for a, b in zip(unpack(packed, found), coeffs, strict=True):
        assert_same(a, b)


def test_pack_keeps_the_order_coarse_to_fine():
    coeffs = wavedec(signal(3, 32), "bior2.2", level=2)
    packed, _ = pack(coeffs)
    oracle = pywt.ravel_coeffs([c[1].numpy() for c in coeffs])[0]
    assert_same(packed[1], oracle)


def test_unpack_returns_views():
    vector = signal(6)
    unpack(vector, [2, 4])[1].zero_()
    assert vector[2:].abs().sum() == 0
    assert vector[:2].abs().min() > 0


def test_bank_holds_pywts_filters():
    for name in EXACT:
        bank = FilterBank.from_wavelet(name, dtype=torch.float64)
        wavelet = pywt.Wavelet(name)
        for field in FilterBank._fields:
            assert getattr(bank, field).tolist() == getattr(wavelet, field)
        assert bank.taps == wavelet.dec_len


@pytest.mark.parametrize("taps", [6, 8, 10])  # by an even and by an odd number on each side
def test_padding_keeps_the_bank_in_the_middle(taps):
    bank = random_bank(6)
    padded = bank.pad(taps)
    extra = (taps - 6) // 2
    for f, g in zip(bank, padded, strict=True):
        assert g.shape == (taps,)
        assert g[extra : extra + 6].tolist() == f.tolist()
        assert g.count_nonzero() == 6


def test_bank_follows_dtype_and_graph():
    filter = LearnableWaveletFilter(random_bank(), dtype=torch.float64)
    bank = FilterBank.from_wavelet(filter, dtype=torch.float32)
    assert {f.dtype for f in bank} == {torch.float32}
    sum((i + 1) * f.sum() for i, f in enumerate(bank)).backward()
    assert [float(p.grad[0]) for p in filter.parameters()] == [1, 2, 3, 4]
    assert not any(f.requires_grad for f in bank.detach())
    assert FilterBank.from_wavelet("db2").dec_lo.dtype == torch.get_default_dtype()


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda bank: pickle.loads(pickle.dumps(bank))])
def test_bank_copies(twin):
    bank = random_bank()
    other = twin(bank)
    assert isinstance(other, FilterBank)
    assert all(torch.equal(a, b) and a.data_ptr() != b.data_ptr() for a, b in zip(bank, other, strict=True))
