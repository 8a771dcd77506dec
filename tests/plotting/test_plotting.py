"""Pictures: what is drawn equals the filters, nothing is shown, and the cascade equals that of PyWavelets."""

import sys

import matplotlib
import numpy as np
import pytest
import pywt
import torch

import learnable_wavelets as lw
from learnable_wavelets import plotting

matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

ASYMMETRIC = "bior3.3"


@pytest.fixture(autouse=True)
def _close_figures(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("a plotting function called show()"))
    yield
    plt.close("all")


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


@pytest.mark.parametrize("name", ["haar", "db4", "sym5", "coif2", ASYMMETRIC, "rbio3.1"])
@pytest.mark.parametrize("level", [1, 2, 6])
def test_cascade_equals_pywt(name: str, level: int) -> None:
    x, phi, psi = plotting.scaling_and_wavelet(name, level)
    assert len(x) == len(phi) == len(psi) == (2**level - 1) * (pywt.Wavelet(name).rec_len - 1) + 1
    np.testing.assert_allclose(phi, 2 ** (level / 2) * pywt.upcoef("a", [1], name, level=level), atol=1e-10)
    np.testing.assert_allclose(psi, 2 ** (level / 2) * pywt.upcoef("d", [1], name, level=level), atol=1e-10)


def test_filters_are_drawn_at_their_values() -> None:
    drawn = lines(plotting.plot_filters(ASYMMETRIC))
    for name in lw.FilterBank._fields:
        np.testing.assert_allclose(drawn[name].get_ydata(), getattr(pywt.Wavelet(ASYMMETRIC), name))


@pytest.mark.parametrize("taps", [8, 2050])
def test_frequency_response_at_both_ends(taps: int) -> None:
    filter = lw.LearnableWaveletFilter(ASYMMETRIC, taps=taps)
    drawn = lines(plotting.plot_frequency_response(filter))
    for name in lw.FilterBank._fields:
        taps = getattr(filter.filter_bank, name).detach().double().numpy()
        alternating = np.sum(taps * (-1) ** np.arange(len(taps)))
        np.testing.assert_allclose(drawn[name].get_ydata()[[0, -1]], [abs(taps.sum()), abs(alternating)], atol=1e-6)
        np.testing.assert_allclose(drawn[name].get_xdata()[[0, -1]], [0, 1])


@pytest.mark.parametrize(
    "draw", [plotting.plot_filters, plotting.plot_frequency_response, plotting.plot_scaling_and_wavelet]
)
def test_draws_on_the_given_axes(draw) -> None:
    figure, ax = plt.subplots()
    assert draw(lw.OrthogonalWaveletFilter("db2"), ax) is ax
    assert len(figure.axes) == 1


def test_comparison_shares_scales_and_clips_nothing() -> None:
    learned = lw.LearnableWaveletFilter("haar", taps=6)
    with torch.no_grad():
        learned.rec_lo.mul_(3)
    axes = plotting.plot_comparison({"start": learned.start_bank(), "learned": learned})
    assert axes.shape == (3, 2)
    assert [ax.get_title() for ax in axes[0]] == ["start", "learned"]
    for row in axes:
        low, high = row[0].get_ylim()
        assert row[1].get_ylim() == (low, high)
        drawn = np.concatenate([line.get_ydata() for ax in row for line in ax.get_lines()])
        assert low <= drawn.min() <= drawn.max() <= high


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="`wavelets` must hold at least one bank"):
        plotting.plot_comparison({})
    with pytest.raises(TypeError, match="`wavelets` must be a mapping from titles to banks, got list"):
        plotting.plot_comparison(["db2"])
    for level in (0, 21, 100):
        with pytest.raises(ValueError, match=f"`level` must be between 1 and 20, got {level}"):
            plotting.scaling_and_wavelet("haar", level)
    for level in (1.5, "3", None, True):
        with pytest.raises(TypeError, match=f"`level` must be an int, got {type(level).__name__}"):
            plotting.scaling_and_wavelet("haar", level)
    with pytest.raises(TypeError, match="`ax` must be matplotlib Axes, got int"):
        plotting.plot_filters("db2", 3)
    with pytest.raises(ValueError, match=r"`wavelet` must be in `pywt\.wavelist"):
        plotting.plot_filters("no such wavelet")
    with pytest.raises(ValueError, match="`wavelet` must have filters with values, got meta tensors"):
        plotting.plot_filters(lw.FilterBank.from_wavelet("db2", device="meta"))


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'needs matplotlib: pip install "learnable-wavelets\[plotting\]"'):
        plotting.plot_filters("db2")


class Writer:
    def __init__(self):
        self.figures, self.scalars = {}, {}

    def add_figure(self, tag, figure, step):
        self.figures[tag] = [len(ax.get_lines()) for ax in figure.axes], step

    def add_scalar(self, tag, value, step):
        self.scalars[tag] = float(value), step


def test_filters_and_losses_go_to_a_writer():
    shared = lw.LearnableWaveletFilter("db2")
    model = torch.nn.Sequential(lw.WaveletLinear(16, 16, wavelet=shared), lw.WaveletLinear(16, 16, wavelet=shared))
    with torch.no_grad():
        shared.dec_lo.mul_(2)
    writer = Writer()
    plotting.add_filters(writer, model, 7)
    assert [*writer.figures] == ["filters/0.filter"]
    counts, step = writer.figures["filters/0.filter"]
    assert all(counts)
    assert step == 7
    losses = lw.wavelet_losses(model)["0.filter"]
    assert writer.scalars == {f"wavelet_loss/0.filter/{n}": (float(v.detach()), 7) for n, v in losses.items()}
    assert not plt.get_fignums()
    plotting.add_filters(dense := Writer(), torch.nn.Linear(3, 3))
    assert not dense.figures
    plotting.add_filters(alone := Writer(), shared)
    assert [*alone.figures] == ["filters/filter"]


def test_writers_that_are_none():
    with pytest.raises(TypeError, match="`writer` must have add_figure and add_scalar as SummaryWriter, got str"):
        plotting.add_filters("runs", torch.nn.Linear(3, 3))
    with pytest.raises(TypeError, match=r"`model` must be a torch.nn.Module, got str"):
        plotting.add_filters(Writer(), "model")
