"""The diagonals are stored divided by `lr_multiplier`: the function stays, the learning rate is multiplied."""

import pytest
import torch

from learnable_wavelets import Fastfood, WaveletLinear

from ..banks import assert_same, signal

KINDS = [WaveletLinear, Fastfood]
NAMES = ("diag_in", "diag_mid", "diag_out")
FACTORS = [2**-8, 0.25, 1.0, 4, 64.0]


def make(kind, factor, *size, **keywords):
    torch.manual_seed(5)
    return kind(*(size or (16, 24)), lr_multiplier=factor, **keywords)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", ["signs", "ones", "gaussian"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("factor", FACTORS)
def test_the_start_does_not_depend_on_it(kind, start, dtype, factor):
    """Exactly: a power of two costs no rounding in any dtype."""
    layers = [make(kind, f, dtype=dtype) for f in (factor, 1.0)]
    for layer in layers:
        torch.manual_seed(9)
        layer.reset_parameters(start)
    layer, plain = layers
    for name, effective, expected in zip(NAMES, layer.diagonals(), plain.diagonals(), strict=True):
        assert torch.equal(effective, expected)
        assert torch.equal(getattr(layer, name) * factor, expected)
        assert effective.dtype == dtype
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6 if dtype == torch.float32 else 0.02
    x = signal(3, 16).to(dtype)
    assert_same(layer(x).double(), plain(x).double(), tolerance)
    assert_same(layer.to_dense().double(), plain.to_dense().double(), tolerance)


def step(layer, optimizer):
    """Return how far the effective diagonals and the bias have moved."""
    before = [d.detach().clone() for d in (*layer.diagonals(), layer.bias)]
    optimizer = optimizer(layer.parameters())
    layer(signal(8, 16)).pow(3).sum().backward()
    optimizer.step()
    return [d.detach() - b for d, b in zip((*layer.diagonals(), layer.bias), before, strict=True)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(("optimizer", "power"), [
    (lambda p: torch.optim.SGD(p, lr=1e-6), 2),
    (lambda p: torch.optim.Adam(p, lr=1e-6, eps=0), 1),
])  # fmt: skip
def test_a_step_moves_the_effective_diagonals_further(kind, factor, optimizer, power):
    moved = step(make(kind, factor, dtype=torch.float64), optimizer)
    plain = step(make(kind, 1.0, dtype=torch.float64), optimizer)
    for ours, expected in zip(moved[:3], plain[:3], strict=True):
        used = expected != 0
        assert used.sum() > used.numel() // 2
        assert torch.allclose(ours[used], factor**power * expected[used], rtol=1e-6)
    assert torch.allclose(moved[3], plain[3])  # the bias is spared


@pytest.mark.parametrize("kind", KINDS)
def test_diagonals_are_differentiable(kind):
    layer = make(kind, 4)
    sum(d.sum() for d in layer.diagonals()).backward()
    assert all((getattr(layer, name).grad == 4).all() for name in NAMES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("value", "error"), [
    (0, ValueError), (-4, ValueError), (3, ValueError), (0.3, ValueError), (float("nan"), ValueError),
    (float("inf"), ValueError), (2.0**9, ValueError), (2.0**-9, ValueError), ("4", TypeError), (None, TypeError),
    (True, TypeError),
])  # fmt: skip
def test_other_values_are_refused(kind, value, error):
    with pytest.raises(error, match="`lr_multiplier` must be a") as caught:
        kind(8, 8, lr_multiplier=value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", ["signs", "ones", "gaussian"])
@pytest.mark.parametrize("factor", [2.0**-8, 2.0**8])
def test_the_extremes_stay_within_float16(kind, start, factor):
    layer = make(kind, factor, 64, 1, dtype=torch.float16)
    layer.reset_parameters(start)
    assert all(p.isfinite().all() and (p != 0).all() for p in (layer.diag_in, layer.diag_mid, layer.diag_out))
    assert layer(signal(3, 64).half()).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_it_cannot_be_changed(kind):
    """The stored diagonals hold it: a change would be another function."""
    layer = kind(8, 8)
    with pytest.raises(AttributeError, match="lr_multiplier"):
        layer.lr_multiplier = 8.0
    assert layer.lr_multiplier == 4


def test_repr_tells_another_than_the_default():
    assert "lr_multiplier=32.0" in repr(Fastfood(8, 8, lr_multiplier=32))
    assert "lr_multiplier" not in repr(Fastfood(8, 8))
