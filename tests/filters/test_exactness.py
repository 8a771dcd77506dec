"""Contract 9: hard-constrained banks start from the tables and stay exact, whatever the optimiser does."""

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given
from hypothesis import strategies as st

from learnable_wavelets import BiorthogonalWaveletFilter, FilterBank, LearnableWaveletFilter, OrthogonalWaveletFilter
from learnable_wavelets.filters import _laurent, _lifting
from learnable_wavelets.functional import dwt, idwt

from ..banks import BIORTHOGONAL, ORTHOGONAL, assert_same, exact_banks, long_ones_slow, signal
from ..strategies import modes, orthogonal_wavelets, seeds

LIFTED = [*BIORTHOGONAL, "haar", "db2", "db3", "db5", "db8", "sym4", "sym5", "sym8", "coif1", "coif3"]


def orthonormality_defect(bank: FilterBank) -> float:
    """Largest entry of `H H^T - I` over all even shifts, and of `f - reversed h`."""
    h0, h1, f0, f1 = (f.detach().numpy() for f in bank)
    worst = max(np.abs(f0 - h0[::-1]).max(), np.abs(f1 - h1[::-1]).max())
    for a, b, norm in ((h0, h0, 1), (h1, h1, 1), (h0, h1, 0)):
        lags = np.correlate(a, b, "full")
        lags[len(a) - 1] -= norm
        worst = max(worst, np.abs(lags[(len(a) - 1) % 2 :: 2]).max())
    return worst


def reconstruction_defect(bank: FilterBank) -> float:
    """Largest entry of `h0 * f0 + h1 * f1 - 2 delta` and of the alias term, over the size of the products."""
    h0, h1, f0, f1 = (f.detach().numpy() for f in bank)
    m = (-1.0) ** np.arange(len(h0))
    direct = np.convolve(h0, f0) + np.convolve(h1, f1)
    direct[len(h0) - 1] -= 2
    alias = np.convolve(m * h0, f0) + np.convolve(m * h1, f1)
    size = max(1, np.linalg.norm(h0) * np.linalg.norm(f0) + np.linalg.norm(h1) * np.linalg.norm(f1))
    return max(np.abs(direct).max(), np.abs(alias).max()) / size


def train_at_random(filter: torch.nn.Module, lr: float, steps: int = 1000) -> None:
    parameters = list(filter.parameters())
    optimiser = torch.optim.SGD(parameters, lr=lr, foreach=True)
    for parameter in parameters:
        parameter.grad = torch.empty_like(parameter)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad.normal_()
        optimiser.step()


@pytest.mark.parametrize(("name", "largest"), [("db6", 1.13), ("db8", 0.87), ("coif3", 0.73)])
def test_of_all_divisions_that_with_small_factors_is_taken(name, largest):
    factors = [p.detach() for key, p in BiorthogonalWaveletFilter(name).named_parameters() if key.startswith("steps")]
    assert max(float(f.abs().max()) for f in factors) < largest  # the first one that is found has factors of 12 to 66


def polynomial(*coeffs, offset=0):
    return _laurent.Laurent(coeffs, offset, 1e-12)


def test_arithmetic_of_laurent_polynomials_worked_out_by_hand():
    a, b = polynomial(3.0, offset=1), polynomial(1.0, 4.0, offset=1)
    assert polynomial(1.0, 2.0).minus_product(a, b) == polynomial(1.0, 2.0, -3.0, -12.0)
    assert polynomial(1.0, offset=5).minus_product(a, b) == polynomial(-3.0, -12.0, 0.0, 1.0, offset=2)
    assert polynomial().minus_product(a, b) == polynomial(-3.0, -12.0, offset=2)
    assert polynomial(3.0, 12.0, offset=2).minus_product(a, b) == polynomial()
    assert (
        polynomial(3.0, 12.0, offset=2).minus_product(polynomial(1.0), polynomial(3.0, 12.0, offset=2)) == polynomial()
    )
    assert _laurent.Laurent.trimmed([0.0, 0.0], 3, 1e-12) == polynomial()


@pytest.mark.parametrize(
    ("even", "odd", "taps"), [((0, 2), (0, 1), (0, 2)), ((1, 1), (0, 3), (1, 5)), ((2, 1), (1, 1), (3, 4))]
)
def test_taps_that_the_columns_fill(even, odd, taps):
    columns = [_lifting._Column(torch.ones(2, size), offset) for offset, size in (even, odd)]
    assert _lifting._support(tuple(columns)) == taps


def test_a_common_factor_of_the_even_and_odd_taps_has_no_lifting_steps():
    even, odd = polynomial(1.0, 1.0), polynomial(2.0, 2.0)
    with pytest.raises(ValueError, match="`wavelet` must have perfect reconstruction"):
        _laurent.euclid(even, odd)


def test_lifting_starts_from_a_bank_that_only_splits_even_from_odd():
    lazy = FilterBank(*(torch.tensor(f, dtype=torch.float64) for f in ([1.0, 0], [0, 1.0], [0, 1.0], [1.0, 0])))
    for ours, start in zip(BiorthogonalWaveletFilter(lazy, dtype=torch.float64).filter_bank, lazy, strict=True):
        assert_same(ours.detach(), start)


@pytest.mark.parametrize("name", long_ones_slow(ORTHOGONAL))
def test_lattice_starts_from_the_wavelet_and_stays_orthonormal(name):
    filter = OrthogonalWaveletFilter(name, dtype=torch.float64)
    start = [f.detach().clone() for f in filter.filter_bank]
    for ours, field in zip(start, FilterBank._fields, strict=True):
        assert_same(ours, getattr(pywt.Wavelet(name), field), 1e-10)
    assert sum(p.numel() for p in filter.parameters()) == len(filter) // 2
    train_at_random(filter, lr=0.05)
    assert max(float((a - b).detach().abs().max()) for a, b in zip(start, filter.filter_bank, strict=True)) > 0.05
    assert orthonormality_defect(filter.filter_bank) < 1e-12


@pytest.mark.parametrize("name", long_ones_slow(LIFTED))
def test_lifting_starts_from_the_wavelet_and_stays_exact(name):
    filter = BiorthogonalWaveletFilter(name, dtype=torch.float64)
    start = [f.detach().clone() for f in filter.filter_bank]
    wavelet = pywt.Wavelet(name)
    margin = (len(filter) - wavelet.dec_len) // 2
    for ours, field in zip(start, FilterBank._fields, strict=True):
        assert_same(ours, np.pad(getattr(wavelet, field), margin), 1e-10)
    train_at_random(filter, lr=0.005)
    assert max(float((a - b).detach().abs().max()) for a, b in zip(start, filter.filter_bank, strict=True)) > 0.05
    assert reconstruction_defect(filter.filter_bank) < 1e-12


@given(orthogonal_wavelets, seeds)
def test_any_angles_are_orthonormal(name, seed):
    filter = OrthogonalWaveletFilter(name, dtype=torch.float64)
    torch.manual_seed(seed)
    torch.nn.init.normal_(filter.angles, std=10)
    assert orthonormality_defect(filter.filter_bank) < 1e-12


@given(st.sampled_from(LIFTED), seeds, modes, st.integers(1, 40))
def test_any_steps_reconstruct(name, seed, mode, n):
    filter = BiorthogonalWaveletFilter(name, dtype=torch.float64)
    torch.manual_seed(seed)
    for parameter in filter.parameters():
        torch.nn.init.uniform_(parameter, -1, 1)
    assert reconstruction_defect(filter.filter_bank) < 1e-12
    n += n == 1 and "reflect" in mode  # a single sample cannot be reflected
    bank, x = filter.filter_bank.detach(), signal(n)
    cA, cD = dwt(x, bank, mode)
    size = float(max(cA.abs().max(), cD.abs().max()) * max(bank.rec_lo.norm(), bank.rec_hi.norm())) * len(filter)
    assert_same(idwt(cA, cD, bank, mode)[:n], x, 1e-12 * max(1.0, size))


@pytest.mark.parametrize("taps", [4, 6, 8, 10])  # two taps padded evenly, and by an odd number on each side
@pytest.mark.parametrize("name", ["haar", "db2"])
def test_padded_lattice_starts_from_the_wavelet(name, taps):
    filter = OrthogonalWaveletFilter(name, taps=taps, dtype=torch.float64)
    padding = (taps - pywt.Wavelet(name).dec_len) // 2
    for ours, field in zip(filter.filter_bank, FilterBank._fields, strict=True):
        assert_same(ours, np.pad(getattr(pywt.Wavelet(name), field), padding), 1e-10)
    train_at_random(filter, lr=0.05, steps=50)
    assert orthonormality_defect(filter.filter_bank) < 1e-12


@pytest.mark.parametrize("name", exact_banks())
def test_lifting_starts_from_any_exact_bank(name):
    bank = exact_banks()[name]
    filter = BiorthogonalWaveletFilter(bank, dtype=torch.float64)
    margin = (len(filter) - bank.taps) // 2
    for ours, given_filter in zip(filter.filter_bank, bank, strict=True):
        assert_same(ours, np.pad(given_filter.numpy(), margin), 1e-10)
    train_at_random(filter, lr=0.005, steps=100)
    assert reconstruction_defect(filter.filter_bank) < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "name"), [
    (OrthogonalWaveletFilter, "haar"), (OrthogonalWaveletFilter, "db2"), (OrthogonalWaveletFilter, "sym5"),
    (BiorthogonalWaveletFilter, "bior2.2"), (BiorthogonalWaveletFilter, "bior4.4"), (BiorthogonalWaveletFilter, "db2"),
])  # fmt: skip
def test_starts_from_an_exact_bank_as_torch_makes_it(kind, name, dtype):
    """`FilterBank.from_wavelet(name)` and a `LearnableWaveletFilter` are float32 unless one asks for more."""
    bank = FilterBank.from_wavelet(name, dtype=dtype)
    for start in (bank, LearnableWaveletFilter(bank, dtype=dtype)):
        filter = kind(start)
        margin = (len(filter) - bank.taps) // 2
        for ours, given_filter in zip(filter.filter_bank, bank, strict=True):
            assert_same(ours, np.pad(given_filter.numpy(), margin), 1e-5)


def test_lattice_keeps_the_sign_of_the_high_pass():
    bank = FilterBank.from_wavelet("db3", dtype=torch.float64)
    flipped = bank._replace(dec_hi=-bank.dec_hi, rec_hi=-bank.rec_hi)
    for ours, start in zip(OrthogonalWaveletFilter(flipped, dtype=torch.float64).filter_bank, flipped, strict=True):
        assert_same(ours, start)


def test_the_sign_of_the_high_pass_is_configuration():
    bank = FilterBank.from_wavelet("db3", dtype=torch.float64)
    flipped = OrthogonalWaveletFilter(bank._replace(dec_hi=-bank.dec_hi, rec_hi=-bank.rec_hi), dtype=torch.float64)
    plain = OrthogonalWaveletFilter("haar", taps=6, dtype=torch.float64)
    assert (flipped.sign, type(flipped.sign)) == (-1.0, float)
    state = flipped.state_dict()
    with pytest.raises(RuntimeError, match=r"`sign` is 1\.0, but the state was saved with -1\.0"):
        plain.load_state_dict(state)
    plain.load_state_dict(dict(state))  # without metadata torch's own rules apply
    assert plain.sign == 1.0
    assert_same(plain.filter_bank.dec_lo, bank.dec_lo)
    assert_same(plain.filter_bank.dec_hi, bank.dec_hi)
    assert_same(flipped.filter_bank.dec_hi, -bank.dec_hi)


def orthogonal_from(start: object) -> tuple[FilterBank, float]:
    """The bank of a lattice filter from a nearly orthonormal start, and the difference of which it warns."""
    with pytest.warns(
        UserWarning, match=r"`wavelet` .* is not orthonormal: .* differ by up to \d\.\de-\d\d$"
    ) as caught:
        filter = OrthogonalWaveletFilter(start, dtype=torch.float64)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    bank = filter.filter_bank.detach()
    filter.reset_parameters()
    assert_same(filter.filter_bank.dec_lo, bank.dec_lo, 1e-14)
    assert orthonormality_defect(bank) < 1e-13
    return bank, float(str(caught[0].message).split()[-1])


def difference(bank: FilterBank, start: FilterBank) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(bank, start, strict=True))


def test_the_orthonormal_bank_nearest_to_dmey():
    """The nearest one known differs by 1.53e-3 in the norm of a filter; the largest tap is .74."""
    start = FilterBank.from_wavelet("dmey", dtype=torch.float64)
    bank, told = orthogonal_from("dmey")
    assert difference(bank, start) == pytest.approx(told, rel=0.05)
    assert told < 9e-4
    assert float((bank.dec_lo - start.dec_lo).norm()) < 1.6e-3
    assert float(bank.dec_lo.sum()) == pytest.approx(2**0.5, abs=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-6), (torch.float64, 1e-3), (torch.float32, 1e-4)])
def test_the_orthonormal_bank_nearest_to_a_disturbed_one(dtype, error, sign):
    """Each filter moves to where the mean of the four is nearest: no further than the disturbance."""
    exact = FilterBank.from_wavelet("db3", dtype=torch.float64)
    exact = exact._replace(dec_hi=sign * exact.dec_hi, rec_hi=sign * exact.rec_hi)
    noise = [signal(6, seed=seed) for seed in range(4)]
    start = FilterBank(*(f + error * e for f, e in zip(exact, noise, strict=True))).to(dtype=dtype)
    bank, told = orthogonal_from(start)
    assert difference(bank, start) == pytest.approx(told, rel=0.05)
    disturbed = [float((a - b).norm()) for a, b in zip(start, exact, strict=True)]
    moved = [float((a - b).norm()) for a, b in zip(start, bank, strict=True)]
    assert sum(m * m for m in moved) <= sum(d * d for d in disturbed)


def test_lifting_keeps_a_scaled_pair():
    bank = FilterBank.from_wavelet("bior2.2", dtype=torch.float64)
    scaled = FilterBank(2 * bank.dec_lo, -3 * bank.dec_hi, bank.rec_lo / 2, -bank.rec_hi / 3)
    for ours, start in zip(BiorthogonalWaveletFilter(scaled, dtype=torch.float64).filter_bank, scaled, strict=True):
        assert_same(ours, np.pad(start.numpy(), (ours.shape[0] - 6) // 2))


def test_haar_has_one_angle_and_angles_sum_to_a_quarter_turn():
    assert OrthogonalWaveletFilter("haar").angles.tolist() == pytest.approx([np.pi / 4])
    for name in ("db2", "db7", "sym6", "coif2"):
        total = float(OrthogonalWaveletFilter(name, dtype=torch.float64).angles.detach().sum())
        assert np.exp(1j * total) == pytest.approx(np.exp(1j * np.pi / 4))


def test_soft_filters_do_leave_the_manifold():
    """The control: the same random steps ruin four free filters."""
    filter = LearnableWaveletFilter("db2", dtype=torch.float64)
    train_at_random(filter, lr=0.005)
    assert reconstruction_defect(filter.filter_bank) > 1e-3
    assert filter.regularizer() > 1e-3
