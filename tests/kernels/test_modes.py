"""The nine signal extension modes in the C kernels: values and gradients, also of signals shorter than the filters."""

import pytest
import torch

from learnable_wavelets import WaveletLinear
from learnable_wavelets._checks import MODES
from learnable_wavelets.kernels import available_backends, reference, use_backend

pytestmark = pytest.mark.skipif("cpu" not in available_backends(), reason="the extension was not built")


@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_values_and_gradients(isa, mode):
    from learnable_wavelets.kernels import cpu

    for taps in (2, 6, 20):
        for n in (1, 2, 5, 16, 33):
            for level, rows in ((1, 1), (2, 3), (3, 17)):
                if mode == "periodization" and n % 2**level:
                    continue
                x = torch.randn(rows, n, dtype=torch.float64)
                lo, hi = torch.randn(2, taps, dtype=torch.float64) / taps**0.5
                exact = reference.wavedec(x, lo, hi, mode, level)
                assert torch.allclose(cpu.wavedec(x, lo, hi, mode, level), exact, rtol=1e-11, atol=1e-11)
                grad, needs = torch.randn_like(exact), [True] * 3
                plain = reference.wavedec_backward(grad, x, lo, hi, mode, level, needs)
                fast = cpu.wavedec_backward(grad, x, lo, hi, mode, level, needs)
                scale = max(float(g.abs().max()) for g in plain)
                assert all(torch.allclose(a, b, atol=1e-11 * scale) for a, b in zip(plain, fast, strict=True))
                alone = cpu.wavedec_backward(grad, x, lo, hi, mode, level, [True, False, False])[0]
                assert torch.equal(alone, fast[0])


@pytest.mark.parametrize("mode", MODES)
def test_layers(mode):
    layer = WaveletLinear(31, 12, mode=mode, wavelet="bior1.3", dtype=torch.float64)
    x = torch.randn(5, 31, dtype=torch.float64)
    results = []
    for name in ("reference", "cpu"):
        with use_backend(name):
            y = layer(x)
            results.append((y, *torch.autograd.grad(y.square().sum(), list(layer.parameters()))))
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("periodic", "periodization")])
def test_a_missing_sample_at_one_end_stays_there(mode):
    """A NaN reaches as many coefficients as in the reference, which has PyWavelets' count."""
    from learnable_wavelets.kernels import cpu

    lo, hi = torch.randn(2, 8)
    for place in (0, 63):
        x = torch.randn(17, 64)
        x[:, place] = torch.nan
        counts = [b.wavedec(x, lo, hi, mode, 1).isnan().sum() for b in (reference, cpu)]
        assert counts[0] == counts[1]
