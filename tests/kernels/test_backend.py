"""Which code serves a call, and that nothing falls back silently."""

import subprocess
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from learnable_wavelets import Fastfood, WaveletLinear, functional
from learnable_wavelets.kernels import available_backends, use_backend

needs_extension = pytest.mark.skipif("cpu" not in available_backends(), reason="the extension was not built")


def counts(monkeypatch):
    """Calls of the reference transform."""
    from learnable_wavelets.kernels import reference

    seen = []
    plain = reference.hadamard_transform
    monkeypatch.setattr(reference, "hadamard_transform", lambda x: seen.append(1) or plain(x))
    return seen


def test_reference_is_always_there():
    assert available_backends()[0] == "reference"


def test_forcing_an_unknown_backend():
    why = "`name` must be one of reference, cpu, triton; got 'cuda'"
    with pytest.raises(ValueError, match=why), use_backend("cuda"):
        pass


def test_forcing_what_was_not_built():
    program = (
        "import sys; sys.modules['learnable_wavelets.kernels._cpu'] = None\n"
        "import torch, learnable_wavelets as lw\n"
        "assert lw.kernels.available_backends() == ('reference',)\n"
        "assert lw.WaveletLinear(20, 30)(torch.randn(2, 20)).shape == (2, 30)\n"
        "with lw.kernels.use_backend('cpu'): pass"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "RuntimeError: backend 'cpu' is not available here: the extension was not built" in done.stderr


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
@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda: functional.fwht(torch.randn(2, 8, dtype=torch.float16)), "the dtype is torch.float16"),
        (lambda: functional.fwht(torch.randn(2, 8, device="meta")), "the data is on meta"),
        (lambda: functional.wavedec(torch.randn(2, 64), "db2", "reflect"), "no kernel for mode 'reflect'"),
        (lambda: functional.wavedec(torch.randn(2, 65), "db2", "periodization"), "no kernel for mode 'periodization'"),
        (lambda: torch.vmap(functional.fwht)(torch.randn(2, 8)), "a torch.func transform is active"),
    ],
)
def test_a_forced_kernel_never_falls_back(call, why):
    call()
    with pytest.raises(RuntimeError, match=f"backend 'cpu' does not serve this call: {why}"), use_backend("cpu"):
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


@needs_extension
@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_inference_skips_the_dispatcher_only_where_nobody_listens(kind):
    class Listener(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.seen = []

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.seen.append(function)
            return function(*args, **(kwargs or {}))

    layer, x = kind(20, 30), torch.randn(3, 20)
    with_graph = layer(x).detach()
    with torch.no_grad():
        assert torch.equal(layer(x), with_graph)
        with Listener() as listener:
            assert torch.equal(layer(x), with_graph)
    assert torch.ops.learnable_wavelets.sandwich.default in listener.seen
