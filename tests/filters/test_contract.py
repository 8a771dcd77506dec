"""The contract of every `WaveletFilter`, whatever its parameters are."""

import copy
import pickle

import pytest
import pywt
import torch

from learnable_wavelets import (
    BiorthogonalWaveletFilter,
    FilterBank,
    LearnableWaveletFilter,
    OrthogonalWaveletFilter,
    WaveletFilter,
    wavelet_regularizer,
)
from learnable_wavelets.functional import wavedec

from ..banks import assert_same, random_bank, signal, whole_graph

BANK = random_bank()
FILTERS = {
    "learnable": lambda **kwargs: LearnableWaveletFilter("bior2.2", taps=8, **kwargs),
    "quadrature": lambda **kwargs: LearnableWaveletFilter("rbio2.2", alias="quadrature", **kwargs),
    "random": lambda **kwargs: LearnableWaveletFilter(BANK, **kwargs),
    "orthogonal": lambda **kwargs: OrthogonalWaveletFilter("db3", **kwargs),
    "orthogonal padded": lambda **kwargs: OrthogonalWaveletFilter("db2", taps=6, **kwargs),
    "biorthogonal": lambda **kwargs: BiorthogonalWaveletFilter("bior4.4", **kwargs),
    "lifted db3": lambda **kwargs: BiorthogonalWaveletFilter("db3", **kwargs),
}
EXACT_FILTERS = [name for name in FILTERS if FILTERS[name]().regularizer().grad_fn is None]


@pytest.fixture(params=FILTERS)
def make(request):
    return FILTERS[request.param]


def moved(filter: WaveletFilter) -> WaveletFilter:
    """The filter after a step that no start explains."""
    with torch.no_grad():
        for parameter in filter.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return filter


def values(filter: WaveletFilter) -> list[list[float]]:
    return [f.tolist() for f in filter.filter_bank]


def test_bank_has_four_filters_of_len(make):
    filter = make(dtype=torch.float64)
    bank = filter.filter_bank
    assert isinstance(bank, FilterBank)
    assert [f.shape for f in bank] == [(len(filter),)] * 4
    assert {f.dtype for f in bank} == {torch.float64}


def test_to_pywt_is_the_oracle(make):
    filter = moved(make(dtype=torch.float64))
    wavelet = filter.to_pywt("mine")
    assert (wavelet.name, wavelet.dec_len) == ("mine", len(filter))
    for ours, theirs in zip(wavedec(signal(40), filter, level=2), pywt.wavedec(signal(40).numpy(), wavelet, level=2),
                            strict=True):  # fmt: skip
        assert_same(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_to_pywt_knows_what_the_filters_are(dtype):
    """The pictures and norms of PyWavelets depend on it."""
    for name, orthogonal in (("db4", True), ("sym5", True), ("haar", True), ("bior2.2", False), ("bior4.4", False)):
        wavelet = FilterBank.from_wavelet(name, dtype=dtype).to_pywt()
        assert (wavelet.orthogonal, wavelet.biorthogonal) == (orthogonal, True), name
    turned = moved(OrthogonalWaveletFilter("db4", dtype=dtype)).to_pywt()
    assert (turned.orthogonal, turned.biorthogonal) == (True, True)
    lifted = moved(BiorthogonalWaveletFilter("db2", dtype=dtype)).to_pywt()
    assert (lifted.orthogonal, lifted.biorthogonal) == (False, True)
    free = moved(LearnableWaveletFilter("db2", dtype=dtype)).to_pywt()
    assert (free.orthogonal, free.biorthogonal) == (False, False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_to_pywt_knows_filters_that_were_rounded_to_a_half_type(dtype):
    for name, orthogonal in (("db2", True), ("db10", True), ("sym5", True), ("bior2.2", False), ("bior4.4", False)):
        wavelet = FilterBank.from_wavelet(name, dtype=dtype).to_pywt()
        assert (wavelet.orthogonal, wavelet.biorthogonal) == (orthogonal, True), name
    free = moved(LearnableWaveletFilter("db2", dtype=dtype)).to_pywt()
    assert (free.orthogonal, free.biorthogonal) == (False, False)


def test_every_call_makes_the_bank_once(make):
    filter, made = make(), []
    filter.register_forward_hook(lambda *_: made.append(1))
    wavedec(signal(40).float(), filter, level=2)
    assert len(made) == 1


def test_an_error_inside_a_filter_is_shown():
    class Wrong:
        @property
        def filter_bank(self):
            return self.no_such_thing

    with pytest.raises(AttributeError, match="no_such_thing"):
        FilterBank.from_wavelet(Wrong())


def test_every_entry_of_every_parameter_gets_a_gradient(make):
    filter = moved(make(dtype=torch.float64))
    coeffs = wavedec(signal(40), filter, level=2)
    bank = filter.filter_bank
    (sum(c.square().sum() for c in coeffs) + signal(len(filter)) @ (bank.rec_lo + 2 * bank.rec_hi)).backward()
    for name, parameter in filter.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).all(), name


def test_gradcheck(make):
    filter = make(dtype=torch.float64)
    names, parameters = zip(*filter.named_parameters(), strict=True)

    def bank(*given):
        values = {f"filter.{name}": p for name, p in zip(names, given, strict=True)}
        return torch.func.functional_call(_Bank(copy.deepcopy(filter)), values, ())

    leaves = tuple(p.detach().clone().requires_grad_() for p in parameters)
    assert torch.autograd.gradcheck(bank, leaves)
    assert torch.autograd.gradgradcheck(bank, leaves)


class _Bank(torch.nn.Module):
    def __init__(self, filter):
        super().__init__()
        self.filter = filter

    def forward(self):
        return tuple(self.filter())


def test_state_is_the_parameters(make):
    filter = make()
    assert list(filter.buffers()) == []
    assert list(filter.state_dict()) == [name for name, _ in filter.named_parameters()]


def test_state_round_trip(make):
    filter = moved(make())
    other = make()
    assert values(other) != values(filter)
    other.load_state_dict(filter.state_dict())
    assert values(other) == values(filter)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda filter: pickle.loads(pickle.dumps(filter))])
def test_copies_are_equal_and_independent(make, twin):
    filter = moved(make())
    other = twin(filter)
    assert values(other) == values(filter)
    moved(other)
    assert values(other) != values(filter)
    other.reset_parameters()
    assert values(other) == values(make())


def test_reset_returns_to_the_start(make):
    start = values(make())
    filter = moved(make())
    assert values(filter) != start
    filter.reset_parameters()
    assert values(filter) == start


def test_meta_then_empty_then_reset(make):
    filter = make(device="meta")
    assert all(p.is_meta for p in filter.parameters())
    filter.to_empty(device="cpu")
    for parameter in filter.parameters():
        parameter.data.fill_(torch.nan)
    filter.reset_parameters()
    assert values(filter) == values(make())
    with torch.device("meta"):
        assert all(f.is_meta for f in make().filter_bank)


def test_an_explicit_device_beats_the_default(make):
    with torch.device("meta"):
        filter = make(device="cpu")
        filter.reset_parameters()
        assert values(filter) == values(make(device="cpu"))
    assert values(filter) == values(make())
    assert all(f.device.type == "cpu" for f in filter.filter_bank)


def test_device_and_dtype(make):
    assert {p.dtype for p in make().parameters()} == {torch.get_default_dtype()}
    assert {p.dtype for p in make(dtype=torch.bfloat16).parameters()} == {torch.bfloat16}
    filter = make().double()
    assert {f.dtype for f in filter.filter_bank} == {torch.float64}
    assert all(not p.requires_grad for p in filter.requires_grad_(False).parameters())


def test_float64_starts_without_the_rounding_of_float32(make):
    for single, double in zip(make().filter_bank, make(dtype=torch.float64).filter_bank, strict=True):
        assert_same(single, double, 1e-6)
    filter = make(dtype=torch.float64)
    for f, start in zip(filter.filter_bank, filter.start_bank(), strict=True):
        assert_same(f, start, 1e-10)


def test_no_two_parameters_share_storage(make):
    filter = make()
    pointers = [p.data_ptr() for p in filter.parameters()]
    assert len(set(pointers)) == len(pointers)


def test_regularizer_is_the_sum_of_the_losses(make):
    filter = moved(make(dtype=torch.float64))
    losses = filter.losses()
    assert set(losses) == {"perfect_reconstruction", "alias_cancellation"}
    assert all(loss.shape == () for loss in losses.values())
    assert filter.regularizer().item() == pytest.approx(sum(losses.values()).item(), rel=1e-12)
    assert filter.regularizer().shape == ()


@pytest.mark.parametrize("name", EXACT_FILTERS)
def test_exact_banks_have_a_true_zero(name):
    filter = moved(FILTERS[name]())
    assert filter.regularizer().item() == 0.0
    assert all(loss.item() == 0.0 for loss in filter.losses().values())


def test_which_banks_are_exact():
    assert EXACT_FILTERS == ["orthogonal", "orthogonal padded", "biorthogonal", "lifted db3"]


def test_a_filter_can_start_from_a_filter():
    source = moved(LearnableWaveletFilter("bior2.2", dtype=torch.float64))
    filter = LearnableWaveletFilter(source, dtype=torch.float64)
    assert values(filter) == values(source)
    moved(filter)
    assert values(filter) != values(source)


@pytest.mark.parametrize(
    ("filter", "text"),
    [
        (LearnableWaveletFilter("haar", taps=6), "LearnableWaveletFilter('haar', taps=6, alias='general')"),
        (LearnableWaveletFilter(pywt.Wavelet("db3")), "LearnableWaveletFilter('db3', taps=6, alias='general')"),
        (LearnableWaveletFilter(random_bank()), "LearnableWaveletFilter(FilterBank, taps=6, alias='general')"),
        (OrthogonalWaveletFilter("sym4"), "OrthogonalWaveletFilter('sym4', taps=8)"),
    ],
    ids=repr,
)
def test_repr(filter, text):
    assert repr(filter) == text


def test_repr_of_lifting_tells_wavelet_and_taps():
    assert repr(BiorthogonalWaveletFilter("bior2.2")).startswith("BiorthogonalWaveletFilter(\n  'bior2.2', taps=6")


class Fixed(WaveletFilter):
    """A bank that nothing can move, in buffers or in nothing at all."""

    def __init__(self, device=None, registered=True):
        super().__init__(BANK, "fixed")
        self.registered = registered
        for name, values in zip(FilterBank._fields, BANK, strict=True):
            if registered:
                self.register_buffer(name, values.to(device))
            else:
                setattr(self, name, values.to(device))

    def reset_parameters(self):
        pass

    def forward(self):
        return FilterBank(self.dec_lo, self.dec_hi, self.rec_lo, self.rec_hi)


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_filter_without_parameters(registered, device):
    filter = Fixed(device, registered)
    assert {loss.device.type for loss in filter.losses().values()} == {device}
    assert wavelet_regularizer(torch.nn.ModuleList([filter])).device.type == device
    if device == "cpu":
        assert wavelet_regularizer(filter).item() == 0.0


def test_base_class_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        WaveletFilter(random_bank(), "mine")


def test_compile_whole_graph(make):
    module = _Bank(make(dtype=torch.float64))
    for a, b in zip(whole_graph(module)(), module(), strict=True):
        assert_same(a, b)
