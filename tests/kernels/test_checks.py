"""Operators called by their bare names: what does not fit is refused before a kernel sees it."""

import pytest
import torch
from torch.func import functional_call

from learnable_wavelets import Fastfood, LearnableWaveletFilter, WaveletLinear, functional
from learnable_wavelets.kernels import _dispatch, _library, available_backends, triton, use_backend
from learnable_wavelets.kernels._backend import BACKENDS as BACKEND_TABLE
from learnable_wavelets.kernels._sandwich import CONSTANTS, TENSORS, Sandwich

from .cases import LAYOUTS, flat, sandwich_case

OPS = torch.ops.learnable_wavelets
NAMES = ("x", *TENSORS, *CONSTANTS)
BACKENDS = [name for name in available_backends() if name != "triton" or triton.INTERPRETED]


def arguments(**changed):
    """Of `sandwich`, some of them changed."""
    made = list(flat(*sandwich_case(3, LAYOUTS["square"](16), "periodization", 2, 4, True, torch.float32)))
    for name, change in changed.items():
        place = NAMES.index(name)
        made[place] = change(made[place])
    return made


@pytest.fixture(params=BACKENDS)
def serving(request, monkeypatch):
    """Each back end in turn serves the registered operators for the CPU."""
    monkeypatch.setattr(_library, "_backend", lambda x: BACKEND_TABLE[request.param])
    return request.param


def shorter(t):
    return t[..., :-1].contiguous()


MISFITS = [
    *(
        ({name: change}, f"`{name}` must have shape .* here, got")
        for name in TENSORS
        for change in (shorter, torch.Tensor.half, torch.Tensor.cfloat, torch.Tensor.int, lambda t: t[..., None])
        if name != "dec_lo" or change is torch.Tensor.half  # its length says how many taps there are
    ),
    *(({name: lambda t: t.to("meta")}, f"`{name}` must have shape .* on cpu here, got .* on meta") for name in TENSORS),
    ({"x": shorter}, r"`x` must have a last dimension of 16, got shape \(3, 15\)"),
    ({"level": lambda _: -1}, "`level` must be between 0 and 62, got -1"),
    ({"level": lambda _: 2**62}, "`level` must be between 0 and 62, got 4611686018427387904"),
    ({"level": lambda _: 5}, "`level` must be one at which 16 samples halve evenly in mode 'periodization', got 5"),
    ({"layout": lambda sizes: [16, 17, *sizes[2:]]}, "`layout` must not have more inputs or outputs than the blocks"),
    ({"layout": lambda sizes: [16, 16, 0, *sizes[3:]]}, "`layout` must have sizes of at least 1"),
    ({"layout": lambda sizes: [16, 16, -16, *sizes[3:]]}, "`layout` must have sizes of at least 1"),
    ({"transform": lambda _: "hadamard"}, "`dec_lo` must be None for transform 'hadamard', got a filter"),
    ({"transform": lambda _: "fourier"}, "`transform` must be hadamard or wavelet, got 'fourier'"),
]
ENTRIES = [
    ({"permutation": lambda p: p + 1}, "`permutation` must hold each of 0..m-1 once in every block"),
    ({"permutation": lambda p: p - 1}, "`permutation` must hold each of 0..m-1 once in every block"),
    ({"permutation": lambda p: p.clamp(max=14)}, "`permutation` must hold each of 0..m-1 once"),  # one comes twice
    # two 1, two 2 and two 6 in place of 0, 4 and 5: with the sum and the sum of squares of a permutation
    (
        {"permutation": lambda p: p + torch.tensor([1, 0, 0, 0, -2, 1])[p.clamp(max=6) % 6] * (p < 6)},
        "`permutation` must hold each of 0..m-1 once in every block",
    ),
    ({"permutation": lambda p: p + 2**62}, "`permutation` must hold each of 0..m-1 once in every block"),
]
FLAT = [  # users name modes and layouts by no door
    ({"mode": lambda _: "gaussian"}, "`mode` must be one of zero, .*; got 'gaussian'"),
    ({"layout": lambda sizes: sizes[:5]}, "`layout` must have 6 entries, got 5"),
]


@pytest.mark.parametrize(("changed", "message"), [*MISFITS, *ENTRIES, *FLAT])
def test_sandwich(serving, changed, message):
    made = arguments(**changed)
    with pytest.raises(ValueError, match=message) as error:
        OPS.sandwich(*made)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=message):
        OPS.sandwich_backward(torch.zeros(3, 16), *made, [True] * 9)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(("changed", "message"), MISFITS)
def test_the_door_refuses_the_same(name, changed, message):
    x, *operands = arguments(**changed)
    with pytest.raises(ValueError, match=message), use_backend(name):
        _dispatch.sandwich(x, Sandwich.from_flat(operands))


@pytest.mark.parametrize("name", [n for n in TENSORS if n != "bias"])
def test_sandwich_without_an_operand(serving, name):
    made = arguments(**{name: lambda _: None})
    why = f"`{'dec_hi' if name == 'dec_lo' else name}` must (be a tensor|have shape)|`dec_lo` must"
    with pytest.raises((TypeError, ValueError), match=why):
        OPS.sandwich(*made)
    with pytest.raises((TypeError, ValueError), match=why):
        OPS.sandwich_backward(torch.zeros(3, 16), *made, [True] * 9)


@pytest.mark.parametrize(
    ("grad", "message"),
    [
        (torch.zeros(2, 16), r"`grad` must have shape \(3, 16\) of torch.float32 on cpu here, got \(2, 16\) of"),
        (torch.zeros(3, 16).double(), "`grad` must have shape .* got .* of torch.float64"),
    ],
)
def test_gradients_of_another_kind(serving, grad, message):
    with pytest.raises(ValueError, match=message):
        OPS.sandwich_backward(grad, *arguments(), [True] * 9)
    lo, hi = torch.zeros(2, 4)
    for name, size in (("wavedec", ()), ("waverec", (16,))):
        with pytest.raises(ValueError, match=message):
            getattr(OPS, f"{name}_backward")(grad, torch.zeros(3, 16), lo, hi, *size, "periodization", 1, [True] * 3)


def test_needs(serving):
    with pytest.raises(ValueError, match="`needs` must have 9 entries, got 3"):
        OPS.sandwich_backward(torch.zeros(3, 16), *arguments(), [True] * 3)
    x, operands = sandwich_case(1, LAYOUTS["wide"](64), "periodization", 2, 4, False, torch.bfloat16)
    grad = torch.zeros(1, operands.layout.out_features, dtype=torch.bfloat16)
    grads = OPS.sandwich_backward(grad, *flat(x, operands), [True] * 9)
    assert grads[4].numel() == 0  # there is no bias


@pytest.mark.parametrize(
    ("n", "level", "mode", "taps", "message"),
    [
        (12, 1, "periodization", (4, 2), "`lo` and `hi` must have one even length"),
        (12, 1, "zero", (3, 3), r"`lo` and `hi` must have one even length, at least 2, got shapes \(3,\) and \(3,\)"),
        (12, 1, "zero", (0, 0), "`lo` and `hi` must have one even length"),
        (
            12,
            3,
            "periodization",
            (4, 4),
            "`level` must be one at which 12 samples halve evenly in mode 'periodization'",
        ),
        (12, 1, "gaussian", (4, 4), "`mode` must be one of zero, .*; got 'gaussian'"),
        (12, -1, "zero", (4, 4), "`level` must be between 0 and 62, got -1"),
        (12, 2**62, "zero", (4, 4), "`level` must be between 0 and 62"),
    ],
)
def test_transforms(serving, n, level, mode, taps, message):
    mode = "periodization" if serving == "triton" and mode == "zero" else mode  # the only one of Triton's
    x, lo, hi = torch.zeros(2, n), torch.zeros(taps[0]), torch.zeros(taps[1])
    with pytest.raises(ValueError, match=message):
        OPS.wavedec(x, lo, hi, mode, level)
    with pytest.raises(ValueError, match=message):
        OPS.waverec(x, lo, hi, n, mode, level)


def test_transforms_of_another_length(serving):
    x, (lo, hi) = torch.zeros(2, 8), torch.zeros(2, 4)
    for name, before in (("waverec", ()), ("waverec_backward", (x,))):
        with pytest.raises(ValueError, match="`packed` must have a last dimension of 4096, got shape"):
            getattr(OPS, name)(*before, x, lo, hi, 4096, "periodization", 1, *([[True] * 3] if before else []))
    with pytest.raises(ValueError, match="`x` must have a last dimension that is a power of two, got 12"):
        OPS.fwht(torch.zeros(2, 12), 1.0)


@pytest.mark.skipif("cpu" not in available_backends(), reason="the extension was not built")
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


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
@pytest.mark.parametrize("name", BACKENDS)
def test_layers_refuse_the_same(name, kind):
    """Plain torch would broadcast these."""
    x = torch.randn(3, 16)
    for parameter, change in (
        ("diag_mid", lambda t: t[..., :1]),
        ("diag_out", lambda t: t[:1]),
        ("bias", lambda t: t[:1]),
        ("diag_in", lambda t: t.double()),
    ):
        layer = kind(16, 16)
        setattr(layer, parameter, torch.nn.Parameter(change(getattr(layer, parameter).detach())))
        with pytest.raises(ValueError, match=f"`{parameter}` must have shape"), use_backend(name):
            layer(x)


LO = torch.ones(4)
X = torch.ones(3, 16)
RAW = {
    "fwht of a scalar": lambda d: OPS.fwht(torch.tensor(1.0, device=d), 1.0),
    "fwht of None": lambda d: OPS.fwht(None, 1.0),
    "fwht of integers": lambda d: OPS.fwht(X.int().to(d), 1.0),
    "fwht of complex": lambda d: OPS.fwht(X.cfloat().to(d), 1.0),
    "wavedec of a scalar": lambda d: OPS.wavedec(torch.tensor(1.0, device=d), LO.to(d), LO.to(d), "zero", 1),
    "wavedec without a filter": lambda d: OPS.wavedec(X.to(d), None, LO.to(d), "zero", 1),
    "wavedec by scalars": lambda d: OPS.wavedec(X.to(d), LO[0].to(d), LO[0].to(d), "zero", 1),
    "wavedec by matrices": lambda d: OPS.wavedec(X.to(d), X.to(d), X.to(d), "zero", 1),
    "wavedec of complex": lambda d: OPS.wavedec(X.cfloat().to(d), LO.to(d), LO.to(d), "zero", 1),
    "waverec of None": lambda d: OPS.waverec(None, LO.to(d), LO.to(d), 16, "periodization", 2),
    "waverec to negative n": lambda d: OPS.waverec(X.to(d), LO.to(d), LO.to(d), -16, "periodization", 2),
    "wavedec_backward of a scalar": lambda d: OPS.wavedec_backward(
        X.to(d), LO[0].to(d), LO.to(d), LO.to(d), "periodization", 2, [True] * 3
    ),
    "wavedec_backward without a gradient": lambda d: OPS.wavedec_backward(
        None, X.to(d), LO.to(d), LO.to(d), "periodization", 2, [True] * 3
    ),
    "waverec_backward with few needs": lambda d: OPS.waverec_backward(
        X.to(d), X.to(d), LO.to(d), LO.to(d), 16, "periodization", 2, [True] * 2
    ),
    "sandwich of None": lambda d: OPS.sandwich(*arguments(x=lambda _: None, diag_in=lambda t: t.to(d))),
    "sandwich without layout": lambda d: OPS.sandwich(*arguments(x=lambda x: x.to(d), layout=lambda _: [])),
}  # fmt: skip


@pytest.mark.parametrize("where", ["cpu", "meta"])
@pytest.mark.parametrize("case", RAW)
def test_hostile_arguments(case, where):
    with pytest.raises((ValueError, TypeError, RuntimeError)) as error:
        RAW[case](where)
    assert "\n" not in str(error.value) or error.type is not ValueError  # the dispatcher's own are longer


HOSTILE = {
    "fwht of float16": (lambda: OPS.fwht(X.half(), 1.0), {"cpu"}),
    "fwht of nothing": (lambda: OPS.fwht(X[:, :0], 1.0), set(BACKENDS)),
    "wavedec of nothing": (lambda: OPS.wavedec(X[:, :0], LO, LO, "periodization", 0), set(BACKENDS)),
    "waverec of another n": (lambda: OPS.waverec(X, LO, LO, 12, "periodization", 1), set(BACKENDS)),
    "waverec to nothing": (lambda: OPS.waverec(X, LO, LO, 0, "periodization", 1), set(BACKENDS)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_sizes(serving, case):
    call, refused = HOSTILE[case]
    if serving in refused:
        with pytest.raises((ValueError, TypeError)):
            call()
    else:
        call()


def test_no_rows(serving):
    assert OPS.fwht(X[:0], 1.0).shape == OPS.wavedec(X[:0], LO, LO, "periodization", 1).shape == (0, 16)


def test_the_permutation_of_a_layer_is_a_copy():
    """No write can reach the indices that layers share."""
    layer = WaveletLinear(64, 64)
    layer.permutation.zero_()
    assert torch.equal(layer.permutation.sort().values[0], torch.arange(64))
