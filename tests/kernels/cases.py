"""Sandwiches of every layout, with parameters and filters that no symmetry can hide a fault of."""

import torch

from learnable_wavelets.kernels._layout import Layout
from learnable_wavelets.kernels.reference import coeff_lengths

# by name: blocks, reduce, wrap, in_features and out_features as functions of the width n
LAYOUTS = {
    "square": lambda n: Layout(n, n, n, 1, False, True),
    "surplus": lambda n: Layout(max(1, n - 3), max(1, n // 2 - 1), n, 1, False, True),
    "wide": lambda n: Layout(max(1, n - 1), 3 * n - n // 2, n, 3, False, True),
    "wide, cut": lambda n: Layout(n, max(n + 1, 2 * n - 3), n, 2, False, False),
    "narrow": lambda n: Layout(2 * n + max(1, n // 2), n, n, 3, True, True),
    "narrow, ragged": lambda n: Layout(2 * n, max(1, n - 1), n, 2, True, True),
    "narrow, cut": lambda n: Layout(n + 1, 1, n, 2, True, False),
    "wrapped often": lambda n: Layout(n, max(1, n // 3), n, 2, False, True),
}


def unrelated_bank(taps, dtype):
    """Four unrelated filters, so that a swap or a wrong orientation cannot pass."""
    return [(torch.randn(taps, dtype=torch.float64) / taps**0.5).to(dtype) for _ in range(4)]


def sandwich_arguments(rows, layout, mode, level, taps, bias, dtype):
    """x, B, P, G, S, bias, four filters, layout, mode, level; parameters in float32 beside a half x."""
    real = torch.float32 if dtype == torch.bfloat16 else dtype
    m = layout.n if mode == "hadamard" else sum(coeff_lengths(layout.n, taps, mode, level))
    x = torch.randn(rows, layout.in_features).to(dtype)
    diag_in = torch.randn(*layout.diag_in_shape, dtype=real)
    permutation = torch.stack([torch.randperm(m) for _ in range(layout.blocks)])
    diag_mid = torch.randn(layout.blocks, m, dtype=real)
    diag_out = torch.randn(layout.out_features, dtype=real)
    added = torch.randn(layout.out_features, dtype=real) if bias else None
    bank = [None] * 4 if mode == "hadamard" else unrelated_bank(taps, real)
    return x, diag_in, permutation, diag_mid, diag_out, added, *bank, layout, mode, level
