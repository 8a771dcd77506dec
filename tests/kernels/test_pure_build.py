"""A build without the extension: the reference serves layers, registered operators, their gradients and compilers."""

import subprocess
import sys

import pytest

START = """
import sys
sys.modules["learnable_wavelets.kernels.cpu._cpu"] = None
import torch, learnable_wavelets as lw
from torch.library import opcheck
OPS = torch.ops.learnable_wavelets
torch.manual_seed(0)
assert lw.kernels.available_backends()[0] == "reference" and "cpu" not in lw.kernels.available_backends()
x = torch.randn(3, 16, dtype=torch.float64, requires_grad=True)
lo, hi = torch.randn(2, 4, dtype=torch.float64).unbind()
lo.requires_grad_()
needs = [True] * 3
layers = lw.WaveletLinear(16, 24), lw.Fastfood(16, 24)
data = torch.randn(3, 16, requires_grad=True)
def operands(layer, x):
    record = layer._operands(x, layer.diag_in, layer.diag_mid, layer.diag_out, layer.bias, layer._transform(x))
    transform, mode, level, layout, scale = record.constants()
    return (x, *record.tensors(), transform, mode, level, list(map(int, layout)), scale)
"""
PROGRAMS = {
    "warning": """
import warnings
from learnable_wavelets.__main__ import report
with warnings.catch_warnings(record=True) as given:
    warnings.simplefilter("always")
    lw.Fastfood(64, 64)(torch.randn(2, 64))
    layer = lw.WaveletLinear(256, 256)
    with lw.kernels.use_backend("reference"):
        layer(torch.randn(2, 256))
    assert not given  # small, or asked for
    layer(torch.randn(2, 256))
    layer(torch.randn(2, 256))
    assert len(given) == 1
    assert "without its C kernels, several times slower (" in str(given[0].message)
    assert "): install a wheel for this platform, or a C compiler and then `pip install" in str(given[0].message)
assert "no cpu " in report() and "pip install" in report()
""",
    "layers": """
for layer in layers:
    layer(data).square().sum().backward()
    assert data.grad.abs().sum() > 0 and all(p.grad is not None for p in layer.parameters())
    y, z = layer(data), OPS.sandwich(*operands(layer, data))
    assert torch.allclose(y, z)
    for a, b in zip(*(torch.autograd.grad(v.square().sum(), (data, layer.diag_mid)) for v in (y, z))):
        assert torch.allclose(a, b, atol=1e-5)
""",
    "operators": """
packed = OPS.wavedec(x, lo, hi, "periodization", 2)
twin = lw.kernels.reference.wavedec(x, lo, hi, "periodization", 2)
for a, b in zip(*(torch.autograd.grad(p.square().sum(), (x, lo)) for p in (packed, twin))):
    assert torch.allclose(a, b)
fixed = packed.detach(), x.detach(), lo.detach(), hi
for mode in (torch.no_grad, torch.enable_grad, torch.inference_mode, torch._C._AutoDispatchBelowAutograd):
    with mode():
        for made in (fixed, [t.clone() for t in fixed]):
            found = OPS.wavedec_backward(*made, "periodization", 2, needs)
            assert [g.shape for g in found] == [(3, 16), (4,), (4,)]
            assert not any(g.requires_grad for g in found)
            assert [g.numel() for g in OPS.wavedec_backward(*made, "periodization", 2, [False] * 3)] == [0] * 3
assert torch.autograd.gradgradcheck(lambda x, lo: OPS.wavedec(x, lo, hi, "zero", 1), (x, lo))
""",
    "opcheck": """
fixed = x.detach(), lo.detach(), hi
grads = OPS.wavedec_backward(fixed[0], *fixed, "zero", 0, needs)
assert grads[0].data_ptr() != fixed[0].data_ptr()  # no result is an argument
for operator, arguments in (
    (OPS.fwht, (x, 0.5)),
    (OPS.wavedec, (x, lo, hi, "zero", 1)),
    (OPS.waverec, (x, lo, hi, 16, "periodization", 1)),
    (OPS.wavedec_backward, (fixed[0], *fixed, "periodization", 1, needs)),
    (OPS.sandwich, tuple(t.detach().requires_grad_(t.is_floating_point()) if torch.is_tensor(t) else t
                         for t in operands(layers[0], data))),
    (OPS.sandwich_backward, (torch.randn(3, 24), *(t.detach() if torch.is_tensor(t) else t
                                                   for t in operands(layers[0], data)), [True] * 9)),
):
    assert set(opcheck(operator, arguments).values()) == {"SUCCESS"}, operator
""",
    "compilers": """
for layer in layers:
    y = layer(data)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(data), y, atol=1e-6)
    for a, b in zip(*(torch.autograd.grad(v.square().sum(), data) for v in (compiled(data), y))):
        assert torch.allclose(a, b, atol=1e-5)
    exported = torch.export.export(layer, (data,)).module()
    assert torch.allclose(exported(data), y, atol=1e-6)
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_without_the_extension(name):
    done = subprocess.run([sys.executable, "-c", START + PROGRAMS[name]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
