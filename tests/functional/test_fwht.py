"""The Walsh-Hadamard transform against the dense Sylvester matrix, and its laws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learnable_wavelets.functional import fwht

from ..banks import assert_same, signal

POWERS = [1 << bits for bits in range(12)]


def sylvester(n: int) -> np.ndarray:
    """The definition: H_2n = [[H_n, H_n], [H_n, -H_n]]."""
    matrix = np.ones((1, 1))
    while len(matrix) < n:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


@pytest.mark.parametrize("n", POWERS)
def test_equals_the_dense_product(n):
    x = signal(3, n)
    assert_same(fwht(x, normalized=False), x.numpy() @ sylvester(n))
    assert_same(fwht(x), x.numpy() @ sylvester(n) / np.sqrt(n))


@pytest.mark.parametrize("n", [1, 2, 64, 256, 8192])
def test_laws(n):
    x, y = signal(2, n)
    twice = fwht(fwht(x, normalized=False), normalized=False)
    assert_same(twice, n * x)  # H H^T = n I
    assert_same(fwht(fwht(x)), x)
    assert_same(fwht(2 * x - y), 2 * fwht(x) - fwht(y))
    assert_same(fwht(x) @ y, x @ fwht(y))  # symmetric
    assert_same(fwht(x).norm(), x.norm())


@given(st.lists(st.integers(0, 3), max_size=3), st.sampled_from([1, 2, 16, 128]))
def test_any_leading_dimensions_and_strides(leading, n):
    x = signal(*leading, 2 * n)[..., ::2]
    assert_same(fwht(x, normalized=False), x.numpy() @ sylvester(n))


def test_batched_gradients():
    x, grads = signal(3, 8).requires_grad_(), signal(5, 3, 8)
    (found,) = torch.autograd.grad(fwht(x), x, grads, is_grads_batched=True)
    assert_same(found, fwht(grads))
    hessian = torch.autograd.functional.hessian(lambda v: fwht(v).pow(3).sum(), signal(8), vectorize=True)
    assert_same(hessian, torch.autograd.functional.hessian(lambda v: fwht(v).pow(3).sum(), signal(8)))


def test_large_sizes_by_parts():
    n = 1 << 17  # three factors of 2^6 and less
    i = 77_777
    delta = torch.zeros(n, dtype=torch.float64)
    delta[i] = 1
    parity = np.array([bin(i & j).count("1") % 2 for j in range(n)])
    assert_same(fwht(delta, normalized=False), 1 - 2 * parity)
