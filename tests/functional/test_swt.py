"""The stationary transforms equal PyWavelets where it takes the length, and invert exactly for every length."""

import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learnable_wavelets import FilterBank
from learnable_wavelets.functional import iswt, iswt2, iswtn, swt, swt2, swtn

from ..banks import assert_same, random_bank, signal, whole_graph
from ..strategies import short_wavelets
from .test_nd import lengths, same, tree


def numpy(coeffs):
    """`tree`, with dicts that PyWavelets may change."""
    return [dict(c) if isinstance(c, dict) else c for c in tree(coeffs)]


@st.composite
def cases(draw, dims):
    """A shape with axes of multiples of `2**(start + level)`, the axes, a wavelet for each, and the rest."""
    level, start = draw(st.integers(1, 2)), draw(st.integers(0, 1))
    axes = draw(st.permutations(range(dims + 1)))[:dims]
    shape = [draw(st.integers(1, 3)) for _ in range(dims + 1)]
    for axis in axes:
        shape[axis] *= 2 ** (level + start)
    wavelet = draw(st.sampled_from(["haar", "db2", "sym5"]) | st.tuples(*[short_wavelets] * dims))
    options = {"trim_approx": draw(st.booleans()), "norm": draw(st.booleans()) and isinstance(wavelet, str)}
    return tuple(shape), wavelet, level, start, tuple(axes), options


@settings(max_examples=40)
@given(cases(1))
def test_one_dimension(case):
    shape, wavelet, level, start, (axis,), options = case
    wavelet = wavelet if isinstance(wavelet, str) else wavelet[0]
    x = signal(*shape)
    theirs = pywt.swt(x.numpy(), wavelet, level, start, axis, **options)
    ours = swt(x, wavelet, level, start, axis, **options)
    same(ours, theirs)
    assert_same(iswt(ours, wavelet, options["norm"], axis), pywt.iswt(theirs, wavelet, options["norm"], axis))


@settings(max_examples=40)
@given(cases(2))
def test_two_dimensions(case):
    shape, wavelet, level, start, axes, options = case
    x = signal(*shape)
    theirs = pywt.swt2(x.numpy(), wavelet, level, start, axes, **options)
    ours = swt2(x, wavelet, level, start, axes, **options)
    same(ours, theirs)
    assert_same(iswt2(ours, wavelet, options["norm"], axes), pywt.iswt2(theirs, wavelet, options["norm"], axes))


@settings(max_examples=25)
@given(st.integers(1, 3).flatmap(cases))
def test_n_dimensions(case):
    shape, wavelet, level, start, axes, options = case
    x = signal(*shape)
    theirs = pywt.swtn(x.numpy(), wavelet, level, start, axes, **options)
    ours = swtn(x, wavelet, level, start, axes, **options)
    same(ours, theirs)
    back = pywt.iswtn(numpy(ours), wavelet, axes, options["norm"])
    assert_same(iswtn(ours, wavelet, axes, options["norm"]), back)
    if start == 0:
        assert_same(iswtn(ours, wavelet, axes, options["norm"], shape=lengths(shape, axes)), x)


def test_defaults():
    x = signal(24)
    same(swt(x, "bior2.2"), pywt.swt(x.numpy(), "bior2.2"))
    same(swt2(signal(8, 12), "db2"), pywt.swt2(signal(8, 12).numpy(), "db2", 2))
    same(swtn(signal(8, 12), "db2"), pywt.swtn(signal(8, 12).numpy(), "db2", 2))


@pytest.mark.parametrize("wavelet", ["haar", "bior2.4", "db10"])
@pytest.mark.parametrize("trim_approx", [True, False])
def test_every_length_comes_back(wavelet, trim_approx):
    for n in range(1, 41):
        x = signal(2, n)
        for level in (1, 3):
            coeffs = swt(x, wavelet, level, trim_approx=trim_approx)
            assert_same(iswt(coeffs, wavelet, n=n), x)
            padded = torch.cat([x, x[:, -1:].expand(2, -n % 2**level)], 1)  # the rule that the docstring states
            same(coeffs, pywt.swt(padded.numpy(), wavelet, level, trim_approx=trim_approx))
    for n, m in ((1, 1), (3, 10), (7, 5)):
        x = signal(n, m)
        assert_same(iswt2(swt2(x, wavelet, 2, trim_approx=trim_approx), wavelet, shape=(n, m)), x)


def test_absent_bands_count_as_zeros():
    x = signal(2, 16)
    (a, d), (_, e) = swt(x, "db2", 2)
    zero = torch.zeros_like(d)
    assert_same(iswt([a, None, e], "db2"), iswt([a, zero, e], "db2"))
    assert_same(iswt([None, d, e], "db2"), iswt([zero, d, e], "db2"))
    cA, details = swtn(x, "db2", 1, trim_approx=True)
    triple = tuple(details[key] for key in ("da", "ad", "dd"))
    assert_same(iswt2([None, triple], "db2"), iswt2([torch.zeros_like(cA), triple], "db2"))
    kept = {"ad": details["ad"], "da": None}
    full = {**{key: torch.zeros_like(cA) for key in details}, "ad": details["ad"]}
    assert_same(iswtn([cA, kept], "db2"), iswtn([cA, full], "db2"))


def test_energy_is_kept_with_norm_and_trim_approx():
    x = signal(8, 16)
    cA, *details = swt2(x, "db3", 2, trim_approx=True, norm=True)
    energy = sum(c.square().sum() for c in (cA, *details[0], *details[1]))
    assert_same(energy, x.square().sum())


def test_norm_warns_for_a_known_wavelet_that_is_not_orthogonal():
    for transform in (swt, swt2, swtn):
        with pytest.warns(UserWarning, match="`norm` keeps the energy of orthogonal wavelets only, got 'bior2.2'"):
            transform(signal(4, 4), "bior2.2", 1, norm=True)
        transform(signal(4, 4), "db2", 1, norm=True)
        transform(signal(4, 4), random_bank(4), 1, norm=True)


def test_level_zero_is_no_band_in_several_dimensions_as_in_pywt():
    assert swtn(signal(4, 4), "haar", 0) == pywt.swtn(signal(4, 4).numpy(), "haar", 0) == []
    assert_same(swt2(signal(4, 4), "haar", 0, trim_approx=True)[0], signal(4, 4))


def test_commutes_with_shifts():
    x = signal(32)
    for a, b in zip(swt(x.roll(5), "db2", 3, trim_approx=True), swt(x, "db2", 3, trim_approx=True), strict=True):
        assert_same(a, b.roll(5))


def test_gradients_of_data_and_filters():
    def there_and_back(x, *taps):
        coeffs = swt2(x, FilterBank(*taps), 1)
        return *coeffs[0][1], iswt2([(2 * coeffs[0][0], coeffs[0][1])], FilterBank(*taps), shape=x.shape)

    leaves = [t.requires_grad_() for t in (signal(3, 4), *random_bank(4))]
    assert torch.autograd.gradcheck(there_and_back, leaves)
    assert torch.autograd.gradgradcheck(there_and_back, leaves, fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtypes_are_kept_and_half_types_rounded_once(dtype):
    x = signal(3, 16).to(dtype)
    for a, b in zip(swt(x, "db2", 3, trim_approx=True), swt(x.double(), "db2", 3, trim_approx=True), strict=True):
        assert a.dtype == dtype
        assert_same(a.float(), b, max(torch.finfo(dtype).eps, 1e-6))
    assert iswt(swt(x, "db2", 3), "db2").dtype == dtype


@pytest.mark.slow
def test_vmap_and_compile():
    x = signal(3, 12)
    ours = torch.vmap(lambda row: swt(row, "db2", 2, trim_approx=True)[0])(x)
    assert_same(ours, swt(x, "db2", 2, trim_approx=True)[0])
    assert_same(whole_graph(lambda x: iswt(swt(x, "db2", 3), "db2", n=12))(x), x)


x = torch.ones(4, 6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: swt(x, "haar", 0), ValueError, "`level` must be at least 1 and at most 48, got 0"),
        (lambda: swt(x, "haar", 1.0), TypeError, "`level` must be an int, got float"),
        (lambda: swt(x[:, :5], "haar"), ValueError, r"`level` must be given for .* odd, got None for \(5,\)"),
        (lambda: swt(x, "haar", 1, -1), ValueError, "`start_level` must be at least 0, got -1"),
        (lambda: swt(x, "haar", trim_approx=1), TypeError, "`trim_approx` must be a bool, got int"),
        (lambda: swt(x, "haar", norm="l2"), TypeError, "`norm` must be a bool, got str"),
        (lambda: swt(x, "haar", axis=2), ValueError, "`axes` must be axes of `data`"),
        (lambda: swtn(x, "haar", 1, axes=(0, 0)), ValueError, "`axes` must be different axes"),
        (lambda: swt2(x, "haar", 1, axes=(0,)), ValueError, "`axes` must be 2 axes"),
        (lambda: iswt(x, "haar"), TypeError, r"`coeffs` must be a list of pairs \(cA, cD\) or of tensors, got Tensor"),
        (lambda: iswt([], "haar"), ValueError, "`coeffs` must hold at least one level, got none"),
        (lambda: iswt([(x, x), x], "haar"), TypeError, r"`coeffs\[1\]` must be a pair \(cA, cD\), got Tensor"),
        (lambda: iswt([(x, x[:, :4])], "haar"), ValueError, "`coeffs` must have bands of one shape"),
        (lambda: iswt([(x, x), (x, x)], "haar"), ValueError, r"multiples of 4, got \(6,\)"),
        (lambda: iswt([(x, x)], "haar", n=7), ValueError, r"`n` must be a length with \(6,\) coefficients, got \(7,\)"),
        (lambda: iswt([(x, x)], "haar", n=1.5), TypeError, "`n` must be an int, got float"),
        (lambda: iswt2(x, "haar"), TypeError, "`coeffs` must be a list of tuples of tensors, got Tensor"),
        (lambda: iswt2([(x, x)], "haar"), TypeError, r"`coeffs\[0\]\[1\]` must be a tuple \(cH, cV, cD\), got Tensor"),
        (lambda: iswt2([{}], "haar"), TypeError, r"`coeffs\[0\]` must be a tuple \(cA, \(cH, cV, cD\)\), got dict"),
        (lambda: iswtn(x, "haar"), TypeError, "`coeffs` must be a list of dicts of tensors, got Tensor"),
        (lambda: iswtn([], "haar"), ValueError, "`coeffs` must hold at least one level, got none"),
        (lambda: iswtn([x, {"d": x}], "haar"), ValueError, r"`coeffs\[1\]` must have keys of 2 letters a or d"),
        (lambda: iswtn([x, {"dd": x}], "haar", shape=(3, 4)), ValueError, r"`shape` must be a length with \(4, 6\)"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
