"""Contract 11 for wavelets and filters: one clear error names the argument, what was expected and what came."""

import numpy as np
import pytest
import pywt
import torch

from learnable_wavelets import (
    BiorthogonalWaveletFilter,
    FilterBank,
    LearnableWaveletFilter,
    OrthogonalWaveletFilter,
    WaveletLinear,
)
from learnable_wavelets.functional import (
    alias_cancellation_loss,
    dwt,
    idwt,
    orthogonality_loss,
    perfect_reconstruction_loss,
    wavedec,
    waverec,
)

from ..banks import random_bank

x = torch.ones(2, 16)
bank = random_bank(4).to(dtype=torch.float32)
db2 = FilterBank.from_wavelet("db2", dtype=torch.float64)
uneven = bank._replace(dec_hi=torch.ones(6))
odd = FilterBank(*(torch.ones(3) for _ in range(4)))
empty = FilterBank(*(torch.ones(0) for _ in range(4)))
nested = FilterBank(*(torch.ones(1, 2, 2) for _ in range(4)))

WAVELETS = {
    "unknown": ("db99", ValueError, r"`wavelet` must be in `pywt.wavelist\(.*\)`, got 'db99'; the nearest .* db9"),
    "unlike any": ("xyzzy", ValueError, r"`wavelet` must be in `pywt.wavelist\(kind=\"discrete\"\)`, got 'xyzzy'$"),
    "two lines": ("db2\n", ValueError, r"`wavelet` must be in .*, got 'db2\\n'; the nearest names are db2"),
    "continuous name": ("morl", ValueError, "`wavelet` must be a discrete wavelet, got the continuous 'morl'"),
    "continuous family": (
        "cmor1.5-1.0", ValueError, "`wavelet` must be a discrete wavelet, got the continuous 'cmor1.5-1.0'",
    ),
    "continuous object": (
        pywt.ContinuousWavelet("morl"), ValueError, "`wavelet` must be a discrete wavelet, got the continuous 'morl'",
    ),
    "number": (3, TypeError, "`wavelet` must be a pywt name, a pywt.Wavelet, a FilterBank or a WaveletFilter, got int"),
    "none": (None, TypeError, "`wavelet` must be .* got NoneType"),
    "three filters": (tuple(bank)[:3], TypeError, "`wavelet` must be .* got tuple"),
    "lists": (([1.0, 1.0],) * 4, TypeError, "`wavelet` must be .* got tuple"),
    "integer filters": (
        FilterBank(*(f.long() for f in bank)), TypeError, "`wavelet` must have real floating-point .*int64",
    ),
    "complex filters": (
        FilterBank(*(f.cfloat() for f in bank)), TypeError, "`wavelet` must have real floating-point .*complex64",
    ),
    "sparse filters": (
        bank._replace(rec_lo=bank.rec_lo.to_sparse()), TypeError,
        "`wavelet` must have dense filters, got torch.sparse_coo$",
    ),
    "uneven": (uneven, ValueError, r"`wavelet` must have four 1-D filters of one even length, got .*\(4,\), \(6,\)"),
    "odd": (odd, ValueError, r"`wavelet` must have four 1-D filters of one even length, got .*\(3,\)"),
    "empty": (empty, ValueError, r"`wavelet` must have four 1-D filters of one even length, got .*\(0,\)"),
    "three-dimensional": (nested, ValueError, r"`wavelet` must have four 1-D filters of .* got .*\(1, 2, 2\)"),
    "two devices": (
        bank._replace(dec_hi=bank.dec_hi.to("meta")), ValueError,
        r"`wavelet` must have its four filters on one device, got \['cpu', 'meta', 'cpu', 'cpu'\]",
    ),
}  # fmt: skip
TAKERS = {
    "dwt": lambda wavelet: dwt(x, wavelet),
    "idwt": lambda wavelet: idwt(x, x, wavelet),
    "wavedec": lambda wavelet: wavedec(x, wavelet),
    "waverec": lambda wavelet: waverec([x, x], wavelet),
    "perfect_reconstruction_loss": perfect_reconstruction_loss,
    "alias_cancellation_loss": alias_cancellation_loss,
    "orthogonality_loss": orthogonality_loss,
    "FilterBank": FilterBank.from_wavelet,
    "LearnableWaveletFilter": LearnableWaveletFilter,
    "OrthogonalWaveletFilter": OrthogonalWaveletFilter,
    "BiorthogonalWaveletFilter": BiorthogonalWaveletFilter,
    "WaveletLinear": lambda wavelet: WaveletLinear(4, 4, wavelet=wavelet),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("case", WAVELETS)
def test_wavelet(taker, case):
    wavelet, error, message = WAVELETS[case]
    with pytest.raises(error, match=message) as caught:
        TAKERS[taker](wavelet)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [LearnableWaveletFilter, OrthogonalWaveletFilter, BiorthogonalWaveletFilter])
@pytest.mark.parametrize("field", FilterBank._fields)
def test_filters_that_are_not_finite(kind, value, field):
    broken = getattr(db2, field).clone()
    broken[1] = value
    with pytest.raises(
        ValueError, match="`wavelet` must have finite filters, got FilterBank with infinite or NaN taps"
    ):
        kind(db2._replace(**{field: broken}))


@pytest.mark.parametrize("kind", [LearnableWaveletFilter, OrthogonalWaveletFilter, BiorthogonalWaveletFilter])
def test_meta_filters_are_no_start(kind):
    message = "`wavelet` must have filters with values, got meta tensors"
    for wavelet in (FilterBank.from_wavelet("db2", device="meta"), kind("db2", device="meta")):
        with pytest.raises(ValueError, match=message):
            kind(wavelet)
        with pytest.raises(ValueError, match=message):
            wavelet.to_pywt()


def test_far_from_orthonormal():
    far = db2._replace(dec_lo=db2.dec_lo + 0.003)
    assert 1e-3 > orthogonality_loss(far) > 1e-4
    with pytest.raises(ValueError, match="`wavelet` must be orthonormal, got FilterBank with an orthogonality loss of"):
        OrthogonalWaveletFilter(far)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: FilterBank.from_wavelet("db2").pad(5), ValueError, "`taps` must be even and at least the 4 .*, got 5"),
        (lambda: FilterBank.from_wavelet("db2").pad(2), ValueError, "`taps` must be even and at least the 4 .*, got 2"),
        (lambda: FilterBank.from_wavelet("db2").pad(6.0), TypeError, "`taps` must be an int, got float"),
        (lambda: FilterBank.from_wavelet("db2").pad(10**30), ValueError, r"`taps` must be .* 2\*\*48, got 1000"),
        (lambda: LearnableWaveletFilter("db2", taps=2**62), ValueError, r"`taps` must be .* at most 2\*\*48, got 4611"),
        (lambda: OrthogonalWaveletFilter("db2", taps=-4), ValueError, "`taps` must be at least 1 .*, got -4"),
        (lambda: db2.to_pywt(3), TypeError, "`name` must be a str, got int"),
        (lambda: LearnableWaveletFilter("db2").to_pywt(None), TypeError, "`name` must be a str, got NoneType"),
        (
            lambda: LearnableWaveletFilter("db2", alias=torch.ones(3, 16)), ValueError,
            "`alias` must be one of general, quadrature; got Tensor tensor",
        ),
        (lambda: LearnableWaveletFilter("db2", dtype=np.ones(3)), TypeError, "`dtype` must be one of .*; got array"),
        (lambda: LearnableWaveletFilter("db2", taps=7), ValueError, "`taps` must be even and at least the 4 .*, got 7"),
        (lambda: OrthogonalWaveletFilter("db2", taps=2), ValueError, "`taps` must be even and at least the 4 .* got 2"),
        (lambda: LearnableWaveletFilter("db2", taps=6.0), TypeError, "`taps` must be an int, got float"),
        (lambda: OrthogonalWaveletFilter("db2", taps=True), TypeError, "`taps` must be an int, got bool"),
        (
            lambda: LearnableWaveletFilter("db2", alias="strict"), ValueError,
            "`alias` must be one of general, quadrature; got 'strict'",
        ),
        (lambda: alias_cancellation_loss("db2", "strict"), ValueError, "`alias` must be one of general, quadrature"),
        (
            lambda: OrthogonalWaveletFilter("bior2.2"), ValueError,
            "`wavelet` must be orthonormal, got 'bior2.2' with an orthogonality loss of",
        ),
        (  # finite, and yet its loss is infinity less infinity
            lambda: OrthogonalWaveletFilter(FilterBank(*(1e200 * db2.dec_lo.sign(),) * 4)), ValueError,
            "`wavelet` must be orthonormal, got FilterBank with an orthogonality loss of nan",
        ),
        (lambda: OrthogonalWaveletFilter(bank), ValueError, "`wavelet` must be orthonormal, got FilterBank"),
        (lambda: BiorthogonalWaveletFilter("dmey"), ValueError, "`wavelet` must have perfect .*, got 'dmey'"),
        (lambda: BiorthogonalWaveletFilter(bank), ValueError, "`wavelet` must .*perfect"),
        (  # an exact analysis pair, and a synthesis pair that is not its inverse
            lambda: BiorthogonalWaveletFilter(db2._replace(rec_lo=db2.rec_lo + 1)),
            ValueError, "`wavelet` must have perfect reconstruction .* got FilterBank, off by",
        ),
        (  # no taps at the odd places: the polyphase matrix is singular
            lambda: BiorthogonalWaveletFilter(FilterBank(*(torch.tensor([1.0, 0, 2, 0]) for _ in range(4)))),
            ValueError, "`wavelet` must have perfect reconstruction and be short enough to be factored",
        ),
        (
            lambda: BiorthogonalWaveletFilter(FilterBank(*(torch.zeros(4) for _ in range(4)))), ValueError,
            "`wavelet` must have perfect reconstruction",
        ),
    ],
)  # fmt: skip
def test_table(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_spelling_of_names_is_pywts():
    for name in ("DB2", "Haar", "db1", "Bior2.2"):
        assert FilterBank.from_wavelet(name).dec_lo.tolist() == pytest.approx(pywt.Wavelet(name).dec_lo)


def test_a_foreign_filter_bank_is_welcome():
    class Mine:
        filter_bank = bank

    assert perfect_reconstruction_loss(Mine()) == perfect_reconstruction_loss(bank)
