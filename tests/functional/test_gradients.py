"""Contract 3: first and second derivatives for the signal, the coefficients and every filter, in every mode."""

import pytest
import torch

from learnable_wavelets import FilterBank
from learnable_wavelets.functional import (
    alias_cancellation_loss,
    dwt,
    fwht,
    idwt,
    orthogonality_loss,
    perfect_reconstruction_loss,
    wavedec,
    waverec,
)
from learnable_wavelets.kernels import available_backends, use_backend

from ..banks import MODES, random_bank, signal


def leaves(*tensors):
    return tuple(t.clone().requires_grad_() for t in tensors)


def check(function, *inputs):
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize("backend", available_backends())
def test_level_zero_gives_filters_gradients_of_zeros(backend):
    bank = FilterBank(*leaves(*random_bank(4)))
    (x,) = leaves(signal(8))
    with use_backend(backend):
        coeffs = wavedec(x, bank, "periodization", level=0)
        assert torch.equal(coeffs[0], x)
        coeffs[0].sum().backward()
    assert [f.grad is None for f in bank] == [False, False, True, True]
    waverec([x], bank, "periodization").sum().backward()
    assert all(torch.equal(f.grad, torch.zeros(4, dtype=f.dtype)) for f in bank)
    assert torch.equal(waverec([x], bank), x)


@pytest.mark.parametrize("mode", MODES)
class TestEveryMode:
    def test_dwt(self, mode):
        check(lambda x, *bank: dwt(x, FilterBank(*bank), mode), *leaves(signal(7), *random_bank(4)))

    def test_dwt_of_a_signal_shorter_than_the_filters(self, mode):
        check(lambda x, *bank: dwt(x, FilterBank(*bank), mode), *leaves(signal(2), *random_bank(6)))

    def test_idwt(self, mode):
        check(lambda a, d, *bank: idwt(a, d, FilterBank(*bank), mode), *leaves(*signal(2, 4), *random_bank(4)))

    def test_wavedec(self, mode):
        def transform(x, *bank):
            return tuple(wavedec(x, FilterBank(*bank), mode, level=2))

        check(transform, *leaves(signal(13), *random_bank(4)))

    def test_waverec(self, mode):
        def transform(a, d, e, *bank):
            return waverec([a, d, e], FilterBank(*bank), mode)

        check(transform, *leaves(signal(4), signal(4, seed=2), signal(6 if mode != "periodization" else 7, seed=3),
                                 *random_bank(4)))  # fmt: skip

    def test_every_filter_gets_a_gradient(self, mode):
        bank = FilterBank(*leaves(*random_bank(4)))
        x = signal(13)
        (waverec(wavedec(x, bank, mode, level=2), bank, mode)[:13] - x).square().sum().backward()
        assert all(f.grad.abs().min() > 0 for f in bank)


@pytest.mark.parametrize(
    "loss",
    [
        perfect_reconstruction_loss,
        orthogonality_loss,
        alias_cancellation_loss,
        lambda bank: alias_cancellation_loss(bank, "quadrature"),
    ],
    ids=["perfect_reconstruction", "orthogonality", "alias general", "alias quadrature"],
)
def test_losses(loss):
    check(lambda *bank: loss(FilterBank(*bank)), *leaves(*random_bank(4)))


@pytest.mark.parametrize("n", [1, 8, 128])
def test_fwht(n):
    x = signal(2, n).requires_grad_()
    assert torch.autograd.gradcheck(fwht, (x,))
    fwht(x, normalized=False).sum().backward()
    expected = torch.zeros(n, dtype=torch.float64)
    expected[0] = n  # H 1
    assert torch.allclose(x.grad, expected.expand(2, n))
