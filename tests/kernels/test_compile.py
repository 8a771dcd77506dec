"""`torch.compile`, fake tensors and `torch.export`: no graph break, the same numbers, one program for every batch."""

import shutil
import threading

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from learnable_wavelets import Fastfood, WaveletLinear, functional
from learnable_wavelets.kernels import available_backends, use_backend

OPS = torch.ops.learnable_wavelets
COMPILERS = [
    "aot_eager",
    pytest.param("inductor", marks=pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a compiler")),
]
NAMES = [None, *(name for name in available_backends() if name != "triton")]
LAYERS = {
    "wavelet": lambda: WaveletLinear(20, 33),
    "zero": lambda: WaveletLinear(20, 33, wavelet="db2", mode="zero"),
    "fastfood": lambda: Fastfood(40, 20),
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),  # in torch's own compilers
]


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()


def transforms(x):
    coeffs = functional.wavedec(x, "db2", "periodization", 2)
    return functional.waverec(coeffs, "db2", "periodization") + functional.fwht(x)


def results(call, x, parameters):
    y = call(x)
    return y, *torch.autograd.grad(y.square().sum(), (x, *parameters))


def assert_same(first, second):
    for a, b in zip(first, second, strict=True):
        assert torch.allclose(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, compiler):
    layer = LAYERS[name]()
    x = torch.randn(5, layer.in_features, requires_grad=True)
    parameters = list(layer.parameters())
    compiled = torch.compile(layer, fullgraph=True, backend=compiler)
    assert_same(results(layer, x, parameters), results(compiled, x, parameters))
    with torch.no_grad():
        assert torch.allclose(compiled(x), layer(x), atol=1e-5)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_functional(compiler):
    x = torch.randn(5, 32, requires_grad=True)
    compiled = torch.compile(transforms, fullgraph=True, backend=compiler)
    assert_same(results(transforms, x, ()), results(compiled, x, ()))


@pytest.mark.parametrize("forced", NAMES)
@pytest.mark.parametrize("name", LAYERS)
def test_a_forced_back_end_and_every_batch(name, forced):
    layer = LAYERS[name]()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
    parameters = list(layer.parameters())
    for rows in (2, 5, 9):
        x = torch.randn(rows, layer.in_features, requires_grad=True)
        if forced is None:
            assert_same(results(layer, x, parameters), results(compiled, x, parameters))
        else:
            with use_backend(forced):
                assert_same(results(layer, x, parameters), results(compiled, x, parameters))


@pytest.mark.parametrize("forced", NAMES)
def test_functional_of_every_batch(forced):
    compiled = torch.compile(transforms, fullgraph=True, backend="aot_eager", dynamic=True)
    for rows in (2, 5):
        x = torch.randn(rows, 32, requires_grad=True)
        if forced is None:
            assert_same(results(transforms, x, ()), results(compiled, x, ()))
        else:
            with use_backend(forced):
                assert_same(results(transforms, x, ()), results(compiled, x, ()))


def test_two_threads_compile():
    made, errors = {}, []
    layers = {name: LAYERS[name]() for name in ("wavelet", "fastfood")}

    def work(name):
        try:
            layer = layers[name]
            x = torch.randn(3, layer.in_features, requires_grad=True)
            compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
            made[name] = results(compiled, x, list(layer.parameters())), results(layer, x, list(layer.parameters()))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in layers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for compiled, eager in made.values():
        assert_same(compiled, eager)
    assert len(made) == 2


@pytest.mark.parametrize("name", LAYERS)
def test_fake_tensors(name):
    layer, mode = LAYERS[name](), FakeTensorMode()
    fakes = {key: mode.from_tensor(p.detach()).requires_grad_() for key, p in layer.named_parameters()}
    with mode:
        x = torch.randn(7, layer.in_features, requires_grad=True)
        y = functional_call(layer, fakes, (x,))
        y.sum().backward()
    assert y.shape == (7, layer.out_features)
    assert x.grad.shape == x.shape
    assert all(p.grad.shape == p.shape for p in fakes.values())


@pytest.mark.parametrize("name", LAYERS)
def test_export_of_every_batch(name):
    layer = LAYERS[name]()
    shapes = ({0: torch.export.Dim("batch", min=2, max=1024)},)
    exported = torch.export.export(layer, (torch.randn(4, layer.in_features),), dynamic_shapes=shapes)
    if "cpu" in available_backends():
        assert any(node.target is OPS.sandwich.default for node in exported.graph.nodes)
    for rows in (2, 11):
        x = torch.randn(rows, layer.in_features)
        assert torch.allclose(exported.module()(x), layer(x), atol=1e-5)
