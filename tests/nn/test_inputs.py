"""Inputs that `nn.Linear` takes in other layouts are computed; all others are refused in one line."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from learnable_wavelets import Fastfood, WaveletLinear
from learnable_wavelets.nn import GRU, LSTM, GRUCell, LSTMCell, Stack

from ..banks import assert_same
from ..layers import LAYERS, scramble

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
TAKERS = {"WaveletLinear": WaveletLinear, "Fastfood": Fastfood, "GRU": GRU, "LSTM": LSTM, "GRUCell": GRUCell,
          "LSTMCell": LSTMCell}  # fmt: skip
NESTED = {
    **LAYERS,
    "stack": partial(Stack, depth=2),
    "stack with a residual": partial(Stack, depth=1, rank=2),
    "low rank": partial(Stack, depth=0, rank=2),
}
x = torch.ones(4, 16)
nested = torch.nested.nested_tensor([torch.ones(3, 16), torch.ones(5, 16)], layout=torch.jagged)
REFUSED = {
    "numpy": (np.ones((4, 16), np.float32), TypeError, "must be a torch.Tensor, got ndarray"),
    "complex": (x.cfloat(), TypeError, "must be real floating point, got torch.complex64"),
    "integer": (x.long(), TypeError, "must be real floating point, got torch.int64"),
    "bool": (x.bool(), TypeError, "must be real floating point, got torch.bool"),
    "sparse": (torch.eye(16).to_sparse(), TypeError, "must be a dense tensor, got layout torch.sparse_coo"),
    "meta": (x.to("meta"), ValueError, "must be on the layer's device cpu, got meta"),
    "double": (x.double(), TypeError, "must have the layer's dtype torch.float32, got torch.float64"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("kind", TAKERS)
def test_refused_in_one_line(kind, case):
    given, error, message = REFUSED[case]
    with pytest.raises(error, match=f"^`input` {message}") as caught:
        TAKERS[kind](16, 16)(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", TAKERS)
def test_a_real_tensor_into_a_meta_layer(kind):
    with pytest.raises(ValueError, match=r"`input` must be on the layer's device meta, got cpu$"):
        TAKERS[kind](16, 16, device="meta")(x)


@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
@pytest.mark.parametrize("kind", ["GRU", "LSTM", "GRUCell", "LSTMCell"])
def test_nested_into_a_recurrent_layer(kind, layout):
    given = torch.nested.nested_tensor([torch.ones(3, 16), torch.ones(5, 16)], layout=layout)
    message = "must be a dense tensor or a PackedSequence, got a nested tensor$"
    with pytest.raises(TypeError, match=f"^`input` {message}"):
        TAKERS[kind](16, 16)(given)
    pair = "LSTM" in kind
    with pytest.raises(TypeError, match=f"^`hx{r'.0.' if pair else ''}` {message}"):
        TAKERS[kind](16, 16)(x, (given, given) if pair else given)


@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
@pytest.mark.parametrize("name", NESTED)
def test_nested_is_computed_row_by_row(name, layout):
    layer = scramble(NESTED[name](16, 24))
    parts = [torch.randn(3, 16), torch.randn(5, 16), torch.randn(1, 16)]
    given = torch.nested.nested_tensor(parts, layout=layout, requires_grad=True)
    y, linear = layer(given), nn.Linear(16, 24)(given)
    assert y.is_nested
    assert y.layout == linear.layout
    for found, part in zip(y.unbind(), parts, strict=True):
        assert_same(found, layer(part).detach(), 1e-5)
    sum(found.square().sum() for found in y.unbind()).backward()
    gradients = given.grad.unbind()
    for found, part in zip(gradients, parts, strict=True):
        leaf = part.clone().requires_grad_()
        layer(leaf).square().sum().backward()
        assert_same(found, leaf.grad, 1e-4)


@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
@pytest.mark.parametrize("name", NESTED)
def test_hooks_see_one_call_of_a_nested_input(name, layout):
    layer, calls = NESTED[name](16, 24), []
    layer.register_forward_hook(lambda module, inputs, y: calls.append((inputs[0].is_nested, y.is_nested)))
    layer(torch.nested.nested_tensor([torch.ones(3, 16), torch.ones(5, 16)], layout=layout))
    assert calls == [(True, True)]


@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
@pytest.mark.parametrize("name", NESTED)
def test_nested_with_an_empty_part(name, layout):
    layer = NESTED[name](16, 24)
    parts = [torch.randn(3, 16), torch.randn(0, 16)]
    y = layer(torch.nested.nested_tensor(parts, layout=layout)).unbind()
    assert [tuple(found.shape) for found in y] == [(3, 24), (0, 24)]
    assert_same(y[0].detach(), layer(parts[0]).detach(), 1e-5)


@pytest.mark.parametrize("width", [15, 0])
@pytest.mark.parametrize("kind", ["WaveletLinear", "Fastfood"])
def test_nested_of_another_width(kind, width):
    for layout in (torch.jagged, torch.strided):
        given = torch.nested.nested_tensor([torch.ones(3, width), torch.ones(5, width)], layout=layout)
        with pytest.raises(ValueError, match="`input` must have a last dimension of 16, got shape"):
            TAKERS[kind](16, 16)(given)
    for parts in ([torch.ones(16), torch.ones(5)], [torch.ones(3, 16), torch.ones(3, 5)]):
        with pytest.raises(ValueError, match="`input` must not be ragged in its last dimension"):
            TAKERS[kind](16, 16)(torch.nested.nested_tensor(parts, layout=torch.jagged))


@pytest.mark.parametrize("layout", [torch.jagged, torch.strided])
@pytest.mark.parametrize("name", NESTED)
def test_nested_parts_of_three_dimensions(name, layout):
    layer = scramble(NESTED[name](16, 24))
    parts = [torch.randn(2, 3, 16), torch.randn(4, 3, 16)]
    for found, part in zip(layer(torch.nested.nested_tensor(parts, layout=layout)).unbind(), parts, strict=True):
        assert_same(found.detach(), layer(part).detach(), 1e-5)


@pytest.mark.parametrize("kind", TAKERS)
def test_input_by_keyword(kind):
    layer = TAKERS[kind](16, 16)
    a, b = layer(input=x), layer(x)
    while isinstance(a, tuple):
        a, b = a[0], b[0]
    assert torch.equal(a, b)
