"""Sandwiches of every layout, with parameters and filters that no symmetry can hide a fault of."""

import torch

from learnable_wavelets.kernels._layout import Layout
from learnable_wavelets.kernels._sandwich import HADAMARD, Sandwich, Transform, sources
from learnable_wavelets.kernels.reference import coeff_lengths

# by name, as functions of the width n: in_features, out_features, n, blocks, sum_blocks, wrap_outputs
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
SCALES = (1.0, 64.0, 0.5)


def unrelated_bank(taps, dtype):
    """Four unrelated filters, so that a swap or a wrong orientation cannot pass."""
    return [(torch.randn(taps, dtype=torch.float64) / taps**0.5).to(dtype) for _ in range(4)]


def sandwich_case(rows, layout, mode, level, taps, bias, dtype, scale=1.0):
    """X and its operands; parameters in float32 beside a half x. Mode `hadamard` stands for the other transform."""
    real = torch.float64 if dtype == torch.float64 else torch.float32
    wavelet = mode != "hadamard"
    m = sum(coeff_lengths(layout.n, taps, mode, level)) if wavelet else layout.n
    x = torch.randn(rows, layout.in_features).to(dtype)
    diag_in = torch.randn(*layout.diag_in_shape, dtype=real)
    permutation = torch.stack([torch.randperm(m) for _ in range(layout.blocks)])
    diag_mid = torch.randn(layout.blocks, m, dtype=real)
    diag_out = torch.randn(layout.out_features, dtype=real)
    added = torch.randn(layout.out_features, dtype=real) if bias else None
    transform = Transform("wavelet", tuple(unrelated_bank(taps, real)), mode, level) if wavelet else HADAMARD
    return x, Sandwich(diag_in, permutation, diag_mid, diag_out, added, transform, layout, scale)


def with_tensors(operands, change):
    """The same operands with `change` of each tensor."""
    tensors = [None if t is None else change(t) for t in operands.tensors()]
    return Sandwich.from_flat((*tensors, *operands.constants()))


def flat(x, operands):
    """The arguments in the order of the operator's schema."""
    transform, mode, level, layout, scale = operands.constants()
    return (x, *operands.tensors(), transform, mode, level, [int(v) for v in layout], scale)


def exact_sandwich(x, operands, grad):
    """Value of the reference in float64, and the gradient of each source; zeros for what has no effect."""
    from learnable_wavelets.kernels import reference

    xd, exact = leaf(x), with_tensors(operands, leaf)
    y = reference.sandwich(xd, exact)
    return y, gradients(y, grad, sources(xd, exact.tensors()))


def leaf(tensor):
    return tensor.double().requires_grad_() if tensor.is_floating_point() else tensor


def gradients(y, grad, leaves):
    """Zeros for what has no effect."""
    live = [t for t in leaves if t is not None]
    found = iter(torch.autograd.grad((y * grad.double()).sum(), live, allow_unused=True, materialize_grads=True))
    return [None if t is None else next(found) for t in leaves]


def assert_close(ours, exact, tolerance, what=""):
    exact = exact.detach()
    assert ours.shape == exact.shape, what
    scale = max(1.0, float(exact.abs().max())) if exact.numel() else 1.0
    error = float((ours.cpu().double() - exact).abs().max()) / scale if exact.numel() else 0.0
    assert error < tolerance, (what, error)  # a NaN that was left standing fails too
