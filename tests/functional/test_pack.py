"""`pack` has the layout of `pywt.coeffs_to_array`, and `unpack` inverts it."""

import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learnable_wavelets.functional import pack, swt, swt2, unpack, wavedec, wavedec2, wavedecn, waverec2

from ..banks import assert_same, quietly, signal, whole_graph
from ..strategies import modes
from .test_nd import same, tree


@settings(max_examples=40)
@given(st.lists(st.integers(4, 12), min_size=1, max_size=3), modes, st.integers(0, 2))
def test_layout_and_slices_of_pywt(shape, mode, level):
    coeffs = quietly(wavedecn, signal(*shape), "db2", mode, level)
    theirs, slices = pywt.coeffs_to_array(tree(coeffs))
    if level == 0:
        assert_same(pack(coeffs, axes=range(len(shape)))[0], theirs)
        return
    packed, layout = pack(coeffs)
    assert_same(packed, theirs)
    assert [tree_of_stops(s) for s in layout.slices] == [tree_of_stops(s) for s in slices]
    same(unpack(packed, layout), tree(coeffs))


def tree_of_stops(slices):
    if isinstance(slices, dict):
        return {key: tree_of_stops(place) for key, place in slices.items()}
    return [(s.start or 0, s.stop) for s in slices]


@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (-1, 1), (2, 0)])
def test_chosen_axes(axes):
    coeffs = wavedec2(signal(11, 12, 13), "bior2.2", "zero", 1, axes)
    packed, layout = pack(coeffs, axes)
    positive = [a % 3 for a in axes]
    assert_same(packed, pywt.coeffs_to_array(tree(coeffs), axes=positive)[0])
    same(unpack(packed, layout), tree(coeffs))


def test_batches_and_stationary_transforms():
    coeffs = wavedec2(signal(3, 9, 10), "db2", level=1)
    packed, layout = pack(coeffs)
    for row, image in zip(packed, signal(3, 9, 10), strict=True):
        assert_same(row, pywt.coeffs_to_array(pywt.wavedec2(image.numpy(), "db2", level=1))[0])
    assert_same(waverec2(unpack(packed, layout), "db2", shape=(9, 10)), signal(3, 9, 10))
    coeffs = swt2(signal(8, 8), "db2", 2, trim_approx=True)
    assert_same(pack(coeffs)[0], pywt.coeffs_to_array(tree(coeffs))[0])
    assert_same(
        pack(swt(signal(8), "db2", 2, trim_approx=True))[0], torch.cat(swt(signal(8), "db2", 2, trim_approx=True))
    )


def test_another_axis_than_the_last():
    coeffs = wavedec(signal(16, 3), "db2", level=2, axis=0)
    packed, layout = pack(coeffs, axes=0)
    assert_same(packed, torch.cat(coeffs, 0))
    same(unpack(packed, layout), tree(coeffs))


def test_unpack_returns_views_and_pack_is_differentiable():
    x = signal(6, 8).requires_grad_()
    packed, layout = pack(wavedec2(x, "haar", level=1))
    packed.square().sum().backward()
    assert_same(x.grad, 2 * x)
    vector = packed.detach()
    unpack(vector, layout)[1][2].zero_()
    assert vector[layout.slices[1]["dd"]].abs().sum() == 0


@pytest.mark.slow
def test_compile_whole_graph():
    x = signal(6, 9)
    assert_same(whole_graph(lambda x: pack(wavedec2(x, "db2", level=1))[0])(x), pack(wavedec2(x, "db2", level=1))[0])


x = torch.ones(3, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pack([x, (x, None, x)]), TypeError, r"`coeffs\[1\]` must hold tensors only, got None"),
        (lambda: pack([x, {}]), TypeError, r"`coeffs\[1\]` must hold tensors only, got None"),
        (lambda: pack([None, (x, x, x)]), TypeError, r"`coeffs\[0\]` must be a torch.Tensor, got NoneType"),
        (lambda: pack([(x, x), (x, x)]), TypeError, r"`coeffs\[0\]` must be a torch.Tensor, got tuple; take `swt`"),
        (lambda: pack([x, (x, x, x), {"dd": x}]), TypeError, r"`coeffs\[2\]` must be a tuple"),
        (lambda: pack([x, {"dd": x}]), ValueError, r"`coeffs\[1\]` must have all its bands"),
        (lambda: pack([x, dict.fromkeys(("aa", "ad", "da", "dd"), x)]), ValueError, "must have all its bands"),
        (lambda: pack([x[:2], (x, x, x)]), ValueError, r"none longer than \[2, 3\], got \[3, 3\]"),
        (lambda: pack([x[None], (x[[0, 1], None],) * 3]), ValueError, "`coeffs` must have equal dimensions beside"),
        (lambda: pack([x, x[:2]], axes=-1), ValueError, "`coeffs` must have equal dimensions beside"),
        (lambda: pack([x, (x, x, x)], axes=(0,)), ValueError, "`axes` must be 2 axes"),
        (lambda: unpack(x, pack([x, (x, x, x)])[1]), ValueError, r"`vector` must have .*, \(6, 6\), got \(3, 3\)"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
