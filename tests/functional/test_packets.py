"""Wavelet packets equal the leaves of `pywt.WaveletPacket`, in both orders, and invert exactly."""

import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from learnable_wavelets import FilterBank
from learnable_wavelets.functional import (
    inverse_wavelet_packet,
    inverse_wavelet_packet2,
    wavelet_packet,
    wavelet_packet2,
)

from ..banks import MODES, assert_same, quietly, random_bank, signal, whole_graph
from ..strategies import modes, short_wavelets


def same_nodes(ours, nodes):
    assert list(ours) == [node.path for node in nodes]
    for leaf, node in zip(ours.values(), nodes, strict=True):
        assert_same(leaf, node.data)


@settings(max_examples=40)
@given(st.integers(2, 40), st.integers(-3, 2), short_wavelets, modes, st.integers(1, 3))
def test_one_dimension(n, axis, wavelet, mode, level):
    x = signal(2, 3, n).movedim(-1, axis)
    tree = pywt.WaveletPacket(x.numpy(), wavelet, mode, level, axis)
    try:
        nodes = tree.get_level(level)
    except ValueError:  # one sample, to reflect
        with pytest.raises(ValueError, match=r"at least 2 samples|`level` must be"):
            quietly(wavelet_packet, x, wavelet, mode, level, axis)
        return
    if 2**level > n * pywt.Wavelet(wavelet).dec_len:
        return
    for order in ("natural", "freq"):
        packet = quietly(wavelet_packet, x, wavelet, mode, level, axis, order)
        same_nodes(packet, tree.get_level(level, order))
        assert_same(inverse_wavelet_packet(packet, wavelet, mode, axis, n=n), x)
    assert nodes


@settings(max_examples=25)
@given(
    st.tuples(*[st.integers(4, 11)] * 3), st.permutations([0, -2, 2]).map(lambda axes: tuple(axes[:2])),
    short_wavelets, modes, st.integers(1, 2),
)  # fmt: skip
def test_two_dimensions(shape, axes, wavelet, mode, level):
    x = signal(*shape)
    tree = pywt.WaveletPacket2D(x.numpy(), wavelet, mode, level, axes)
    packet = quietly(wavelet_packet2, x, wavelet, mode, level, axes)
    same_nodes(packet, tree.get_level(level))
    sizes = tuple(shape[axis] for axis in axes)
    assert_same(inverse_wavelet_packet2(packet, wavelet, mode, axes, shape=sizes), x)
    rows = tree.get_level(level, "freq")
    in_rows = quietly(wavelet_packet2, x, wavelet, mode, level, axes, "freq")
    same_nodes(in_rows, [node for row in rows for node in row])


def test_axes_defaults_and_even_lengths_without_n():
    x = signal(5, 16, 3)
    packet = wavelet_packet(x, "haar", level=2, axis=1)
    same_nodes(packet, pywt.WaveletPacket(x.numpy(), "haar", "symmetric", axis=1, maxlevel=2).get_level(2))
    assert_same(inverse_wavelet_packet(packet, "haar", axis=1), x)
    assert len(wavelet_packet(signal(64), "db2")) == 2 ** pywt.dwt_max_level(64, 4)
    packet = wavelet_packet2(x, "haar", level=1, axes=(0, 1))
    same_nodes(packet, pywt.WaveletPacket2D(x.numpy(), "haar", "symmetric", axes=(0, 1), maxlevel=1).get_level(1))
    only = wavelet_packet(x, "haar", level=0)
    assert list(only) == [""]
    assert_same(inverse_wavelet_packet(only, "haar"), x)


def test_frequency_order_of_pure_tones():
    order = [*wavelet_packet(signal(256), "db8", "periodization", 3, order="freq")]
    for place in range(8):
        tone = torch.cos(torch.pi * (place + 0.5) / 8 * torch.arange(256, dtype=torch.float64))
        energy = {path: leaf.square().sum() for path, leaf in wavelet_packet(tone, "db8", "periodization", 3).items()}
        assert max(energy, key=energy.get) == order[place]


def test_absent_leaves_count_as_zeros():
    packet = wavelet_packet(signal(21), "db2", level=2)
    zero = torch.zeros_like(packet["aa"])
    full = inverse_wavelet_packet({**packet, "da": zero, "dd": zero}, "db2", n=21)
    assert_same(inverse_wavelet_packet({"ad": packet["ad"], "aa": packet["aa"], "dd": None}, "db2", n=21), full)


@pytest.mark.parametrize("mode", ["reflect", "periodization"])
def test_gradients_of_data_and_filters(mode):
    assert mode in MODES

    def there_and_back(x, *taps):
        packet = quietly(wavelet_packet, x, FilterBank(*taps), mode, 2)
        return packet["dd"], inverse_wavelet_packet({**packet, "aa": 2 * packet["aa"]}, FilterBank(*taps), mode, n=5)

    leaves = [t.requires_grad_() for t in (signal(5), *random_bank(4))]
    assert torch.autograd.gradcheck(there_and_back, leaves)
    assert torch.autograd.gradgradcheck(there_and_back, leaves, fast_mode=True)


@pytest.mark.slow
def test_dtype_vmap_and_compile():
    x = signal(3, 14)
    assert wavelet_packet(x.half(), "db2", level=2)["dd"].dtype == torch.float16
    ours = torch.vmap(lambda row: wavelet_packet(row, "db2", level=2)["da"])(x)
    assert_same(ours, wavelet_packet(x, "db2", level=2)["da"])
    back = whole_graph(lambda x: inverse_wavelet_packet(wavelet_packet(x, "db2", level=2), "db2", n=14))
    assert_same(back(x), x)


x = torch.ones(4, 6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: wavelet_packet(x, "haar", order="gray"), ValueError, "`order` must be .* freq; got 'gray'"),
        (lambda: wavelet_packet(x, "haar", level=-1), ValueError, "`level` must be between 0 and"),
        (lambda: wavelet_packet2(x, "haar", axes=(1,)), ValueError, "`axes` must be 2 axes"),
        (lambda: inverse_wavelet_packet(x, "haar"), TypeError, "`coeffs` must be a dict of tensors, got Tensor"),
        (lambda: inverse_wavelet_packet({}, "haar"), ValueError, "`coeffs` must hold at least one tensor, got none"),
        (lambda: inverse_wavelet_packet({"a": x, "dd": x}, "haar"), ValueError, "`coeffs` must have paths of 1"),
        (lambda: inverse_wavelet_packet({"h": x}, "haar"), ValueError, "`coeffs` must have paths of 1 letters of 'ad'"),
        (lambda: inverse_wavelet_packet({"a": x, "d": x[:2]}, "haar"), ValueError, "`coeffs` must have bands of one"),
        (lambda: inverse_wavelet_packet({"a": [1.0]}, "haar"), TypeError, r"`coeffs\['a'\]` must be a torch.Tensor"),
        (lambda: inverse_wavelet_packet({"a": x}, "haar", n=10), ValueError, r"`n` must be a length with \(6,\) coeff"),
        (lambda: inverse_wavelet_packet2({"a": x}, "haar", shape=(8, 10)), ValueError, r"`shape` must .* \(4, 6\)"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
