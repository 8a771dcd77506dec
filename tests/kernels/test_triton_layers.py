"""Layers and transforms with `use_backend("triton")` against the reference; what is served, and what is refused."""

import os
import subprocess
import sys

import pytest
import torch

from learnable_wavelets import Fastfood, WaveletLinear, functional
from learnable_wavelets.kernels import available_backends, reference, use_backend

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 4e-3}


def on_both(call):
    """Results of the reference and of Triton."""
    results = []
    for name in ("reference", "triton"):
        with use_backend(name):
            results.append(call())
    return zip(*results, strict=True)


def assert_same(plain, fast, dtype):
    assert plain.dtype == fast.dtype
    assert plain.shape == fast.shape
    if plain.numel():
        assert (plain - fast).abs().max() <= TOLERANCE[dtype] * plain.abs().max()


@pytest.fixture
def launches(monkeypatch):
    """One entry for each launch of a Triton kernel."""
    from learnable_wavelets.kernels.triton import _launch

    seen, on = [], _launch.on
    monkeypatch.setattr(_launch, "on", lambda x: seen.append(x.shape) or on(x))
    return seen


LAYERS = {
    "fastfood": lambda **k: Fastfood(40, 50, **k),
    "narrow fastfood": lambda **k: Fastfood(100, 7, bias=False, **k),
    "fixed fastfood": lambda **k: Fastfood(16, 16, adaptive=False, **k),
    "haar": lambda **k: WaveletLinear(20, 40, wavelet="haar", **k),
    "db2": lambda **k: WaveletLinear(100, 30, **k),
    "bior4.4": lambda **k: WaveletLinear(24, 24, wavelet="bior4.4", level=1, bias=False, **k),
    "db6": lambda **k: WaveletLinear(30, 100, wavelet="db6", level=2, **k),
}


@pytest.mark.gpu
@pytest.mark.parametrize("make", LAYERS)
def test_layers(device, make, launches):
    for dtype in TOLERANCE if make in ("fastfood", "bior4.4") else (torch.float32,):
        layer = LAYERS[make](dtype=dtype, device=device)
        x = torch.randn(2, 3, layer.in_features, device=device).to(dtype).requires_grad_()

        def train(layer=layer, x=x):
            y = layer(x)
            wanted = (x, *(p for p in layer.parameters() if p.requires_grad))
            return y, *torch.autograd.grad(y.float().square().sum(), wanted)

        for plain, fast in on_both(train):
            assert_same(plain, fast, dtype)
        assert len(launches) == 2  # forward and backward
        launches.clear()


@pytest.mark.gpu
def test_every_call_without_gradients(device, launches):
    """The path that skips the dispatcher is that of the C kernels."""
    layer, x = WaveletLinear(20, 20, device=device), torch.randn(3, 20, device=device)
    with torch.no_grad():
        for plain, fast in on_both(lambda: (layer(x), layer.to_dense(), layer(x[:0]), layer(x[0]))):
            assert_same(plain, fast, torch.float32)
    assert len(launches) == 3  # not for the empty batch


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_transforms_of_functional(device, dtype):
    x = torch.randn(2, 48, 3, device=device).to(dtype)

    def run():
        coeffs = functional.wavedec(x, "db2", "periodization", 2, axis=1)
        return *coeffs, functional.waverec(coeffs, "db2", "periodization", axis=1), functional.fwht(x[:, :32, 0])

    for plain, fast in on_both(run):
        assert_same(plain, fast, dtype)


@pytest.mark.gpu
def test_the_kernels_run_and_not_the_reference(device, monkeypatch):
    layer, x = Fastfood(16, 16, device=device), torch.randn(2, 16, device=device, requires_grad=True)

    def fail(*args):
        raise AssertionError("the reference was called")

    for name in ("fwht", "sandwich", "decompose", "wavedec"):
        monkeypatch.setattr(reference, name, fail)
    with use_backend("triton"):
        layer(x).sum().backward()
        functional.wavedec(x, "haar", "periodization", 2)
    assert x.grad is not None


@pytest.mark.gpu
@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_compiled_layers(device, kind):
    layer, x = kind(20, 20, device=device), torch.randn(3, 20, device=device, requires_grad=True)
    with use_backend("triton"):
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        y, z = layer(x), compiled(x)
        assert torch.equal(y, z)
        assert torch.equal(*(torch.autograd.grad(out.square().sum(), x)[0] for out in (y, z)))


@pytest.mark.gpu
def test_second_derivatives_go_through_the_twin(device):
    x = torch.randn(2, 8, device=device, dtype=torch.float64, requires_grad=True)
    layer = Fastfood(8, 6, device=device, dtype=torch.float64)
    with use_backend("triton"):
        assert torch.autograd.gradgradcheck(layer, (x,))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_autocast(device, dtype, launches):
    layer, x = WaveletLinear(20, 20, device=device), torch.randn(3, 20, device=device)

    def run():
        with torch.autocast(device.type, dtype):
            return (layer(x),)

    for plain, fast in on_both(run):
        assert plain.dtype == dtype
        assert_same(plain, fast, dtype)
    assert len(launches) == 1


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda x: functional.wavedec(x, "db2", "reflect"), "no kernel for mode 'reflect'"),
        (lambda x: functional.wavedec(x[:, :15], "haar", "periodization", 1), "no kernel for mode 'periodization'"),
        (torch.vmap(functional.fwht), "a torch.func transform is active"),
        (lambda x: functional.fwht(x.to("meta")), "the data is on meta"),
    ],
)
def test_a_forced_kernel_never_falls_back(device, call, why):
    x = torch.randn(2, 16, device=device)
    call(x)
    with use_backend("triton"), pytest.raises(RuntimeError, match=f"back end 'triton' does not serve this call: {why}"):
        call(x)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_cuda_graphs(kind):
    """A captured training step: nothing in it may wait for the device or read from it."""
    layer, x = kind(64, 64, device="cuda"), torch.randn(50, 64, device="cuda", requires_grad=True)

    def step():
        return torch.autograd.grad(layer(x).square().sum(), (x, *layer.parameters()))

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        step()  # compiles
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    with torch.no_grad():
        x.mul_(2)
    graph.replay()
    for fixed, fresh in zip(captured, step(), strict=True):
        assert torch.equal(fixed, fresh)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_rows_beyond_32_bits():
    n, rows = 1024, 2**21 + 3  # more than 2**31 values
    x = torch.zeros(rows, n, device="cuda", dtype=torch.bfloat16)
    x[-1] = torch.randn(n, device="cuda")
    layer = Fastfood(n, n, bias=False, device="cuda", dtype=torch.bfloat16)
    y = layer(x)
    assert torch.equal(y[-1], layer(x[-1:])[0])
    assert not y[:-1].any()


def run_python(program, **environment):
    settings = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"} | environment
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=settings)


@pytest.mark.slow
def test_triton_is_not_imported_before_its_first_tensor():
    """Not by us: `torch._dynamo` imports it too."""
    done = run_python(
        "import sys, torch, learnable_wavelets as lw\n"
        "lw.kernels.available_backends()\n"
        "lw.Fastfood(8, 8)(torch.randn(2, 8)).sum().backward()\n"
        "assert not any(name.startswith('learnable_wavelets.kernels.triton.') for name in sys.modules)\n"
        "with lw.kernels.use_backend('triton'): lw.functional.fwht(torch.randn(2, 8))\n"
        "assert 'learnable_wavelets.kernels.triton._transforms' in sys.modules",
        TRITON_INTERPRET="1",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_forcing_triton_without_a_device():
    done = run_python("import learnable_wavelets as lw\nwith lw.kernels.use_backend('triton'): pass")
    why = "there is no CUDA device, and TRITON_INTERPRET=1 was not set"
    assert f"RuntimeError: back end 'triton' is not available here: {why}" in done.stderr


@pytest.mark.slow
def test_forcing_triton_that_is_not_installed():
    done = run_python(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'triton' else find(name, *a)\n"
        "import learnable_wavelets as lw\n"
        "assert 'triton' not in lw.kernels.available_backends()\n"
        "with lw.kernels.use_backend('triton'): pass",
        TRITON_INTERPRET="1",
    )
    assert "RuntimeError: back end 'triton' is not available here: triton is not installed" in done.stderr


@pytest.mark.slow
def test_the_interpreter_is_a_backend():
    done = run_python("import learnable_wavelets as lw\nprint(*lw.kernels.available_backends())", TRITON_INTERPRET="1")
    assert "triton" in done.stdout.split()
    assert ("triton" in available_backends()) == (torch.cuda.is_available() or "TRITON_INTERPRET" in os.environ)
