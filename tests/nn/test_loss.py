"""`WaveletLoss` is the weighted sum over bands that its docstring states."""

import pytest
import pywt
import torch

from learnable_wavelets import LearnableWaveletFilter, wavelet_regularizer
from learnable_wavelets.nn import WaveletLoss

from ..banks import assert_same, signal, whole_graph

NORMS = {"l1": torch.abs, "l2": torch.square, "charbonnier": lambda x: (x**2 + 1e-6).sqrt()}


def bands(difference, transform, dims, level):
    """The bands of PyWavelets by level, the approximation first."""
    axes = tuple(range(-dims, 0))
    if transform == "dwt":
        coeffs = pywt.wavedecn(difference.numpy(), "haar", level=level, axes=axes)
    else:
        coeffs = pywt.swtn(difference.numpy(), "haar", level, axes=axes, trim_approx=True, norm=True)
    order = {1: ("d",), 2: ("da", "ad", "dd"), 3: sorted(coeffs[-1])}[dims]
    return [[torch.tensor(coeffs[0])], *[[torch.tensor(level[key]) for key in order] for level in coeffs[1:]]]


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("transform", ["dwt", "swt"])
@pytest.mark.parametrize("norm", NORMS)
def test_the_sum_over_bands(norm, transform, dims):
    shape = (2, *(8, 12, 4)[:dims])
    x, y = signal(*shape), signal(*shape, seed=2)
    expected = [[NORMS[norm](b).mean() for b in level] for level in bands(x - y, transform, dims, 2)]
    loss = WaveletLoss("haar", 2, None, transform, dims, norm)
    assert_same(loss(x, y), sum(sum(level) for level in expected))
    last = [0.5 + i for i in range(len(expected[2]))]
    weighted = WaveletLoss("haar", 2, [3, 0, last], transform, dims, norm)
    total = 3 * expected[0][0] + sum(w * e for w, e in zip(last, expected[2], strict=True))
    assert_same(weighted(x, y), total)


def test_zero_for_equal_inputs_and_gradients_for_both():
    x, y = (torch.randn(2, 1, 13, 14, requires_grad=True) for _ in range(2))
    loss = WaveletLoss(level=2)
    assert loss(x, x).item() == 0
    loss(x, y).backward()
    assert_same(x.grad, -y.grad)
    assert x.grad.abs().min() > 0
    assert not [*loss.parameters()]


def test_a_bank_that_trains():
    filter = LearnableWaveletFilter("db2")
    loss = WaveletLoss(filter, 1)
    loss(torch.randn(1, 8, 8), torch.randn(1, 8, 8)).backward()
    assert filter.dec_hi.grad.abs().min() > 0
    assert wavelet_regularizer(loss).requires_grad


def test_no_weight_at_all_is_zero_and_compile():
    x = signal(2, 8, 8)
    assert WaveletLoss("haar", 1, [0, 0])(x, x + 1).item() == 0
    loss = WaveletLoss("db2", 1, transform="swt")
    assert_same(whole_graph(loss)(x, 2 * x), loss(x, 2 * x))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: WaveletLoss(transform="fft"), ValueError, "`transform` must be one of dwt, swt; got 'fft'"),
        (lambda: WaveletLoss(norm="l3"), ValueError, "`norm` must be one of l1, l2, charbonnier; got 'l3'"),
        (lambda: WaveletLoss(weights=[1, 1]), ValueError, r"`weights` must have 4 entries, .* \[1, 1\]"),
        (lambda: WaveletLoss(level=1, weights=[1, [1, 2]]), ValueError, "`weights` must have 2 entries"),
        (lambda: WaveletLoss(level=1, weights=[1, -1]), ValueError, "`weights` must not be negative"),
        (lambda: WaveletLoss(level=1, weights=[1, "a"]), TypeError, "`weights` must be a number, got str"),
        (lambda: WaveletLoss(weights=2), TypeError, "`weights` must be a list of numbers or of lists of them, got int"),
        (lambda: WaveletLoss()(torch.ones(8, 8), torch.ones(8, 7)), ValueError, "`input` and `target` must have"),
        (lambda: WaveletLoss()(torch.ones(8, 8), None), TypeError, "`target` must be a torch.Tensor, got NoneType"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
