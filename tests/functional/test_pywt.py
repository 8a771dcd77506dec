"""Contract 4: values and lengths of every transform are those of PyWavelets."""

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given
from hypothesis import strategies as st

from learnable_wavelets import FilterBank, LearnableWaveletFilter
from learnable_wavelets.functional import dwt, idwt, wavedec, waverec

from ..banks import DISCRETE, MODES, assert_same, long_ones_slow, quietly, random_bank, signal
from ..strategies import modes

LENGTHS = (1, 2, 3, 9, 16, 40, 77)  # odd, even, most of them below the 76 taps of db38


def lengths(mode: str) -> tuple[int, ...]:
    return LENGTHS[1:] if "reflect" in mode else LENGTHS  # pywt refuses to reflect a single sample


def compare_one_level(wavelet, oracle, mode):
    for n in lengths(mode):
        x = signal(n)
        theirs = pywt.dwt(x.numpy(), oracle, mode)
        for a, b in zip(dwt(x, wavelet, mode), theirs, strict=True):
            assert_same(a, b)
        cA, cD = signal(2, len(theirs[0]), seed=n)
        for bands in ((cA, cD), (cA, None), (None, cD)):
            known = [None if c is None else c.numpy() for c in bands]
            assert_same(idwt(*bands, wavelet, mode), pywt.idwt(*known, oracle, mode))


def compare_multilevel(wavelet, oracle, mode):
    for n, level in ((33, None), (64, 1), (50, 3), (21, 4)):
        x = signal(n)
        theirs = quietly(pywt.wavedec, x.numpy(), oracle, mode, level)
        ours = quietly(wavedec, x, wavelet, mode, level)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
        coeffs = [signal(len(c), seed=n + i) for i, c in enumerate(theirs)]  # of no signal in particular
        for absent in (None, *(range(len(coeffs)) if len(coeffs) > 1 else ())):
            kept = [None if i == absent else c for i, c in enumerate(coeffs)]
            known = [None if c is None else c.numpy() for c in kept]
            try:
                theirs = pywt.waverec(known, oracle, mode)
            except ValueError:  # without the odd detail's length the next level is one or more too long
                with pytest.raises(ValueError, match="entries"):
                    waverec(kept, wavelet, mode)
            else:
                assert_same(waverec(kept, wavelet, mode), theirs)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_absent_coefficients_are_zeros_of_the_length_that_belongs_to_n(axis):
    shape = [5, 6, 7]
    coeffs = wavedec(signal(*shape), "haar", level=2, axis=axis)
    with_zeros = [c if i == 0 else torch.zeros_like(c) for i, c in enumerate(coeffs)]
    ours = waverec([coeffs[0], None, None], "haar", axis=axis, n=shape[axis])
    assert_same(ours, waverec(with_zeros, "haar", axis=axis, n=shape[axis]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", long_ones_slow(DISCRETE))
def test_one_level_equals_pywt(wavelet, mode):
    compare_one_level(wavelet, wavelet, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wavelet", long_ones_slow(DISCRETE))
def test_multilevel_equals_pywt(wavelet, mode):
    compare_multilevel(FilterBank.from_wavelet(wavelet, dtype=torch.float64), wavelet, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("taps", [2, 4, 6, 8, 10, 14])  # taps/2 odd and even: periodization shifts by it
def test_learned_banks_equal_their_pywt_wavelet(taps, mode):
    bank = random_bank(taps)
    filter = LearnableWaveletFilter(bank)
    filter.double()
    for wavelet in (bank, filter, pywt.Wavelet("mine", filter_bank=[f.tolist() for f in bank])):
        compare_one_level(wavelet, wavelet.to_pywt() if hasattr(wavelet, "to_pywt") else wavelet, mode)
    compare_multilevel(bank, bank.to_pywt(), mode)


def test_to_pywt_keeps_every_filter_in_its_place():
    bank = random_bank()
    wavelet = bank.to_pywt("mine")
    assert wavelet.name == "mine"
    for field in FilterBank._fields:
        assert getattr(wavelet, field) == getattr(bank, field).tolist()


@st.composite
def arrays(draw):
    shape = draw(st.lists(st.integers(2, 9), min_size=1, max_size=4).map(tuple))
    return shape, draw(st.integers(-len(shape), len(shape) - 1))


@given(arrays(), modes, st.sampled_from(["transposed", "strided", "expanded"]))
def test_every_axis_shape_and_stride(array, mode, kind):
    (shape, axis), bank = array, random_bank(4)
    if kind == "transposed":
        x = signal(*reversed(shape)).permute(*reversed(range(len(shape))))
    elif kind == "strided":
        x = signal(*(2 * n for n in shape))[tuple(slice(1, None, 2) for _ in shape)]
    else:
        x = signal(shape[-1]).expand(shape)
    known, oracle = x.numpy(), bank.to_pywt()
    for a, b in zip(dwt(x, bank, mode, axis), pywt.dwt(known, oracle, mode, axis), strict=True):
        assert_same(a, b)
    ours = quietly(wavedec, x, bank, mode, 2, axis)
    for a, b in zip(ours, quietly(pywt.wavedec, known, oracle, mode, 2, axis), strict=True):
        assert_same(a, b)
    if mode == "periodization" or 2 * shape[axis] >= bank.taps:
        assert_same(idwt(x, x.flip(0), bank, mode, axis), pywt.idwt(known, known[::-1], oracle, mode, axis))
    known = [c.numpy() for c in ours]
    assert_same(waverec(ours, bank, mode, axis), pywt.waverec(known, oracle, mode, axis))


@pytest.mark.parametrize("mode", ["reflect", "antireflect"])
def test_a_single_sample_is_refused_where_pywt_refuses_it(mode):
    with pytest.raises(ValueError, match=f"`data` must have at least 2 samples for mode '{mode}', got 1$"):
        dwt(signal(1), "bior2.2", mode)
    for wavelet in ("haar", "db2"):
        for n in range(1, 7):
            for level in (None, *range(5)):
                try:
                    expected = quietly(pywt.wavedec, signal(n).numpy(), wavelet, mode, level)
                except ValueError:
                    with pytest.raises(ValueError, match=r"`(data|level)` must"):
                        quietly(wavedec, signal(n), wavelet, mode, level)
                    continue
                if level is not None and 2**level >= 2 * n * pywt.Wavelet(wavelet).dec_len:
                    continue  # deeper than our deepest
                for a, b in zip(quietly(wavedec, signal(n), wavelet, mode, level), expected, strict=True):
                    assert_same(a, b)
    with pytest.raises(ValueError, match=r"`data` must have at least 2 samples for mode '.*', got 1 at level 3"):
        quietly(wavedec, signal(3), "haar", mode, 3)


SHORT = {
    "zpd": "zero",
    "cpd": "constant",
    "sym": "symmetric",
    "ppd": "periodic",
    "sp1": "smooth",
    "per": "periodization",
}


@pytest.mark.parametrize("mode", [*SHORT, *(getattr(pywt.Modes, mode) for mode in MODES)])
def test_other_names_of_the_modes(mode):
    x, known = signal(22), SHORT.get(mode, mode)  # the short ones are deprecated in pywt
    cA, cD = dwt(x, "bior2.2", mode)
    for a, b in zip((cA, cD), pywt.dwt(x.numpy(), "bior2.2", known), strict=True):
        assert_same(a, b)
    assert_same(idwt(cA, cD, "bior2.2", mode), x)
    coeffs = wavedec(x, "bior2.2", mode, 2)
    for a, b in zip(coeffs, pywt.wavedec(x.numpy(), "bior2.2", known, 2), strict=True):
        assert_same(a, b)
    assert_same(waverec(coeffs, "bior2.2", mode)[:22], x)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [5, 64])
def test_nan_and_infinity_spread_no_further_than_pywts(mode, n):
    for place in range(n):
        for value in (np.nan, np.inf):
            x = signal(n).numpy()
            x[place] = value
            with np.errstate(invalid="ignore"):
                theirs = pywt.dwt(x, "db4", mode)
            for a, b in zip(dwt(torch.from_numpy(x), "db4", mode), theirs, strict=True):
                assert np.isfinite(a.numpy()).tolist() == np.isfinite(b).tolist()


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("periodic", "periodization")])
@pytest.mark.parametrize(("dtype", "large"), [(torch.float32, 1e4), (torch.float32, 1e8), (torch.float64, 1e16)])
def test_a_large_sample_at_one_end_leaves_the_other_end_exact(mode, dtype, large):
    x = torch.sin(torch.arange(64.0)).to(dtype)
    left, right = slice(0, 28), slice(-28, None)
    for place, far in ((-1, left), (0, right)):
        data = x.clone()
        data[place] = large
        exact = pywt.dwt(data.double().numpy(), "db4", mode)
        for a, b in zip(dwt(data, "db4", mode), exact, strict=True):
            assert np.abs(b[far]).max() < 20
            assert_same(a[far], b[far], 4 * torch.finfo(dtype).eps)


def test_modes_are_pywts():
    from learnable_wavelets.functional import MODES as OURS

    assert set(OURS) == set(MODES)
    assert len(OURS) == 9


def test_defaults_are_pywts():
    x = signal(40)
    for a, b in zip(wavedec(x, "bior2.2"), pywt.wavedec(x.numpy(), "bior2.2"), strict=True):
        assert_same(a, b)
    for a, b in zip(dwt(x, "bior2.2"), pywt.dwt(x.numpy(), "bior2.2"), strict=True):
        assert_same(a, b)
    cA, cD = signal(2, 12)
    assert_same(idwt(cA, cD, "bior2.2"), pywt.idwt(cA.numpy(), cD.numpy(), "bior2.2"))
    assert_same(waverec([cA, cD], "bior2.2"), pywt.waverec([cA.numpy(), cD.numpy()], "bior2.2"))


def test_level_zero_is_the_signal():
    (only,) = wavedec(signal(5), "db2", level=0)
    assert_same(only, signal(5))
    assert_same(waverec([only], "db2"), signal(5))


def test_a_level_above_the_useful_one_warns_as_pywt_does():
    useful = pywt.dwt_max_level(20, pywt.Wavelet("db3").dec_len)
    wavedec(signal(20), "db3", level=useful)
    with pytest.warns(UserWarning, match=f"`level` {useful + 1} is above the {useful} "):
        wavedec(signal(20), "db3", level=useful + 1)


def test_numbers_worked_out_by_hand():
    bank = FilterBank(*(torch.tensor(f, dtype=torch.float64) for f in ([1, 2], [3, 4], [5, 6], [7, 8])))
    x = torch.tensor([10.0, 20.0, 30.0, 40.0], dtype=torch.float64)
    cA, cD = dwt(x, bank, "zero")
    assert cA.tolist() == [1 * 20 + 2 * 10, 1 * 40 + 2 * 30]
    assert cD.tolist() == [3 * 20 + 4 * 10, 3 * 40 + 4 * 30]
    one = torch.ones(1, dtype=torch.float64)
    assert idwt(one, None, bank).tolist() == [5, 6]
    assert idwt(None, one, bank).tolist() == [7, 8]
    assert np.isclose(idwt(one, one, bank).sum(), 26)
