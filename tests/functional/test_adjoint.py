"""`<A x, y> == <x, A* y>` for every analysis and synthesis, in every mode, at odd lengths."""

from functools import partial

import pytest
import torch
from torch.utils._pytree import tree_flatten, tree_map

from learnable_wavelets import FilterBank, LearnableWaveletFilter
from learnable_wavelets.functional import (
    adjoint,
    dwt,
    dwtn,
    idwt,
    idwtn,
    iswt,
    swt,
    swt2,
    wavedec,
    wavedec2,
    waverec,
    waverec2,
)

from ..banks import MODES, assert_same, quietly, random_bank, signal, whole_graph

BANK = random_bank(6)
PAIRS = {
    "dwt": (lambda mode: partial(dwt, wavelet=BANK, mode=mode), lambda mode: lambda c: idwt(*c, BANK, mode, n=13), 1),
    "wavedec": (
        lambda mode: lambda x: quietly(wavedec, x, BANK, mode, 3),
        lambda mode: lambda c: waverec(c, BANK, mode, n=13),
        1,
    ),
    "dwtn": (
        lambda mode: partial(dwtn, wavelet=BANK, mode=mode),
        lambda mode: partial(idwtn, wavelet=BANK, mode=mode),
        2,
    ),
    "wavedec2": (
        lambda mode: lambda x: quietly(wavedec2, x, BANK, mode, 2),
        lambda mode: lambda c: waverec2(c, BANK, mode, shape=(13, 7)),
        2,
    ),
    "swt": (lambda mode: lambda x: swt(x, BANK, 2), lambda mode: lambda c: iswt(c, BANK, n=13), 1),
    "swt2": (lambda mode: lambda x: swt2(x, BANK, 1), None, 2),
}


def product(a, b):
    first, second = tree_flatten(a)[0], tree_flatten(b)[0]
    return sum((s * t).sum() for s, t in zip(first, second, strict=True))


def random_like(tree, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tree_map(lambda t: torch.randn(t.shape, generator=generator, dtype=t.dtype), tree)


def check(transform, x):
    y = random_like(transform(x), 7)
    back = adjoint(transform, x)(y)
    assert tree_flatten(back)[1] == tree_flatten(x)[1]
    expected = product(transform(x), y)
    assert abs(expected) > 1e-3
    assert_same(product(x, back), expected)
    with torch.no_grad():
        for a, b in zip(tree_flatten(adjoint(transform, x)(y))[0], tree_flatten(back)[0], strict=True):
            assert_same(a, b)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAIRS)
def test_the_definition(name, mode):
    if "swt" in name and mode != MODES[0]:
        return
    analysis, synthesis, dims = PAIRS[name]
    x = signal(*(13, 7)[:dims])
    check(analysis(mode), x)
    if synthesis is not None:
        check(synthesis(mode), random_like(analysis(mode)(x)))


def test_the_transpose_of_an_orthogonal_transform_is_its_inverse():
    x = signal(32)
    coeffs = wavedec(x, "db3", "periodization", 2)
    assert_same(adjoint(partial(wavedec, wavelet="db3", mode="periodization", level=2), x)(coeffs), x)
    assert (
        adjoint(partial(wavedec, wavelet="db3", mode="zero", level=2), x)(wavedec(x, "bior2.2", "zero", 2)) - x
    ).any()


def test_differentiable_in_results_and_filters():
    def back(cA, cD, *taps):
        return adjoint(lambda x: dwt(x, FilterBank(*taps), "symmetric"), torch.zeros(5, dtype=cA.dtype))((cA, cD))

    leaves = [t.requires_grad_() for t in (signal(4), signal(4, seed=2), *random_bank(4))]
    assert torch.autograd.gradcheck(back, leaves)
    assert torch.autograd.gradgradcheck(back, leaves)


def test_a_learnable_filter_gets_a_gradient():
    filter = LearnableWaveletFilter("db2", dtype=torch.float64)
    adjoint(lambda x: dwt(x, filter), signal(8))((signal(5), signal(5))).square().sum().backward()
    assert filter.dec_lo.grad.abs().min() > 0


@pytest.mark.parametrize("name", PAIRS)
def test_in_inference_mode(name):
    analysis, _, dims = PAIRS[name]
    x = signal(*(13, 7)[:dims])
    y = random_like(analysis("reflect")(x), 7)
    expected = adjoint(analysis("reflect"), x)(y)
    with torch.inference_mode():
        y = tree_map(torch.clone, y)
        assert_same(adjoint(analysis("reflect"), x.clone())(y), expected)
    assert_same(adjoint(analysis("reflect"), x)(y), expected)


def test_the_order_of_a_dict_does_not_count():
    x = signal(7, 8)
    forward = partial(dwtn, wavelet=BANK)
    bands = random_like(forward(x))
    assert_same(adjoint(forward, x)(dict(reversed(bands.items()))), adjoint(forward, x)(bands))


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # of unfold's gradient under vmap
@pytest.mark.slow
def test_vmap_and_compile():
    def back(cA, cD):
        return adjoint(lambda x: dwt(x, "db2", "reflect"), torch.zeros(9, dtype=torch.float64))((cA, cD))

    cA, cD = signal(3, 6), signal(3, 6, seed=2)
    rows = torch.stack([back(a, d) for a, d in zip(cA, cD, strict=True)])
    assert_same(torch.vmap(back)(cA, cD), rows)
    assert_same(whole_graph(back)(cA[0], cD[0]), rows[0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: adjoint("dwt", signal(4)), TypeError, "`transform` must be callable, got str"),
        (lambda: adjoint(torch.sin, [None]), TypeError, r"`data` must be a tensor, or a .* got \[None\]"),
        (lambda: adjoint(torch.neg, signal(4))(3), TypeError, "`result` must be a tensor, or a .* got 3"),
        (lambda: adjoint(torch.neg, signal(4))(signal(5)), ValueError, r"`result` must .* \[\(4,\)\], got \[\(5,\)\]"),
        (lambda: adjoint(torch.neg, signal(4))([signal(4)]), ValueError, "`result` must have the structure"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
