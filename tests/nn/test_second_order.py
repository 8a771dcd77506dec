"""`create_graph=True`: the gradients are those without it, also where one operand is computed from another."""

import pytest
import torch
from torch import nn

import learnable_wavelets as lw

LATTICE = {"wavelet": "db3", "kind": lw.OrthogonalWaveletFilter}
LIFTING = {"wavelet": "bior2.2", "kind": lw.BiorthogonalWaveletFilter}
FREE = {"wavelet": "bior2.2", "kind": lw.LearnableWaveletFilter}


def filter_of(kind):
    return kind["kind"](kind["wavelet"], dtype=torch.float64)


class Twice(nn.Module):
    """One layer applied twice: the second input is computed from the parameters, too."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(self.layer(x).tanh())


class Transforms(nn.Module):
    """Analysis and synthesis with one filter, whose coefficients are computed from it."""

    def __init__(self, filter, transform, inverse):
        super().__init__()
        self.transform, self.inverse = transform(filter), inverse(filter)

    def forward(self, x):
        return self.inverse(self.transform(x * x[..., :1]))


class Loss(nn.Module):
    def __init__(self, filter, transform):
        super().__init__()
        self.filter = filter
        self.loss = lw.nn.WaveletLoss(filter, level=1, norm="l2", transform=transform, dims=2)

    def forward(self, x):
        return self.loss(x, x.flip(-1) * self.filter().dec_lo[0])


def sandwich(kind):
    return lw.WaveletLinear(16, 16, wavelet=filter_of(kind), dtype=torch.float64)


def layers_with_one_filter(kind):
    filter = filter_of(kind)
    return nn.Sequential(*[lw.WaveletLinear(16, 16, wavelet=filter, dtype=torch.float64) for _ in range(2)])


def gru(kind):
    filter = filter_of(kind)
    layer = lw.nn.GRU(
        16, 16, dtype=torch.float64, recurrent_layer=lambda *a, **k: lw.WaveletLinear(*a, wavelet=filter, **k)
    )
    return nn.Sequential(layer, First())


class First(nn.Module):
    def forward(self, outputs):
        return outputs[0]


MODELS = {
    "sandwich": sandwich,
    "twice": lambda kind: Twice(sandwich(kind)),
    "one filter": layers_with_one_filter,
    "GRU": gru,
    "DWT": lambda kind: Transforms(filter_of(kind), lw.nn.DWT, lw.nn.IDWT),
    "DWT 2-D": lambda kind: Transforms(
        filter_of(kind), lambda f: lw.nn.DWT(f, level=1, dims=2), lambda f: lw.nn.IDWT(f, dims=2)
    ),
    "loss": lambda kind: Loss(filter_of(kind), "dwt"),
    "stationary loss": lambda kind: Loss(filter_of(kind), "swt"),
    "SWT": lambda kind: Transforms(filter_of(kind), lw.nn.SWT, lw.nn.ISWT),
}


@pytest.mark.parametrize("kind", [FREE, LATTICE, LIFTING], ids=["free", "lattice", "lifting"])
@pytest.mark.parametrize("name", MODELS)
def test_gradients_that_can_be_differentiated_are_the_gradients(name, kind):
    model, x = MODELS[name](kind), torch.randn(2, 16, 16, dtype=torch.float64, requires_grad=True)
    wanted = [*model.parameters(), x]
    expected = torch.autograd.grad(model(x).pow(3).sum(), wanted, materialize_grads=True)
    found = torch.autograd.grad(model(x).pow(3).sum(), wanted, create_graph=True, materialize_grads=True)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", [LATTICE, LIFTING], ids=["lattice", "lifting"])
def test_second_derivatives_of_computed_filters(kind):
    layer = sandwich(kind)
    names, values = zip(*layer.named_parameters(), strict=True)
    x = torch.randn(2, 16, dtype=torch.float64)

    def call(*parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    torch.autograd.gradgradcheck(call, tuple(v.detach().requires_grad_() for v in values), fast_mode=True)
