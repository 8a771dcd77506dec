"""`WaveletLoss` is the weighted sum over bands that its docstring states."""

from itertools import accumulate

import pytest
import pywt
import torch

from learnable_wavelets import FilterBank, LearnableWaveletFilter, wavelet_regularizer
from learnable_wavelets.kernels import available_backends, use_backend
from learnable_wavelets.nn import WaveletLoss, _band_loss

from ..banks import assert_same, signal, whole_graph

compiled = pytest.mark.skipif("cpu" not in available_backends(), reason="the C extension was not built")
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


def in_pieces_and_whole(loss, *shape):
    """Values and gradients of both inputs and of the filters, by the kernels and by the definition."""
    results = []
    x, y = (signal(*shape, seed=seed).requires_grad_() for seed in (1, 2))
    leaves = [x, y, *(p for name, p in loss.named_parameters() if "dec" in name)]
    for backend in ("cpu", "reference"):
        with use_backend(backend):
            value = loss(x, y)
            assert (type(value.grad_fn).__name__ == "InPiecesBackward") == (backend == "cpu")
            results.append([value, *torch.autograd.grad(value, leaves)])
    return results


@compiled
@pytest.mark.parametrize(
    ("dims", "shape"),
    [(1, (70, 21)), (1, (2, 101)), (2, (3, 17, 12, 13)), (2, (1, 81, 14)), (3, (2, 3, 12, 13, 12))],
)
@pytest.mark.parametrize("transform", ["dwt", "swt"])
@pytest.mark.parametrize("norm", NORMS)
def test_pieces_sum_up_to_the_definition(norm, transform, dims, shape, monkeypatch):
    monkeypatch.setattr(_band_loss, "_LEAST", 1)  # many pieces, of one plane or two
    if norm == "l1":  # which has no derivative at zero, where the details of repeated samples are
        shape = [n + -n % 4 for n in shape]
    weights = [0.7, [0.0, *range(1, 2**dims - 1)], 1.3]
    loss = WaveletLoss(LearnableWaveletFilter("db2", dtype=torch.float64), 2, weights, transform, dims, norm)
    for ours, exact in zip(*in_pieces_and_whole(loss, *shape), strict=True):
        assert_same(ours, exact)


@compiled
@pytest.mark.parametrize("transform", ["dwt", "swt"])
def test_gradients_of_one_input_alone_and_of_second_order(transform):
    loss = WaveletLoss("db2", 1, [1, [1, 2, 3]], transform, norm="charbonnier")
    x, y = signal(2, 6, 7).requires_grad_(), signal(2, 6, 7, seed=2)
    assert torch.autograd.gradcheck(loss, (x, y))
    assert torch.autograd.gradcheck(loss, (y, x))
    assert torch.autograd.gradgradcheck(loss, (x, y.clone().requires_grad_()))
    (batched,) = torch.autograd.grad(
        loss(x, y), x, torch.tensor([1.0, 2.0], dtype=torch.float64), is_grads_batched=True
    )
    (single,) = torch.autograd.grad(loss(x, y), x)
    assert_same(batched, torch.stack([single, 2 * single]))


@compiled
@pytest.mark.parametrize("shape", [(32, 128, 128), (1, 1024, 1024)], ids=str)
def test_only_the_inputs_are_kept_and_the_peak_is_the_gradient_and_little_more(shape):
    loss, kept = WaveletLoss(level=3, transform="swt"), []
    x, y = torch.randn(shape, requires_grad=True), torch.randn(shape)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()) or t, lambda t: t):
        value = loss(x, y)
    assert kept[:2] == [x.data_ptr(), y.data_ptr()]
    assert len(kept) == 4
    assert 0 < peak_bytes(value.backward) < 2 * x.numel() * x.element_size()


def peak_bytes(call):
    """The most that torch's allocator held during `call`, above what was there before."""
    with torch.profiler.profile(profile_memory=True) as profile:
        call()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(accumulate(held))


class Rows(LearnableWaveletFilter):
    """A filter of the user's own, with a row of taps for each of two channels."""

    def forward(self):
        return FilterBank(*(torch.stack([f, 2 * f]) for f in super().forward()))


@pytest.mark.parametrize("transform", ["dwt", "swt"])
def test_a_filter_of_the_users_own_for_each_channel(transform):
    rows, plain = (kind("haar", dtype=torch.float64) for kind in (Rows, LearnableWaveletFilter))
    x, y = signal(3, 2, 16, 12), signal(3, 2, 16, 12, seed=2)
    ours, one = (WaveletLoss(filter, 1, None, transform) for filter in (rows, plain))
    first, second = (one(x[:, i], y[:, i]) for i in range(2))
    assert_same(ours(x, y), (first + 4 * second) / 2)  # rows and columns: a factor of two each


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


@pytest.mark.parametrize("shape", [(1, 1, 33, 35), (1, 1, 300, 301)], ids=["whole", "strips"])
def test_the_default_device_does_not_count(shape):
    x = torch.randn(shape)
    loss = WaveletLoss("db2", 2, transform="swt")
    expected = loss(x, torch.zeros_like(x))
    with torch.device("meta"):
        assert_same(loss(x, torch.zeros_like(x, device="cpu")), expected)


def test_no_weight_at_all_is_zero_and_compile():
    x = signal(2, 8, 8)
    assert WaveletLoss("haar", 1, [0, 0])(x, x + 1).item() == 0
    loss = WaveletLoss("db2", 1, transform="swt")
    assert_same(whole_graph(loss)(x, 2 * x), loss(x, 2 * x))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: WaveletLoss(transform="fft"), ValueError, "`transform` must be one of dwt, swt; got 'fft'"),
        (lambda: WaveletLoss(["haar", "db2"], 2), ValueError, "`wavelet` must be one for all levels of WaveletLoss"),
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
