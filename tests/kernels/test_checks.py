"""Operators called by their bare names: what does not fit is refused before a kernel sees it."""

import pytest
import torch
from torch.func import functional_call

from learnable_wavelets import Fastfood, LearnableWaveletFilter, WaveletLinear, functional
from learnable_wavelets.kernels import available_backends

from .cases import LAYOUTS, sandwich_arguments

OPS = torch.ops.learnable_wavelets
NAMES = ("x", "diag_in", "permutation", "diag_mid", "diag_out", "bias", "dec_lo", "dec_hi", "rec_lo", "rec_hi")
pytestmark = pytest.mark.skipif("cpu" not in available_backends(), reason="the extension was not built")


def arguments(**changed):
    """Of `sandwich`, with what `changed` makes of some of them."""
    *tensors, layout, _, level = sandwich_arguments(
        3, LAYOUTS["square"](16), "periodization", 2, 4, True, torch.float32
    )
    made = [*tensors, list(map(int, layout)), "periodization", level]
    for name, change in changed.items():
        place = (*NAMES, "layout", "mode", "level").index(name)
        made[place] = change(made[place])
    return made


def shorter(t):
    return t[..., :-1].contiguous()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        *(
            ({name: change}, f"`{name}` must have shape .* here, got")
            for name in NAMES[1:]
            for change in (shorter, torch.Tensor.half, lambda t: t[..., None])
            if name != "dec_lo" or change is torch.Tensor.half  # its length says how many taps there are
        ),
        ({"x": shorter}, r"`x` must have a last dimension of 16, got shape \(3, 15\)"),
        ({"permutation": lambda p: p + 1}, "perm"),
        ({"permutation": lambda p: p.clamp(max=14)}, "perm"),  # in range, but one comes twice
        ({"mode": lambda _: "reflect"}, "mode 'reflect' and level 2 do not fit together"),
        ({"level": lambda _: -1}, "level -1 do not fit together"),
        ({"level": lambda _: 5}, "level 5 do not fit together"),
        ({"layout": lambda sizes: sizes[:5]}, "`layout` must have 6 entries"),
        ({"layout": lambda sizes: [16, 17, *sizes[2:]]}, "more inputs or outputs than the blocks have"),
        ({"layout": lambda sizes: [16, 16, 0, *sizes[3:]]}, "the sizes at least 1"),
        ({"mode": lambda _: "hadamard"}, "filters and mode 'hadamard' do not fit together"),
    ],
)
def test_sandwich(changed, message):
    with pytest.raises(ValueError, match=message):
        OPS.sandwich(*arguments(**changed))
    with pytest.raises(ValueError, match=message):
        OPS.sandwich_backward(torch.zeros(3, 16), *arguments(**changed), [True] * 9)


@pytest.mark.parametrize("name", ["diag_mid", "rec_hi"])
def test_sandwich_without_what_it_needs(name):
    made = arguments()
    made[NAMES.index(name)] = None
    with pytest.raises((TypeError, RuntimeError), match=name):
        OPS.sandwich(*made)


@pytest.mark.parametrize(
    ("grad", "message"),
    [
        (torch.zeros(2, 16), r"`grad` must have shape \(3, 16\) of torch.float32 on cpu here, got \(2, 16\) of"),
        (torch.zeros(3, 16).double(), "`grad` must have shape .* got .* of torch.float64"),
    ],
)
def test_gradients_of_another_kind(grad, message):
    with pytest.raises(ValueError, match=message):
        OPS.sandwich_backward(grad, *arguments(), [True] * 9)
    lo, hi = torch.zeros(2, 4)
    for name, size in (("wavedec", ()), ("waverec", (16,))):
        with pytest.raises(ValueError, match=message):
            getattr(OPS, f"{name}_backward")(grad, torch.zeros(3, 16), lo, hi, *size, "periodization", 1, [True] * 3)


def test_needs():
    with pytest.raises(ValueError, match="`needs` must have 9 entries, got 3"):
        OPS.sandwich_backward(torch.zeros(3, 16), *arguments(), [True] * 3)
    wide = sandwich_arguments(1, LAYOUTS["wide"](64), "periodization", 2, 4, False, torch.bfloat16)
    *tensors, layout, mode, level = wide
    grad = torch.zeros(1, layout.out_features, dtype=torch.bfloat16)
    grads = OPS.sandwich_backward(grad, *tensors, list(map(int, layout)), mode, level, [True] * 9)
    assert grads[4].numel() == 0  # there is no bias


@pytest.mark.parametrize(
    ("n", "level", "mode", "taps", "message"),
    [
        (12, 1, "periodization", (4, 2), r"`hi` must have shape \(4,\) of torch.float32 on cpu here, got \(2,\) of"),
        (12, 1, "zero", (3, 3), "3 taps, mode 'zero' and level 1 do not fit together"),
        (12, 3, "periodization", (4, 4), "n = 12, 4 taps, mode 'periodization' and level 3 do not fit together"),
        (12, 1, "symmetric", (4, 4), "mode 'symmetric' and level 1 do not fit together"),
    ],
)
def test_transforms(n, level, mode, taps, message):
    x, lo, hi = torch.zeros(2, n), torch.zeros(taps[0]), torch.zeros(taps[1])
    with pytest.raises(ValueError, match=message):
        OPS.wavedec(x, lo, hi, mode, level)
    with pytest.raises(ValueError, match=message):
        OPS.waverec(x, lo, hi, n, mode, level)


def test_transforms_of_another_length():
    x, (lo, hi) = torch.zeros(2, 8), torch.zeros(2, 4)
    for name, before in (("waverec", ()), ("waverec_backward", (x,))):
        with pytest.raises(ValueError, match="`packed` must have a last dimension of 4096, got shape"):
            getattr(OPS, name)(*before, x, lo, hi, 4096, "periodization", 1, *([[True] * 3] if before else []))
    with pytest.raises(ValueError, match="`x` must have a last dimension that is a power of two, got 12"):
        OPS.fwht(torch.zeros(2, 12), 1.0)


def test_what_changes_between_forward_and_backward():
    """Replaced storage is no in-place change that autograd would notice."""
    filter = LearnableWaveletFilter("db2")
    coeffs = functional.wavedec(torch.randn(2, 2000), filter, mode="zero", level=1)
    filter.dec_lo.data, filter.dec_hi.data = torch.randn(2, 70)
    with pytest.raises(ValueError, match="`grad` must have shape"):
        sum(c.sum() for c in coeffs).backward()


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_parameters_of_another_layer(kind):
    small, large = kind(64, 64), kind(4096, 4096)
    with pytest.raises(ValueError, match="`diag_in` must have shape"):
        functional_call(large, dict(small.named_parameters()), (torch.randn(1, 4096),))
    meta = {"bias": torch.zeros(4096, device="meta")}
    with pytest.raises(ValueError, match=r"`bias` must have shape .* on cpu here, got .* on meta"):
        functional_call(large, meta, (torch.randn(1, 4096),))
    large.diag_mid = torch.nn.Parameter(torch.ones(3))
    with pytest.raises(ValueError, match="`diag_mid` must have shape"):
        large(torch.randn(1, 4096))


def test_an_averaged_permutation_is_seen():
    """What `AveragedModel(use_buffers=True)` makes of it: rounded down, some indices come twice."""
    layer = WaveletLinear(64, 64)
    layer.permutation.copy_((0.9 * layer.permutation + 0.1 * layer.permutation).long())
    with pytest.raises(ValueError, match="perm"), torch.no_grad():
        layer(torch.randn(2, 64))
