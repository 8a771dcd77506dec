"""The operators as torch sees them: schemas, fakes, autograd, export, memory."""

from contextlib import nullcontext

import pytest
import torch
from torch.library import opcheck

from learnable_wavelets import Fastfood, FilterBank, WaveletLinear
from learnable_wavelets.functional import dwt2, fwht, idwt, idwt2, iswt, swt, wavedec
from learnable_wavelets.kernels import available_backends, use_backend

from .cases import LAYOUTS, flat, sandwich_case

OPS = torch.ops.learnable_wavelets
BANK = [f.requires_grad_() for f in FilterBank.from_wavelet("bior2.2", dtype=torch.float64)]


@pytest.fixture
def signal():
    return torch.randn(3, 64, dtype=torch.float64, requires_grad=True)


def check(operator, arguments):
    results = opcheck(operator, arguments)
    assert set(results.values()) == {"SUCCESS"}, results


@pytest.mark.slow
def test_opcheck_of_the_transforms(signal):
    check(OPS.fwht, (signal, 0.5))
    check(OPS.wavedec, (signal, *BANK[:2], "zero", 2))
    packed = OPS.wavedec(signal, *BANK[:2], "zero", 2).detach()
    check(OPS.waverec, (packed.clone().requires_grad_(), *BANK[2:], 64, "zero", 2))
    constants = [f.detach() for f in BANK]
    check(OPS.wavedec_backward, (packed, signal.detach(), *constants[:2], "zero", 2, [True, False, True]))
    check(OPS.waverec_backward, (signal.detach(), packed, *constants[2:], 64, "zero", 2, [False, True, True]))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # opcheck's, from torch 2.14
@pytest.mark.parametrize(
    "layout", ["square", *(pytest.param(name, marks=pytest.mark.slow) for name in ("wide", "narrow", "wide, cut"))]
)
@pytest.mark.parametrize("mode", ["hadamard", "periodization", "zero"])
def test_opcheck_of_the_sandwich(layout, mode):
    made = flat(*sandwich_case(3, LAYOUTS[layout](16), mode, 2, 4, layout != "wide", torch.float64, scale=0.5))
    check(OPS.sandwich, tuple(v.requires_grad_() if torch.is_tensor(v) and v.is_floating_point() else v for v in made))
    fixed = tuple(v.detach() if torch.is_tensor(v) else v for v in made)
    needs = [True, False, True, True, fixed[5] is not None, *([mode != "hadamard"] * 4)]
    grad = torch.randn(3, fixed[4].shape[0], dtype=torch.float64)
    check(OPS.sandwich_backward, (grad, *fixed, needs))


@pytest.mark.parametrize("make", [lambda: WaveletLinear(20, 33), lambda: Fastfood(20, 33)], ids=["wavelet", "fastfood"])
def test_export(make):
    layer, x = make(), torch.randn(4, 20)
    exported = torch.export.export(layer, (x,))
    assert any(node.target is OPS.sandwich.default for node in exported.graph.nodes)
    assert torch.equal(exported.module()(x), layer(x))


def test_second_derivatives_go_through_the_twin(signal):
    with use_backend("cpu"):
        x = signal[:, :8].detach().requires_grad_()
        layer = WaveletLinear(8, 6, wavelet="bior1.3", dtype=torch.float64)
        assert torch.autograd.gradgradcheck(layer, (x,))
        assert torch.autograd.gradgradcheck(fwht, (x,))
        assert torch.autograd.gradgradcheck(lambda x, *bank: wavedec(x, FilterBank(*bank), "zero", 1), (signal, *BANK))


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_only_the_input_is_kept_for_backward(kind):
    layer = kind(256, 256)
    x = torch.randn(64, 256, requires_grad=True)
    own = {t.data_ptr() for t in (*layer.parameters(), layer._permutation.on(x.device))}
    kept = {}

    def keep(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        layer(x)
    assert kept == {x.untyped_storage().data_ptr(): x.numel() * 4}


LINEAR = {
    "fwht": fwht,
    "wavedec": lambda x: wavedec(x, "bior2.2", level=1)[1],
    "idwt": lambda x: idwt(x, 2 * x, "bior2.2"),
    "dwt2": lambda x: dwt2(x, "bior2.2")[0],
    "idwt2": lambda x: idwt2((x, (x, 2 * x, None)), "bior2.2"),
    "swt": lambda x: swt(x, "bior2.2", 1)[0][0],
    "iswt": lambda x: iswt([(x, 2 * x)], "bior2.2"),
    "wavelet": WaveletLinear(16, 20, dtype=torch.float64).requires_grad_(False),
    "fastfood": Fastfood(16, 20, bias=False, dtype=torch.float64).requires_grad_(False),
}


@pytest.mark.parametrize("backend", [None, *available_backends()])
@pytest.mark.parametrize("name", LINEAR)
def test_nothing_is_kept_for_the_gradient_of_the_data_alone(name, backend, uninitialised_is_nan):
    """As `nn.Linear` with fixed weights: the data may be changed in place before the backward pass."""
    function, x = LINEAR[name], torch.randn(8, 16, dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.functional.jacobian(lambda x: torch.tanh(function(x)).sum(), x.detach())
    kept = []
    for _ in range(3):  # the first call of a layer goes another way
        with use_backend(backend) if backend else nullcontext():
            data = x * 1
            with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()) or t, lambda t: t):
                y = function(data)
            assert data.data_ptr() not in kept
            data.mul_(0)
            (found,) = torch.autograd.grad(torch.tanh(y).sum(), x, create_graph=True)
            assert torch.allclose(found, expected)
            found.sum().backward()  # a second derivative, of tanh alone
        assert x.grad.isfinite().all()
