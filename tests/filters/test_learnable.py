"""Four free filters: they are what they are made from, padded, and their loss is that of the paper."""

import pytest
import pywt
import torch

from learnable_wavelets import FilterBank, LearnableWaveletFilter
from learnable_wavelets.functional import alias_cancellation_loss, perfect_reconstruction_loss

from ..banks import DISCRETE, random_bank


def test_starts_from_every_discrete_wavelet():
    for name in DISCRETE:
        filter = LearnableWaveletFilter(name, dtype=torch.float64)
        for field in FilterBank._fields:
            assert getattr(filter, field).tolist() == getattr(pywt.Wavelet(name), field)
        assert sum(p.numel() for p in filter.parameters()) == 4 * len(filter)


def test_haar6_of_the_paper():
    a, filter = 0.5**0.5, LearnableWaveletFilter("haar", taps=6, dtype=torch.float64)
    for ours, expected in zip(filter.filter_bank, [(a, a), (-a, a), (a, a), (a, -a)], strict=True):
        assert ours.tolist() == pytest.approx([0, 0, *expected, 0, 0])


@pytest.mark.parametrize("alias", ["general", "quadrature"])
def test_losses_are_the_functions(alias):
    filter = LearnableWaveletFilter(random_bank(), alias=alias, dtype=torch.float64)
    losses = filter.losses()
    assert losses["perfect_reconstruction"] == perfect_reconstruction_loss(random_bank())
    assert losses["alias_cancellation"] == alias_cancellation_loss(random_bank(), alias)


def test_the_default_alias_form_is_general():
    bank = FilterBank.from_wavelet("db2", dtype=torch.float64)
    scaled = bank._replace(dec_lo=2 * bank.dec_lo, rec_lo=bank.rec_lo / 2)
    assert LearnableWaveletFilter(scaled).regularizer() < 1e-10
    assert LearnableWaveletFilter(scaled, alias="quadrature").regularizer().item() == pytest.approx(1.25)


def test_the_given_bank_is_copied():
    bank = random_bank().to(dtype=torch.float64)
    filter = LearnableWaveletFilter(bank, dtype=torch.float64)
    with torch.no_grad():
        filter.dec_lo.zero_()
    assert bank.dec_lo.abs().min() > 0


def test_the_regularizer_pulls_random_filters_to_an_exact_bank():
    filter = LearnableWaveletFilter(random_bank(4), dtype=torch.float64)
    optimiser = torch.optim.LBFGS(filter.parameters(), max_iter=500, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = filter.regularizer()
        value.backward()
        return value.detach()

    start = float(loss())
    optimiser.step(loss)
    assert float(loss()) < 1e-10 < 1 < start


class Sharded(torch.Tensor):
    """A stand-in for a sharded parameter, whose whole is another tensor."""

    def full_tensor(self):
        return torch.Tensor(self.tolist()) + 1


def test_sharded_filters_are_read_whole():
    filter = LearnableWaveletFilter("db2")
    start = filter()
    for name, taps in start._asdict().items():
        delattr(filter, name)
        setattr(filter, name, taps.detach().as_subclass(Sharded))
    for whole, taps in zip(filter(), start, strict=True):
        assert type(whole) is torch.Tensor
        assert torch.equal(whole, taps + 1)
