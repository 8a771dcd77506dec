"""Contract 7: whatever works with `nn.Linear` works with these layers."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad, vmap

from learnable_wavelets import Fastfood, LearnableWaveletFilter, WaveletLinear, kernels

from ..banks import assert_same, signal, whole_graph
from ..layers import LAYERS, SHAPES, dense, scramble
from ..strategies import leading_shapes

COMPILED = [
    ("wavelet", (31, 12)), ("wavelet zero", (12, 31)), ("wavelet symmetric", (12, 12)), ("wavelet lattice", (16, 16)),
    ("fastfood", (12, 31)),
]  # fmt: skip


@pytest.fixture(params=LAYERS)
def make(request):
    return LAYERS[request.param]


@pytest.mark.parametrize("bias", [True, False])
def test_attributes_and_signature(make, bias):
    layer, linear = make(12, 31, bias), nn.Linear(12, 31, bias)
    assert (layer.in_features, layer.out_features) == (linear.in_features, linear.out_features)
    assert (layer.bias is None) == (linear.bias is None)
    assert bias == ("bias" in layer.state_dict())
    assert f"in_features=12, out_features=31, bias={bias}" in repr(layer)


def test_positional_arguments_are_those_of_linear(make):
    layer = make(12, 31, False, "meta", torch.float64)
    assert layer.diag_in.is_meta
    assert layer.diag_in.dtype == torch.float64


def test_repr_tells_what_was_chosen():
    text = repr(WaveletLinear(64, 64, level=3, mode="zero", dropout=0.25))
    assert all(part in text for part in ("level=3", "mode='zero'", "dropout=0.25", "LearnableWaveletFilter('db2'"))
    assert "adaptive=False" in repr(Fastfood(8, 8, adaptive=False))
    assert "dropout" not in repr(Fastfood(8, 8))


@given(st.sampled_from(sorted(LAYERS)), st.sampled_from(SHAPES), leading_shapes)
def test_any_leading_dimensions_empty_ones_too(name, shape, leading):
    layer = scramble(LAYERS[name](*shape, dtype=torch.float64))
    x = signal(*leading, shape[0]).requires_grad_()
    y = layer(x)
    assert y.shape == (*leading, shape[1])
    matrix = dense(layer)
    assert_same(y, x.detach().numpy() @ matrix.T + layer.bias.detach().numpy(), 1e-9)
    y.sum().backward()
    assert_same(x.grad, torch.from_numpy(matrix.sum(0)).expand(x.shape), 1e-9)


def test_non_contiguous_input(make):
    layer = make(12, 31, dtype=torch.float64)
    for x in (signal(12, 5).T, signal(5, 24)[:, ::2], signal(12).expand(5, 12), signal(5, 3, 12).transpose(0, 1)):
        assert not x.is_contiguous()
        assert_same(layer(x), layer(x.contiguous()))


def test_input_and_parameters_stay_as_they_are(make):
    layer, x = make(12, 31), signal(5, 12).float()
    before = {k: v.clone() for k, v in layer.state_dict().items()}
    kept = x.clone()
    layer(x).sum().backward()
    assert torch.equal(x, kept)
    assert all(torch.equal(v, before[k]) for k, v in layer.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_argument_and_conversion_agree(make, dtype):
    for layer in (make(12, 31, dtype=dtype), make(12, 31).to(dtype)):
        assert {t.dtype for t in layer.state_dict().values()} == {dtype}
        assert layer.permutation.dtype == torch.int64
        y = layer(signal(4, 12).to(dtype))
        assert y.dtype == dtype
        assert layer.to_dense().dtype == dtype
        y.float().sum().backward()
        assert all(p.grad.dtype == dtype for p in layer.parameters() if p.requires_grad)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(256, 256), (100, 300), (300, 100)])
def test_half_types_accumulate_in_float32(make, dtype, shape):
    """Of the parameters as they are, the result is good to one rounding, by a factor of two."""
    layer = scramble(make(*shape)).to(dtype)
    x = signal(8, shape[0]).to(dtype)
    exact = copy.deepcopy(layer).double()(x.double()).detach()
    error = (layer(x).double() - exact).abs()
    rounding = (exact.to(dtype).double() - exact).abs()
    assert error.max() < 2 * rounding.max()
    assert error.mean() < 1.1 * rounding.mean()


def test_float32_error(make):
    layer = scramble(make(300, 200))
    x = signal(8, 300).float()
    exact = copy.deepcopy(layer).double()(x.double())
    assert_same(layer(x), exact.detach(), 5e-6)


@pytest.mark.parametrize("parameters", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("inputs", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("cast", [torch.bfloat16, torch.float16])
def test_autocast_gives_the_dtype_of_linear(make, parameters, inputs, cast):
    layer, linear, x = make(16, 24, dtype=parameters), nn.Linear(16, 24, dtype=parameters), signal(4, 16).to(inputs)
    with torch.autocast("cpu", dtype=cast):
        try:
            expected = linear(x).dtype
        except RuntimeError:  # nn.Linear does not take the pair
            return
        y = layer(x)
    assert y.dtype == expected


def test_autocast_computes_in_full_precision(make):
    layer, x = scramble(make(256, 300)), signal(8, 256).float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
    assert torch.equal(y, layer(x).bfloat16())
    y.float().sum().backward()
    assert {p.grad.dtype for p in layer.parameters() if p.requires_grad} == {torch.float32}


@pytest.mark.skipif("cpu" not in kernels.available_backends(), reason="the extension was not built")
def test_autocast_leaves_gradients_to_be_differentiated_alone(make):
    """`create_graph=True` inside the region, as for a penalty on the gradient: plain torch, but in full precision."""
    layer, x = scramble(make(64, 64)), signal(4, 64).float().requires_grad_()
    if getattr(layer, "mode", "") == "symmetric":
        pytest.skip("no kernel: its backward pass is torch's own, whose products autocast rounds")

    def gradient():
        y = layer(x).float()
        return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]

    expected = gradient()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = gradient()
    assert torch.linalg.vector_norm(inside - expected) < 1e-5 * torch.linalg.vector_norm(expected)


def test_autocast_has_the_range_of_its_dtype(make):
    """Not that of the input: float16 ends at 65,504."""
    layer, x = make(64, 64, bias=False), torch.full((1, 64), 6e4, dtype=torch.float16)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        layer.diag_out.fill_(16)
        y = layer(x)
    assert y.dtype == torch.bfloat16
    assert y.isfinite().all()
    assert torch.equal(y, layer(x.float()).bfloat16())


def test_meta_device(make):
    layer = make(12, 31, device="meta")
    assert all(t.is_meta for t in (*layer.parameters(), *layer.buffers()))
    assert layer(torch.empty(2, 3, 12, device="meta")).shape == (2, 3, 31)
    with torch.device("meta"):
        layer = make(12, 31)
    assert all(t.is_meta for t in (*layer.parameters(), *layer.buffers(), layer.permutation))


def test_meta_then_empty_then_reset_is_a_fresh_layer(make):
    layer = make(12, 31, device="meta").to_empty(device="cpu")
    for tensor in (*layer.parameters(), *layer.buffers()):
        tensor.data.fill_(torch.nan)
    torch.manual_seed(7)
    layer.reset_parameters()
    if isinstance(layer, WaveletLinear) and not isinstance(layer.filter, LearnableWaveletFilter):
        layer.filter.reset_parameters()  # given by the test, so that the layer leaves it alone
    torch.manual_seed(7)
    fresh = make(12, 31)
    assert fresh.state_dict().keys() == layer.state_dict().keys()
    assert all(torch.equal(v, layer.state_dict()[k]) for k, v in fresh.state_dict().items())


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_a_layer_on_meta_takes_no_memory(kind):
    layer = kind(2**40, 2**40, device="meta")  # the index of P alone would take 8 TiB
    assert layer.diag_mid.shape == (1, 2**40)


@pytest.mark.parametrize("default", ["meta", "cpu"])
def test_an_explicit_device_beats_the_default(make, default):
    device = "cpu" if default == "meta" else "meta"
    torch.manual_seed(5)
    expected = make(12, 31)
    expected.reset_parameters("gaussian")

    def check():
        torch.manual_seed(5)
        layer = make(12, 31, device=device)
        layer.reset_parameters("gaussian")
        tensors = layer.state_dict()
        assert {t.device.type for t in tensors.values()} == {device}
        if device == "cpu":
            assert all(torch.equal(v, tensors[k]) for k, v in expected.state_dict().items())

    with torch.device(default):
        check()
    torch.set_default_device(default)
    try:
        check()
    finally:
        torch.set_default_device(None)


def test_default_dtype_is_respected(make):
    torch.set_default_dtype(torch.float64)
    try:
        assert make(12, 31).diag_in.dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_vmap_over_inputs(make):
    layer, x = make(12, 31, dtype=torch.float64), signal(3, 4, 12)
    assert_same(vmap(layer)(x), layer(x))
    assert_same(vmap(layer, in_dims=1, out_dims=1)(x), layer(x))


# torch has no batching rule for the gradient of `unfold`: right, but one sample at a time
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize("shape", [(16, 16), (12, 31), (31, 12)])
def test_per_sample_gradients(make, shape):
    layer, x = scramble(make(*shape, dtype=torch.float64)), signal(3, shape[0])
    parameters = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(parameters, x):
        return functional_call(layer, parameters, (x,)).square().sum()

    found = vmap(grad(loss), in_dims=(None, 0))(parameters, x)
    for i in range(3):
        layer.zero_grad()
        layer(x[i]).square().sum().backward()
        for name, parameter in layer.named_parameters():
            if parameter.requires_grad:
                assert_same(found[name][i], parameter.grad)


def test_vmap_over_an_ensemble(make):
    layers = [scramble(make(12, 31, dtype=torch.float64)) for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(layers)
    x = signal(4, 12)
    together = vmap(lambda p, b: functional_call(layers[0], (p, b), (x,)))(parameters, buffers)
    assert_same(together, torch.stack([layer(x) for layer in layers]))


def test_double_backward(make):
    layer, x = scramble(make(6, 6, dtype=torch.float64)), signal(2, 6).requires_grad_()
    (first,) = torch.autograd.grad(layer(x).pow(3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x)
    assert second.abs().min() > 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape"), COMPILED)
def test_compile_whole_graph(name, shape):
    layer, x = scramble(LAYERS[name](*shape, dtype=torch.float64)), signal(4, shape[0])
    compiled = whole_graph(copy.deepcopy(layer))
    compiled(x).square().sum().backward()
    layer(x).square().sum().backward()
    assert_same(compiled(x), layer(x))
    for ours, expected in zip(compiled.parameters(), layer.parameters(), strict=True):
        assert_same(ours.grad, expected.grad)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wavelet", "fastfood"])
def test_compile_with_inductor(name):
    layer, x = LAYERS[name](16, 24), signal(4, 16).float()
    compiled = whole_graph(copy.deepcopy(layer), "inductor")
    compiled(x).square().sum().backward()
    layer(x).square().sum().backward()
    assert_same(compiled(x), layer(x), 1e-5)
    for ours, expected in zip(compiled.parameters(), layer.parameters(), strict=True):
        assert_same(ours.grad, expected.grad, 1e-5)


def test_compile_in_training_with_dropout():
    compiled = whole_graph(Fastfood(16, 16, dropout=0.5))
    assert compiled(signal(4, 16).float()).shape == (4, 16)


@pytest.mark.parametrize("name", ["wavelet", "wavelet zero", "fastfood"])
def test_export(name):
    layer, x = LAYERS[name](16, 24).eval(), signal(4, 16).float()
    program = torch.export.export(layer, (x,))
    assert_same(program.module()(x), layer(x), 1e-6)


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "fastfood fixed"])
def test_training_lowers_the_loss(name):
    model = nn.Sequential(LAYERS[name](12, 31), nn.Tanh(), LAYERS[name](31, 4))
    x, y = signal(64, 12).float(), signal(64, 4).float()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]


def test_no_warning_above_the_useful_level():
    """A layer's depth is its own choice: only the user's call of `wavedec` warns (warnings are errors here)."""
    WaveletLinear(64, 64, wavelet="db8", level=6)(signal(64).float())
    WaveletLinear(58, 58, wavelet="db6", level=8, mode="zero")(signal(58).float())
