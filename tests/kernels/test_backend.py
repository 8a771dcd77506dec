"""Which code serves a call, and that nothing falls back silently."""

import subprocess
import sys

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from learnable_wavelets import Fastfood, WaveletLinear, functional
from learnable_wavelets.kernels import available_backends, use_backend

OPS = torch.ops.learnable_wavelets
needs_extension = pytest.mark.skipif("cpu" not in available_backends(), reason="the extension was not built")


def counts(monkeypatch):
    """Calls of the reference transform."""
    from learnable_wavelets.kernels import reference

    seen = []
    plain = reference.fwht
    monkeypatch.setattr(reference, "fwht", lambda x, scale: seen.append(1) or plain(x, scale))
    return seen


def test_reference_is_always_there():
    assert available_backends()[0] == "reference"


def test_forcing_an_unknown_backend():
    why = "`name` must be one of reference, cpu, triton; got 'cuda'"
    with pytest.raises(ValueError, match=why), use_backend("cuda"):
        pass


@pytest.mark.slow
def test_forcing_what_was_not_built():
    program = (
        "import sys; sys.modules['learnable_wavelets.kernels.cpu._cpu'] = None\n"
        "import torch, learnable_wavelets as lw\n"
        "assert lw.kernels.available_backends() == ('reference',)\n"
        "assert lw.WaveletLinear(20, 30)(torch.randn(2, 20)).shape == (2, 30)\n"
        "with lw.kernels.use_backend('cpu'): pass"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "RuntimeError: back end 'cpu' is not available here: the C extension" in done.stderr


@needs_extension
def test_each_backend_is_used_when_forced(monkeypatch):
    seen, x = counts(monkeypatch), torch.randn(2, 8)
    with use_backend("cpu"):
        fast = functional.fwht(x)
    assert not seen
    with use_backend("reference"):
        plain = functional.fwht(x)
    assert seen
    assert torch.allclose(fast, plain, atol=1e-6)
    functional.fwht(x)
    assert len(seen) == 1  # by default, the kernel


@needs_extension
@pytest.mark.parametrize("mode", ["periodization", "zero"])
def test_one_level_is_served_too(mode):
    x = torch.randn(3, 40)
    with use_backend("cpu"):
        bands = functional.dwt(x, "db3", mode)
        back = functional.idwt(*bands, "db3", mode)
    with use_backend("reference"):
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(bands, functional.dwt(x, "db3", mode), strict=True))
    assert torch.allclose(back, x, atol=1e-5)


@needs_extension
def test_inverses_of_every_mode_are_served():
    """They differ from each other in nothing but `periodization`."""
    x = torch.randn(3, 40)
    coeffs = functional.wavedec(x, "db3", "antireflect", level=2)
    with use_backend("cpu"):
        assert torch.allclose(functional.waverec(coeffs, "db3", "antireflect"), x, atol=1e-5)


@needs_extension
@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: functional.fwht(torch.randn(2, 8, dtype=torch.float16)), "the dtype is torch.float16"),
        (lambda: functional.fwht(torch.randn(2, 8, device="meta")), "the data is on meta"),
        (lambda: functional.wavedec(torch.randn(2, 65), "db2", "periodization"), "no kernel for mode 'periodization'"),
        (lambda: functional.waverec([torch.ones(2, 4), None, torch.ones(2, 7)], "haar", "zero"), "no kernel for mode"),
        (lambda: functional.idwt(torch.randn(2, 8), None, "haar", "zero"), "no kernel for mode 'zero'"),
        (lambda: torch.vmap(functional.fwht)(torch.randn(2, 8)), "a torch.func transform is active"),
    ],
)
def test_a_forced_kernel_never_falls_back(call, why):
    call()
    with pytest.raises(RuntimeError, match=f"back end 'cpu' does not serve this call: {why}"), use_backend("cpu"):
        call()


@needs_extension
@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_both_backends_train_the_same_layer(kind, dtype):
    layer, x = kind(40, 50, dtype=dtype), torch.randn(7, 40, dtype=dtype, requires_grad=True)
    results = []
    for name in ("reference", "cpu"):
        with use_backend(name):
            y = layer(x)
            results.append((y, *torch.autograd.grad(y.float().square().sum(), (x, *layer.parameters()))))
    for plain, fast in zip(*results, strict=True):
        assert plain.dtype == fast.dtype == dtype
        tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype]
        assert (plain - fast).abs().max() <= tolerance * plain.abs().max()


LAYERS = pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])


class Listener(TorchDispatchMode):
    """Hears every operator."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.append(function)
        return function(*args, **(kwargs or {}))


@needs_extension
@LAYERS
def test_the_dispatcher_is_skipped_only_where_nobody_listens(kind):
    layer, x = kind(20, 30), torch.randn(3, 20, requires_grad=True)
    y = layer(x)
    grads = torch.autograd.grad(y.square().sum(), (x, *layer.parameters()))
    with torch.no_grad():
        assert torch.equal(layer(x), y)
        with Listener() as listener:
            assert torch.equal(layer(x), y)
    assert OPS.sandwich.default in listener.seen
    again = layer(x)
    with Listener() as listener:
        heard = torch.autograd.grad(again.square().sum(), (x, *layer.parameters()))
    assert OPS.sandwich_backward.default in listener.seen
    assert all(torch.equal(a, b) for a, b in zip(grads, heard, strict=True))


@needs_extension
@LAYERS
def test_a_subclass_has_its_say(kind):
    class Quiet(torch.Tensor):
        pass

    layer, x = kind(20, 30), torch.randn(3, 20)
    names = [layer(v).grad_fn.name() for v in (x, x.as_subclass(Quiet))]
    assert names[0] == "SandwichBackward" != names[1]


@needs_extension
@LAYERS
def test_views_with_a_pending_sign(kind):
    layer = kind(16, 16)
    x = torch.randn(4, 16, dtype=torch.cfloat).conj().imag
    assert x.is_neg()
    with torch.no_grad():
        assert torch.equal(layer(x), layer(x.resolve_neg()))
    assert torch.equal(functional.fwht(x), functional.fwht(x.resolve_neg()))


@needs_extension
@LAYERS
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.trace.*:DeprecationWarning")
def test_a_trace_has_the_operator(kind):
    layer, x = kind(16, 16).eval(), torch.randn(4, 16)
    with torch.no_grad():
        traced = torch.jit.trace(layer, (torch.randn(4, 16),))
        assert torch.equal(traced(x), layer(x))


@LAYERS
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # in torch's own forward mode
def test_forward_mode(kind, grad):
    layer, x, tangent = kind(16, 24), torch.randn(4, 16), torch.randn(4, 16)
    with torch.set_grad_enabled(grad), forward_ad.dual_level():
        y = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, tangent)))
    assert torch.allclose(y.tangent, tangent @ layer.to_dense().T, atol=1e-5)


@LAYERS
def test_batched_gradients(kind):
    layer, x = kind(16, 24), torch.randn(4, 16, requires_grad=True)
    rows = torch.randn(5, 4, 24)
    y = layer(x)
    (together,) = torch.autograd.grad(y, x, rows, is_grads_batched=True, retain_graph=True)
    alone = [torch.autograd.grad(y, x, row, retain_graph=True)[0] for row in rows]
    assert torch.allclose(together, torch.stack(alone), atol=1e-6)


@pytest.mark.slow
@LAYERS
def test_compiled_gradients(kind):
    layer, x = kind(16, 16), torch.randn(4, 16)
    parameters = dict(layer.named_parameters())

    def loss(parameters, x):
        return functional_call(layer, parameters, (x,)).square().sum()

    eager = torch.func.grad(loss)(parameters, x)
    compiled = torch.compile(torch.func.grad(loss), fullgraph=True, backend="aot_eager")(parameters, x)
    assert all(torch.allclose(eager[name], compiled[name], atol=1e-5) for name in eager)


@LAYERS
def test_misaligned_memory(kind):
    values = torch.randn(2, 16)
    odd = torch.frombuffer(bytearray(b"." + values.numpy().tobytes()), dtype=torch.float32, offset=1).view(2, 16)
    layer = kind(16, 16)
    assert torch.equal(layer(odd), layer(values))
    assert torch.equal(functional.fwht(odd), functional.fwht(values))


@LAYERS
def test_tracing_before_dispatch(kind):
    layer, x = kind(16, 16), torch.randn(4, 16)
    with torch.no_grad():
        traced = make_fx(layer, pre_dispatch=True)(torch.randn(4, 16))
        assert torch.equal(traced(x), layer(x))
