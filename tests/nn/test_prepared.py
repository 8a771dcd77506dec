"""The one call of C that a plain eager call of a layer is: when it is taken, and what it computes."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.func import vmap
from torch.utils._python_dispatch import TorchDispatchMode

import learnable_wavelets as lw
from learnable_wavelets.kernels import _prepared
from learnable_wavelets.nn import _layer

from .prepared import below_crossover, check, close, scrambled

pytestmark = pytest.mark.skipif(not _prepared.AVAILABLE, reason="no kernels, or a torch without DLPack's C protocol")


LAYERS = {
    "wavelet": lw.WaveletLinear,
    "fastfood": lw.Fastfood,
    "lattice": lambda *a, **k: lw.WaveletLinear(*a, **k, wavelet=lw.OrthogonalWaveletFilter("db3", dtype=k["dtype"])),
    "zero": lambda *a, **k: lw.WaveletLinear(*a, **k, mode="zero"),
}


@pytest.fixture
def short(monkeypatch):
    """A list that gets a true value for each call of a layer that took the short way."""
    taken = []

    def counting(*arguments):
        y = _prepared.run(*arguments)
        taken.append(y is not None)
        return y

    monkeypatch.setattr(_layer, "run", counting)
    return taken


def gradients(layer, x, weight):
    own = list(layer.parameters())
    x = x.detach().requires_grad_()
    y = layer(x)
    return y, torch.autograd.grad((y * weight).sum(), [x, *own])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [(16, 16), (20, 50), (50, 20), (1, 1), (48, 48)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", LAYERS)
def test_equals_the_long_way(kind, bias, sizes, dtype, short, uninitialised_is_nan):
    layer = scrambled(LAYERS[kind](*sizes, bias=bias, dtype=dtype))
    x = torch.randn(2, 3, sizes[0], dtype=dtype)
    inputs = (x, x[0, 0], torch.randn(sizes[0], 5, dtype=dtype).T, x.expand(4, 2, 3, sizes[0]))
    layer(x)
    for data in inputs:
        weight = torch.randn(*data.shape[:-1], sizes[1], dtype=dtype)
        short.clear()
        ours = gradients(layer, data, weight)
        assert short == [True]
        with lw.kernels.use_backend("cpu"):
            expected = gradients(layer, data, weight)
        assert short == [True, False]
        assert torch.equal(ours[0], expected[0])
        assert type(ours[0].grad_fn).__name__ == "SandwichBackward"
        for a, b in zip(ours[1], expected[1], strict=True):
            assert torch.equal(a, b)
        with torch.no_grad():
            assert torch.allclose(layer(data), expected[0], atol=1e-5 if dtype == torch.float32 else 1e-12)


def test_only_what_needs_a_gradient_gets_one(short):
    layer = scrambled(lw.WaveletLinear(16, 16))
    layer.diag_mid.requires_grad_(False)
    layer.filter.rec_lo.requires_grad_(False)
    x = torch.randn(3, 16)
    layer(x)
    layer(x).sum().backward()
    assert short == [True]  # the first call prepares
    assert [name for name, p in layer.named_parameters() if p.grad is None] == ["diag_mid", "filter.rec_lo"]
    layer.requires_grad_(False)
    assert not layer(x).requires_grad


def test_second_derivatives_and_batched_gradients(short):
    layer = scrambled(lw.WaveletLinear(8, 8, dtype=torch.float64))
    x = torch.randn(2, 8, dtype=torch.float64, requires_grad=True)
    layer(x)
    assert torch.autograd.gradgradcheck(layer, (x,))
    y = layer(x)
    rows = torch.eye(16, dtype=torch.float64).view(16, 2, 8)
    (jacobian,) = torch.autograd.grad(y, x, rows, is_grads_batched=True)
    block = torch.stack([jacobian[8 * i : 8 * i + 8, i] for i in range(2)])
    assert torch.allclose(block, layer.to_dense().expand(2, 8, 8))
    assert all(short)


def test_a_gradient_of_another_shape_is_refused():
    layer, x = scrambled(lw.Fastfood(8, 8, bias=False)), torch.randn(2, 3, 8)
    layer(x)
    plan, saved = layer._prepared.state[0], (x, layer.diag_in, layer.diag_mid, layer.diag_out)
    needs = (False, *[True] * 4, *[False] * 5)
    found = _prepared._cpu.run_backward(plan, needs, x, saved)
    assert [None if g is None else g.shape for g in found] == [None, *[t.shape for t in saved], *[None] * 5]
    for grad in (x[:1], x[0], x.double(), x[..., :4], torch.randn(3, 2, 8)):
        assert _prepared._cpu.run_backward(plan, needs, grad, saved) is None
    for wrong in (saved[:3], (*saved, saved[1]), (saved[0].double(), *saved[1:])):
        assert _prepared._cpu.run_backward(plan, needs, x, wrong) is None


class Look(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


CONTEXTS = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "dispatch mode": Look,
    "reference": lambda: lw.kernels.use_backend("reference"),
    "dual numbers": forward_ad.dual_level,
}


@pytest.mark.parametrize("name", CONTEXTS)
def test_steps_aside_where_something_looks_on(name, short):
    layer, x = below_crossover()
    with torch.no_grad(), CONTEXTS[name]():
        y = layer(x)
    assert short[-1] is False
    assert y.shape == x.shape
    layer(x).sum().backward()  # and again
    assert short[-1] is True


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.trace.*:DeprecationWarning")
def test_transforms_and_tracers_take_the_long_way(short):
    layer, x = scrambled(lw.WaveletLinear(16, 16)), torch.randn(4, 16)
    expected = layer(x)
    layer(x)
    assert torch.allclose(vmap(layer)(x), expected, atol=1e-6)
    assert short[-1] is False
    short.clear()
    traced = torch.jit.trace(layer, x, check_trace=False)
    assert short == [False]
    assert torch.allclose(traced(2 * x), layer(2 * x), atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda layer, x: x.double(),
        lambda layer, x: x[:, :-1],
        lambda layer, x: x.to("meta"),
        lambda layer, x: x.to_sparse(),
        lambda layer, x: x.tolist(),
        lambda layer, x: torch.tensor(1.0),
        lambda layer, x: x.int(),
    ],
)
def test_refusals_are_those_of_the_long_way(change):
    layer, x = below_crossover()
    with torch.no_grad():
        with lw.kernels.use_backend("cpu"), pytest.raises((TypeError, ValueError)) as expected:
            layer(change(layer, x))
        with pytest.raises(expected.type) as found:
            layer(change(layer, x))
    assert str(found.value) == str(expected.value)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("grad", [True, False])
def test_inputs_that_are_stored_otherwise(grad):
    layer, x = below_crossover()
    z = torch.complex(x, x)
    odd = torch.frombuffer(bytearray(x.nbytes + 1), dtype=torch.float32, count=x.numel(), offset=1).view_as(x).copy_(x)
    inputs = {
        "negated": torch._neg_view(x),
        "no rows": x[:0],
        "imaginary part of a conjugate": z.conj().imag,
        "subclass": x.as_subclass(type("Mine", (torch.Tensor,), {})),
        "nested": torch.nested.nested_tensor([x[:3], x[3:]]),
        "parameter": nn.Parameter(x),
        "not aligned": odd,
    }
    assert odd.data_ptr() % 4
    for name, data in inputs.items():
        with nullcontext() if grad else torch.no_grad():
            y = layer(data)
        with torch.no_grad(), lw.kernels.use_backend("reference"):
            expected = layer(data)
        assert type(y) is type(expected), name
        for a, b in zip(y.unbind(), expected.unbind(), strict=True) if y.is_nested else [(y, expected)]:
            assert a.numel() == 0 or close(a, b), name


def test_parameters_that_are_stored_otherwise():
    layer, x = below_crossover()
    layer.diag_out = nn.Parameter(torch.randn(2 * 32)[::2])
    check(layer, x)
    layer.diag_out = nn.Parameter(torch.randn(32))
    layer.diag_mid.data = torch._neg_view(layer.diag_mid.data.clone())
    check(layer, x)
    layer.diag_in = nn.Parameter(torch.randn(31))
    with torch.no_grad(), pytest.raises(ValueError, match="`diag_in` must have shape"):
        layer(x)


def test_a_hook_on_the_filter_is_called_once_a_call(short):
    layer, x = below_crossover()
    seen = []
    layer.filter.register_forward_hook(lambda *_: seen.append(1))
    layer(x)
    assert short[-1] is True
    assert seen == [1]


def test_a_forward_of_the_users_own_is_called_once_a_call():
    for layer in (lw.WaveletLinear(64, 64), lw.Fastfood(64, 64)):
        own, seen = layer.forward, []
        layer.forward = lambda x, own=own, seen=seen: seen.append(1) or own(x)
        with torch.no_grad():
            layer(torch.randn(1, 64)), layer(torch.randn(1, 64))
        assert len(seen) == 2


class Tripled(lw.WaveletLinear):
    def _transform(self, like, banks=None):
        found = super()._transform(like, banks)
        return found._replace(bank=tuple(3 * f for f in found.bank))


def test_subclasses_take_the_long_way(short):
    layer, x = Tripled(16, 16), torch.randn(2, 16)
    layer(x)
    layer(x)
    assert short == []
    assert layer._prepared.state is None
    layer = scrambled(lw.WaveletLinear(16, 16))
    layer(x)
    layer(x)
    before, layer.__class__ = layer(x), Tripled
    after = layer(x)
    assert short[-1] is False
    assert not close(after, before)


def test_a_torch_without_the_protocol(monkeypatch, short):
    monkeypatch.setattr(_prepared, "AVAILABLE", False)
    layer, x = scrambled(lw.WaveletLinear(16, 16)), torch.randn(2, 16)
    layer(x)
    check(layer, x)
    assert short == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_call_computes_the_filter_once(dtype, monkeypatch):
    layer, x = (
        lw.WaveletLinear(32, 32, wavelet=lw.OrthogonalWaveletFilter("db3")).to(dtype),
        torch.randn(3, 32).to(dtype),
    )
    layer(x)
    counted, forward = [], lw.OrthogonalWaveletFilter.forward
    monkeypatch.setattr(lw.OrthogonalWaveletFilter, "forward", lambda self: counted.append(1) or forward(self))
    for _ in range(3):
        layer(x)
    assert len(counted) == 3
