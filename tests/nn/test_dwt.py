"""The transforms as modules: the functions with a bank of their own, and inverses that give the shape back."""

import copy
import io
import pickle
from functools import partial

import pytest
import pywt
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from learnable_wavelets import (
    FilterBank,
    LearnableWaveletFilter,
    OrthogonalWaveletFilter,
    functional,
    wavelet_losses,
    wavelet_regularizer,
)
from learnable_wavelets.nn import DWT, IDWT, ISWT, SWT, Coefficients, SoftThreshold

from ..banks import MODES, assert_same, random_bank, signal, whole_graph

SHAPES = {1: (2, 17), 2: (2, 17, 14), 3: (2, 9, 11, 10)}


def leaves(coeffs):
    for entry in coeffs:
        yield from entry.values() if isinstance(entry, dict) else entry if isinstance(entry, tuple) else [entry]


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("mode", ["symmetric", "periodization", "smooth"])
@pytest.mark.parametrize("learnable", [True, False])
def test_dwt_is_the_function_and_idwt_inverts_it(dims, mode, learnable):
    x = signal(*SHAPES[dims])
    dwt = DWT("haar", 2, mode, dims, learnable=learnable, dtype=torch.float64)
    result = dwt(x)
    transform = [functional.wavedec, functional.wavedec2, functional.wavedecn][dims - 1]
    axes = {"axis": -1} if dims == 1 else {"axes": tuple(range(-dims, 0))}
    for a, b in zip(leaves(result.coeffs), leaves(transform(x, "haar", mode, 2, **axes)), strict=True):
        assert_same(a, b)
    assert result.shape == x.shape[-dims:]
    assert_same(IDWT(dwt.filter or "haar", mode, dims, learnable=learnable)(result), x)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("norm", [True, False])
def test_swt_is_the_function_and_iswt_inverts_it(dims, norm):
    x = signal(*SHAPES[dims])
    result = SWT("db2", 2, dims, norm=norm, learnable=False)(x)
    transform = [functional.swt, functional.swt2, functional.swtn][dims - 1]
    axes = {"axis": -1} if dims == 1 else {"axes": tuple(range(-dims, 0))}
    for a, b in zip(
        leaves(result.coeffs), leaves(transform(x, "db2", 2, trim_approx=True, norm=norm, **axes)), strict=True
    ):
        assert_same(a, b)
    assert_same(ISWT("db2", dims, norm=norm, learnable=False)(result), x)
    assert_same(ISWT("db2", dims, norm=norm, learnable=False)(result.coeffs, result.shape), x)


@pytest.mark.parametrize("mode", MODES)
def test_odd_lengths_come_back_in_every_mode(mode):
    for n in (7, 8, 21):
        x = signal(3, n)
        assert_same(IDWT("db2", mode, learnable=False)(DWT("db2", 1, mode, learnable=False)(x)), x)


def test_a_list_without_a_shape_is_inverted_as_pywt_does():
    x = signal(17)
    coeffs = DWT("haar", 1, learnable=False)(x).coeffs
    assert_same(IDWT("haar", learnable=False)(coeffs), pywt.waverec(pywt.wavedec(x.numpy(), "haar", level=1), "haar"))


class TestBanks:
    def test_parameters_and_buffers(self):
        for module in (DWT("db2"), IDWT("db2"), SWT("db2"), ISWT("db2")):
            assert [name for name, _ in module.named_parameters()] == [f"filter.{f}" for f in FilterBank._fields]
            assert not [*module.buffers()]
        for module in (DWT("db2", learnable=False), SWT(random_bank(4), learnable=False)):
            assert not module.state_dict()
            assert module.filter is None

    def test_a_given_module_is_shared(self):
        filter = OrthogonalWaveletFilter("db2")
        dwt, idwt = DWT(filter), IDWT(filter)
        assert dwt.filter is idwt.filter is filter
        model = torch.nn.ModuleList([dwt, idwt, DWT("haar")])
        assert list(wavelet_losses(model)) == ["0.filter", "2.filter"]

    def test_the_regularizer_sees_them(self):
        dwt = DWT(random_bank(4))
        assert wavelet_regularizer(torch.nn.Sequential(dwt)) > 1
        assert wavelet_regularizer(DWT(random_bank(4), learnable=False)) == 0

    def test_reset_restarts_only_an_own_bank(self):
        own, given = DWT("db2"), LearnableWaveletFilter("db2")
        with torch.no_grad():
            own.filter.dec_lo.zero_()
            given.dec_lo.zero_()
        own.reset_parameters()
        DWT(given).reset_parameters()
        assert own.filter.dec_lo.abs().sum() > 0
        assert given.dec_lo.abs().sum() == 0

    def test_a_fixed_bank_in_the_precision_of_the_data(self):
        dwt = DWT("db2", 1, learnable=False)
        assert_same(dwt(signal(9)).coeffs[1], pywt.dwt(signal(9).numpy(), "db2")[1], 1e-14)
        assert dwt(signal(9).half()).coeffs[0].dtype == torch.float16

    def test_copies(self):
        x = signal(9)
        for module in (DWT("db2", 1, learnable=False), DWT("db2", 1)):
            for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
                assert_same(twin(x).coeffs[0], module(x).coeffs[0])

    def test_gradients_reach_every_filter(self):
        dwt = DWT("db2", 2, dims=2)
        IDWT(dwt.filter, dims=2)(dwt(torch.randn(1, 13, 14))).square().sum().backward()
        assert all(p.grad.abs().max() > 0 for p in dwt.parameters())

    def test_repr(self):
        assert "level=2, mode='zero', 'haar', dims=1, learnable=False" in repr(DWT("haar", 2, "zero", learnable=False))
        assert "LearnableWaveletFilter('db2'" in repr(SWT("db2"))


class TestSoftThreshold:
    def test_shrinks_by_the_threshold_of_its_band(self):
        x = signal(2, 32)
        result = DWT("db2", 2, learnable=False)(x)
        soft = SoftThreshold(2, initial=0.3).double()
        with torch.no_grad():
            soft.log_threshold[1] = torch.tensor(0.7).log()
        found = soft(result)
        assert found.shape == result.shape
        assert torch.equal(found.coeffs[0], result.coeffs[0])
        for threshold, a, b in zip((0.3, 0.7), found.coeffs[1:], result.coeffs[1:], strict=True):
            assert_same(a, pywt.threshold(b.numpy(), threshold, "soft"), 1e-6)

    @pytest.mark.parametrize("dims", [1, 2, 3])
    def test_every_threshold_gets_a_gradient(self, dims):
        soft = SoftThreshold(2, dims, 0.2)
        result = soft(SWT("haar", 2, dims, learnable=False)(torch.randn(SHAPES[dims])))
        sum(c.square().sum() for c in leaves(result.coeffs)).backward()
        assert soft.log_threshold.grad.shape == (2, 2**dims - 1)
        assert soft.log_threshold.grad.abs().min() > 0

    def test_a_denoiser_learns(self):
        clean = torch.sin(torch.linspace(0, 12, 101)).expand(16, 101)
        noisy = clean + 0.3 * torch.randn(16, 101)
        dwt = DWT("db4", 3)
        model = torch.nn.Sequential(dwt, SoftThreshold(3, initial=0.05), IDWT(dwt.filter))
        optimizer = torch.optim.Adam(model.parameters(), 0.05)
        before = (model(noisy) - clean).square().mean().item()
        for _ in range(30):
            optimizer.zero_grad()
            loss = (model(noisy) - clean).square().mean()
            (loss + wavelet_regularizer(model)).backward()
            optimizer.step()
        assert loss < 0.5 * before

    def test_reset(self):
        soft = SoftThreshold(2, initial=0.5)
        with torch.no_grad():
            soft.log_threshold.zero_()
        soft.reset_parameters()
        assert_same(soft.log_threshold.exp(), torch.full((2, 1), 0.5), 1e-6)


@pytest.mark.parametrize("kind", [partial(DWT, "db2"), partial(SWT, "db2"), partial(SoftThreshold, 2)])
def test_built_without_values(kind):
    with torch.device("meta"):
        module = kind()
    module.to_empty(device="cpu").reset_parameters()
    for found, expected in zip(module.parameters(), kind().parameters(), strict=True):
        assert_same(found, expected)


@pytest.mark.parametrize("learnable", [True, False])
def test_built_where_tensors_are_fake(learnable):
    with FakeTensorMode():
        dwt = DWT("db2", 1, learnable=learnable)
        assert dwt(torch.randn(3, 9)).coeffs[0].shape == (3, 6)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "shape"), [(DWT("db2", 2, dims=2), (2, 16, 18)), (SWT("db2", 2), (2, 17))])
def test_exported_and_saved(module, shape):
    program = torch.export.export(module, (torch.randn(shape),))
    torch.export.save(program, file := io.BytesIO())
    file.seek(0)
    x = torch.randn(shape)
    found, expected = torch.export.load(file).module()(x), module(x)
    assert type(found) is Coefficients
    assert found.shape == expected.shape
    for a, b in zip(leaves(found.coeffs), leaves(expected.coeffs), strict=True):
        assert_same(a, b)


@pytest.mark.slow
def test_exported_with_lengths_left_open():
    dwt, auto = DWT("haar", 1, dims=2), torch.export.Dim.AUTO
    program = torch.export.export(dwt, (torch.randn(2, 16, 18),), dynamic_shapes=({1: auto, 2: auto},))
    x = torch.randn(2, 16, 18)
    assert_same(program.module()(x).coeffs[0], dwt(x).coeffs[0])


@pytest.mark.slow
def test_compile_whole_graph():
    dwt = DWT("db2", 2, dtype=torch.float64)
    model = torch.nn.Sequential(dwt, SoftThreshold(2, initial=1e-9).double(), IDWT(dwt.filter))
    x = signal(2, 19)
    assert_same(whole_graph(model)(x), x, 1e-7)


x = torch.ones(2, 8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: DWT("db2", dims=4), ValueError, "`dims` must be 1, 2 or 3, got 4"),
        (lambda: DWT("db2", dims=2.0), TypeError, "`dims` must be an int, got float"),
        (lambda: DWT("nope"), ValueError, "`wavelet` must be in"),
        (lambda: DWT("db2", mode="zeros"), ValueError, "`mode` must be one of"),
        (lambda: DWT("db2", learnable=1), TypeError, "`learnable` must be a bool, got int"),
        (lambda: DWT(OrthogonalWaveletFilter(), learnable=False), ValueError, "`learnable` must be True for a Wav"),
        (lambda: DWT(("db2", "haar")), TypeError, "`wavelet` must be a list for one wavelet at each level, got tuple"),
        (lambda: DWT("db2", -1), ValueError, "`level` must be at least 0, got -1"),
        (lambda: DWT("db2", 1.5), TypeError, "`level` must be an int, got float"),
        (lambda: SWT("db2", 0), ValueError, "`level` must be at least 1"),
        (lambda: DWT("db2", dims=3)(x), ValueError, r"`input` must have at least 3 dimensions, got shape \(2, 8\)"),
        (lambda: DWT("db2")("x"), TypeError, "`input` must be a torch.Tensor, got str"),
        (lambda: IDWT("db2")(x), TypeError, "`coeffs` must be `Coefficients` or a list, got Tensor"),
        (lambda: IDWT("db2")([None]), ValueError, "`coeffs` must hold at least one tensor"),
        (lambda: IDWT("haar")([x, x], (2, 16)), ValueError, r"`shape` must have one length for .* got \(2, 16\)"),
        (lambda: IDWT("haar")([x, x], ()), ValueError, r"`shape` must have one length for each of 1 axes, got \(\)"),
        (lambda: ISWT("haar")([x, x], 8), TypeError, "`shape` must be the lengths of the transformed axes, got 8"),
        (lambda: SoftThreshold(2)([x, x, x]), TypeError, "`coeffs` must be the `Coefficients` of DWT or SWT, got list"),
        (lambda: SoftThreshold(2)(Coefficients([x, x], (8,))), ValueError, r"2 levels of 1 detail bands, got \[1\]"),
        (lambda: SoftThreshold(2, initial=0), ValueError, "`initial` must be positive, got 0"),
        (lambda: SoftThreshold(2, 4), ValueError, "`dims` must be 1, 2 or 3, got 4"),
        (lambda: SoftThreshold(0), ValueError, "`level` must be at least 1"),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
