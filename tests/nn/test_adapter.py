"""`Adapter`: a frozen layer plus an update that starts at zero."""

import copy

import pytest
import torch
from torch import nn

import learnable_wavelets as lw

UPDATES = {
    "wavelet": lambda n, m: lw.WaveletLinear(n, m, bias=False),
    "fastfood": lambda n, m: lw.Fastfood(n, m, bias=False),
    "stack": lambda n, m: lw.nn.Stack(n, m, bias=False, depth=2, rank=2, wavelet="haar"),
    "deep stack": lambda n, m: lw.nn.Stack(n, m, bias=False, depth=3, wavelet="haar"),
    "low rank": lambda n, m: lw.nn.Stack(n, m, bias=False, depth=0, rank=2),
}


def adapter(name="wavelet", n=64, m=48):
    return lw.nn.Adapter(nn.Linear(n, m), UPDATES[name](n, m))


@pytest.mark.parametrize("name", UPDATES)
def test_it_starts_at_zero_and_every_part_learns(name):
    layer, x = adapter(name), torch.randn(8, 64)
    assert torch.equal(layer(x), layer.layer(x))
    assert not layer.delta().any()
    optimizer = torch.optim.SGD(layer.update.parameters(), 0.1)
    start = copy.deepcopy(layer.update.state_dict())
    for _ in range(3):  # the first step moves what is zero, the next ones all the rest
        optimizer.zero_grad()
        layer(x).square().mean().backward()
        optimizer.step()
    assert all(not torch.equal(value, start[key]) for key, value in layer.update.state_dict().items())
    assert all(p.grad is None and not p.requires_grad for p in layer.layer.parameters())
    assert torch.allclose(layer(x), layer.layer(x) + x @ layer.delta().T, atol=1e-5)
    layer.enabled = False
    assert torch.equal(layer(x), layer.layer(x))
    layer.reset_parameters()
    assert not layer.delta().any()


def test_state_and_copies():
    layer, x = adapter(), torch.randn(8, 64)
    nn.init.ones_(layer.update.diag_out)
    other = adapter()
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x), layer(x))
    assert torch.equal(copy.deepcopy(layer)(x), layer(x))
    assert list(layer.buffers()) == []
    layer.enabled = False
    assert "enabled=False" in repr(layer)


@pytest.mark.parametrize(
    ("n", "m", "most"), [(768, 768, 1 / 5), (768, 3072, 1 / 3), (3072, 768, 1 / 3), (768, 2304, 1 / 3)]
)
def test_parameters_beside_those_of_lora_of_rank_8(n, m, most):
    with torch.device("meta"):
        layer = lw.WaveletLinear(n, m, bias=False)
    assert sum(p.numel() for p in layer.parameters()) < most * 8 * (n + m)


def test_what_is_no_update():
    with pytest.raises(ValueError, match="`update` must have no bias, got one"):
        lw.nn.Adapter(nn.Linear(64, 64), lw.WaveletLinear(64, 64))
    with pytest.raises(TypeError, match="`update` must be a WaveletLinear, a Fastfood or a Stack, got Linear"):
        lw.nn.Adapter(nn.Linear(64, 64), nn.Linear(64, 64))
    with pytest.raises(ValueError, match=r"`update` must have the sizes of `layer`, \(8, 6\), got \(8, 1\)"):
        lw.nn.Adapter(nn.Linear(8, 6), lw.WaveletLinear(8, 1, bias=False))
    with pytest.raises(ValueError, match="`update` must have parameters that train, got none"):
        lw.nn.Adapter(nn.Linear(8, 8), lw.Fastfood(8, 8, bias=False, adaptive=False))
    with pytest.raises(TypeError, match=r"`layer` must be a torch\.nn\.Module, got int"):
        lw.nn.Adapter(3, lw.WaveletLinear(64, 64, bias=False))
