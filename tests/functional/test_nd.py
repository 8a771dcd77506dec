"""Contract 4 in n dimensions: transforms and inverses equal PyWavelets, and the inverses give the shape back."""

import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learnable_wavelets import FilterBank, LearnableWaveletFilter
from learnable_wavelets.functional import (
    dwt2,
    dwtn,
    idwt,
    idwt2,
    idwtn,
    wavedec,
    wavedec2,
    wavedecn,
    waverec,
    waverec2,
    waverecn,
)

from ..banks import MODES, assert_same, quietly, random_bank, signal, whole_graph
from ..strategies import modes, short_wavelets

slow = pytest.mark.slow
few = settings(max_examples=40)


def tree(coeffs):
    """The tensors of a structure as numpy arrays, in the same structure."""
    if isinstance(coeffs, dict):
        return {key: tree(band) for key, band in coeffs.items()}
    if isinstance(coeffs, (list, tuple)):
        return type(coeffs)(tree(c) for c in coeffs)
    return None if coeffs is None else coeffs.detach().numpy()


def same(ours, theirs):
    assert type(ours) is type(theirs) or isinstance(ours, torch.Tensor)
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        ours, theirs = list(ours.values()), list(theirs.values())
    if isinstance(theirs, (list, tuple)):
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
    else:
        assert_same(ours, theirs)


@st.composite
def transforms(draw, dims=None, repeats=False):
    """A shape, some of its axes, and one wavelet and mode for all or for each."""
    count = draw(st.integers(1, 3)) if dims is None else dims
    shape = draw(st.lists(st.integers(2, 9), min_size=count, max_size=4).map(tuple))
    axes = draw(st.lists(st.integers(0, len(shape) - 1), min_size=count, max_size=count, unique=not repeats))
    axes = tuple(a - len(shape) if draw(st.booleans()) else a for a in axes)
    wavelet = draw(short_wavelets | st.tuples(*[short_wavelets] * count))
    mode = draw(modes | st.tuples(*[modes] * count))
    return shape, wavelet, mode, axes


def lengths(shape, axes):
    return tuple(shape[axis] for axis in axes)


class TestEqualsPywt:
    @few
    @given(transforms(repeats=True))
    def test_dwtn_and_idwtn(self, case):
        shape, wavelet, mode, axes = case
        x = signal(*shape)
        try:
            theirs = pywt.dwtn(x.numpy(), wavelet, mode, axes)
        except ValueError:  # a repeated axis of one sample, to reflect
            with pytest.raises(ValueError, match="at least 2 samples"):
                dwtn(x, wavelet, mode, axes)
            return
        ours = dwtn(x, wavelet, mode, axes)
        same(ours, theirs)
        same(idwtn(ours, wavelet, mode, axes), pywt.idwtn(theirs, wavelet, mode, axes))
        assert_same(idwtn(ours, wavelet, mode, axes, shape=lengths(shape, axes)), x)
        kept = {key: band for key, band in ours.items() if key[0] == "a"}
        same(idwtn({**kept, "d" * len(axes): None}, wavelet, mode, axes), pywt.idwtn(tree(kept), wavelet, mode, axes))

    @few
    @given(transforms(), st.integers(0, 2) | st.none())
    def test_wavedecn_and_waverecn(self, case, level):
        shape, wavelet, mode, axes = case
        x = signal(*shape)
        try:
            theirs = quietly(pywt.wavedecn, x.numpy(), wavelet, mode, level, axes)
        except ValueError:
            with pytest.raises(ValueError, match="at least 2 samples"):
                quietly(wavedecn, x, wavelet, mode, level, axes)
            return
        ours = quietly(wavedecn, x, wavelet, mode, level, axes)
        same(ours, theirs)
        same(waverecn(ours, wavelet, mode, axes), pywt.waverecn(theirs, wavelet, mode, axes))
        assert_same(waverecn(ours, wavelet, mode, axes, shape=lengths(shape, axes)), x)

    @few
    @given(transforms(dims=2), st.integers(0, 2) | st.none())
    def test_2d(self, case, level):
        shape, wavelet, mode, axes = case
        x = signal(*shape)
        same(dwt2(x, wavelet, mode, axes), pywt.dwt2(x.numpy(), wavelet, mode, axes))
        assert_same(idwt2(dwt2(x, wavelet, mode, axes), wavelet, mode, axes, shape=lengths(shape, axes)), x)
        try:
            theirs = quietly(pywt.wavedec2, x.numpy(), wavelet, mode, level, axes)
        except ValueError:
            return
        ours = quietly(wavedec2, x, wavelet, mode, level, axes)
        same(ours, theirs)
        same(waverec2(ours, wavelet, mode, axes), pywt.waverec2(theirs, wavelet, mode, axes))
        assert_same(waverec2(ours, wavelet, mode, axes, shape=lengths(shape, axes)), x)
        if len(ours) > 1:
            ours[1], theirs[1] = (None, ours[1][1], None), (None, theirs[1][1], None)
            same(waverec2(ours, wavelet, mode, axes), pywt.waverec2(theirs, wavelet, mode, axes))

    def test_defaults(self):
        x = signal(20, 24)
        same(dwtn(x, "bior2.2"), pywt.dwtn(x.numpy(), "bior2.2"))
        same(wavedecn(x, "bior2.2"), pywt.wavedecn(x.numpy(), "bior2.2"))
        same(dwt2(x, "bior2.2"), pywt.dwt2(x.numpy(), "bior2.2"))
        same(wavedec2(x, "bior2.2"), pywt.wavedec2(x.numpy(), "bior2.2"))

    @pytest.mark.parametrize("mode", MODES)
    def test_a_learned_bank(self, mode):
        x, filter = signal(2, 13, 10), LearnableWaveletFilter(random_bank(4), dtype=torch.float64)
        same(wavedec2(x, filter, mode, 1), pywt.wavedec2(x.numpy(), filter.to_pywt(), mode, 1))
        same(wavedec2(x, (filter, "db3"), mode, 1), pywt.wavedec2(x.numpy(), (filter.to_pywt(), "db3"), mode, 1))


@pytest.mark.parametrize(
    "mode", [pytest.param(m, marks=() if m in ("symmetric", "periodization") else slow) for m in MODES]
)
def test_gradients_of_data_and_filters(mode):
    def there_and_back(x, *taps):
        bank = FilterBank(*taps)
        coeffs = quietly(wavedec2, x, bank, mode, 2)
        return coeffs[0], coeffs[1][2], waverec2([c if i else c * 2 for i, c in enumerate(coeffs)], bank, mode)

    leaves = [t.requires_grad_() for t in (signal(3, 4), *random_bank(4))]
    assert torch.autograd.gradcheck(there_and_back, leaves)
    assert torch.autograd.gradgradcheck(there_and_back, leaves, fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_dtypes_are_kept_and_half_types_rounded_once(dtype):
    x = signal(3, 16, 12).to(dtype)
    exact = wavedec2(x.double(), "db2", level=2)
    ours = wavedec2(x, "db2", level=2)
    for a, b in zip((ours[0], *ours[1], *ours[2]), (exact[0], *exact[1], *exact[2]), strict=True):
        assert a.dtype == dtype
        assert_same(a.float(), b, 2 * max(torch.finfo(dtype).eps, 1e-6))
    assert waverec2(ours, "db2").dtype == dtype


def test_vmap():
    x = signal(3, 9, 8)
    ours = torch.vmap(lambda row: tuple(dwtn(row, "db2").values()))(x)
    for a, b in zip(ours, dwtn(x, "db2", axes=(1, 2)).values(), strict=True):
        assert_same(a, b)


def test_compile_whole_graph():
    def there_and_back(x):
        return waverec2(wavedec2(x, "db2", "reflect", 2), "db2", "reflect", shape=x.shape[-2:])

    x = signal(2, 19, 16)
    assert_same(whole_graph(there_and_back)(x), x)


@pytest.mark.slow
@pytest.mark.parametrize("level", [None, 1])
def test_compile_with_lengths_left_open(level):
    def there_and_back(x):
        return waverec2(wavedec2(x, "db2", "reflect", level), "db2", "reflect", shape=x.shape[-2:])

    torch.compiler.reset()
    compiled = torch.compile(there_and_back, fullgraph=True, dynamic=True, backend="aot_eager")
    for shape in ((2, 9, 12), (3, 15, 10)):
        assert_same(compiled(signal(*shape)), signal(*shape))


@pytest.mark.slow
def test_compile_one_dimension_with_lengths_left_open():
    torch.compiler.reset()
    function = lambda x: waverec(wavedec(x, "db2", level=1), "db2", n=x.shape[-1])  # noqa: E731
    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend="aot_eager")
    for shape in ((2, 11), (3, 14)):
        assert_same(compiled(signal(*shape)), signal(*shape))


x = torch.ones(4, 6)
bands = {"aa": torch.ones(3, 4), "dd": torch.ones(3, 4)}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: dwtn(x, "haar", axes=(0, 2)), ValueError, r"`axes` must be axes of `data` with shape .* got \(0, 2\)"),
        (lambda: dwtn(x, "haar", axes=()), ValueError, r"`axes` must be axes of `data` .* got \(\)"),
        (lambda: dwtn(x, "haar", axes=(0, 1.5)), TypeError, r"`axes\[1\]` must be an int, got float"),
        (lambda: dwtn(x[:0], "haar"), ValueError, "`data` must have at least one sample along axis -2"),
        (lambda: dwtn([1.0], "haar"), TypeError, "`data` must be a torch.Tensor, got list"),
        (lambda: dwtn(x, ("haar",) * 3), ValueError, "`wavelet` must be one, or one for each of 2 axes, got 3"),
        (lambda: dwtn(x, "haar", ("zero",) * 3), ValueError, "`mode` must be one, or one for each of 2 axes, got 3"),
        (lambda: dwtn(x, "haar", "zeros"), ValueError, "`mode` must be one of"),
        (lambda: dwtn(x, "haar", True), ValueError, "`mode` must be one of .* got True"),
        (lambda: wavedecn(x, "haar", axes=(1, -1)), ValueError, r"`axes` must be different axes, got \(-1, -1\)"),
        (lambda: wavedecn(x, "haar", level=-1), ValueError, "`level` must be between 0 and "),
        (lambda: dwt2(x, "haar", axes=(0,)), ValueError, r"`axes` must be 2 axes, got \(0,\)"),
        (lambda: dwt2(x, "haar", axes=1), TypeError, "`axes` must be a sequence of 2 axes, got 1"),
        (lambda: idwt2(x, "haar"), TypeError, r"`coeffs` must be a tuple \(cA, \(cH, cV, cD\)\), got Tensor"),
        (lambda: idwt2((x, x), "haar"), TypeError, r"`coeffs\[1\]` must be a tuple \(cH, cV, cD\), got Tensor"),
        (lambda: idwt2((x, (x, x, x)), "haar", axes=(0, 1, 1)), ValueError, "`axes` must be 2 axes"),
        (lambda: waverec2([x, x], "haar"), TypeError, r"`coeffs\[1\]` must be a tuple \(cH, cV, cD\), got Tensor"),
        (lambda: waverec2([x, (x, x[:2], x)], "haar"), ValueError, r"`coeffs\[1\]` must have bands of one shape"),
        (lambda: waverec2([x, (x[:2],) * 3], "haar"), ValueError, r"`coeffs\[1\]` must have 4 entries .* axis -2"),
        (lambda: waverecn(x, "haar"), TypeError, "`coeffs` must be a list of a tensor and dicts, got Tensor"),
        (lambda: waverecn([], "haar"), ValueError, "`coeffs` must hold at least one tensor, got none"),
        (lambda: waverecn([x, {"ad": [1.0]}], "haar"), TypeError, r"`coeffs\[1\]\['ad'\]` must be a torch.Tensor"),
        (lambda: waverecn([x, x], "haar"), TypeError, r"`coeffs\[1\]` must be a dict of tensors, got Tensor"),
        (lambda: waverecn([x, {"ax": x}], "haar"), ValueError, r"`coeffs\[1\]` must have keys of 2 letters a or d"),
        (lambda: waverecn([x, {"d": x}], "haar"), ValueError, r"`coeffs\[1\]` must have keys of 2 letters a or d"),
        (lambda: waverecn([x, {"dd": x[0]}], "haar"), ValueError, r"`coeffs\[1\]\['dd'\]` must have 2 dimensions"),
        (lambda: waverecn([x, {"dd": x.double()}], "haar"), TypeError, "`coeffs` must have one dtype and device"),
        (lambda: waverecn([x, {"d": x[:, :5]}], "haar", axes=0), ValueError, "`coeffs` must have equal dim"),
        (lambda: idwtn({"aa": None}, "haar"), ValueError, "`coeffs` must hold at least one tensor"),
        (lambda: idwtn({"aa": x[:1]}, "db4"), ValueError, "`coeffs` must have at least taps/2 = 4 ent"),
        (lambda: idwtn(bands, "haar", shape=(6, 9)), ValueError, r"`shape` must be lengths with \(3, 4\) coefficients"),
        (lambda: idwtn(bands, "haar", shape=(6,)), ValueError, "`shape` must have one length for each of 2 axes"),
        (lambda: idwtn(bands, "haar", shape=6), TypeError, "`shape` must be the lengths of .* got 6"),
        (lambda: waverecn([x, {"dd": x}], "haar", shape=(4, 6)), ValueError, r"`shape` must be lengths with \(4, 6\)"),
        (lambda: waverecn([x], "haar", shape=(4, 7)), ValueError, r"`shape` must be \(4, 6\) at level 0, got \(4, 7\)"),
        (lambda: waverec([x, x], "haar", n=9), ValueError, r"`n` must be .* \[6, 6\] coefficients, got 9"),
        (lambda: idwt(x, x, "haar", n=10), ValueError, r"`n` must be .* got 10 with \[5\]"),
        (lambda: idwt(x, x, "haar", n=1.0), TypeError, "`n` must be an int, got float"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_level_above_the_useful_one_warns():
    with pytest.warns(UserWarning, match="`level` 3 is above the 2 "):
        wavedecn(signal(20, 40), "db2", level=3)


@settings(max_examples=20)
@given(transforms(dims=3))
def test_three_dimensions(case):
    shape, wavelet, mode, axes = case
    same(dwtn(signal(*shape), wavelet, mode, axes), pywt.dwtn(signal(*shape).numpy(), wavelet, mode, axes))
