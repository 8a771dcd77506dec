"""Pictures of a filter bank: taps, frequency responses, scaling function and wavelet, before and after training.

Every function takes what `functional` takes (a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a
`WaveletFilter`), draws on given or new matplotlib Axes, returns them and never shows. Needs matplotlib (extra
`plotting`); it is imported when a function is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ._checks import check_int
from .functional._bank import FilterBank, WaveletLike, in_double
from .regularize import named_banks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "add_filters",
    "plot_comparison",
    "plot_filters",
    "plot_frequency_response",
    "plot_scaling_and_wavelet",
    "scaling_and_wavelet",
]

_MOST_LEVELS = 20
# Low-pass blue, high-pass orange, told apart without colour too; decomposition full, reconstruction open or dashed.
_LOW, _HIGH = "#1f6fb4", "#d1660f"
_STYLES: dict[str, dict[str, Any]] = {
    "dec_lo": {"color": _LOW, "marker": "o", "fill": True, "line": "-"},
    "dec_hi": {"color": _HIGH, "marker": "s", "fill": True, "line": "-"},
    "rec_lo": {"color": _LOW, "marker": "o", "fill": False, "line": "--"},
    "rec_hi": {"color": _HIGH, "marker": "s", "fill": False, "line": "--"},
}


def scaling_and_wavelet(
    wavelet: WaveletLike, level: int = 8
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    r"""Compute scaling function and wavelet of the synthesis side by the cascade algorithm.

    $\varphi$ is the limit of `level` inverse transforms of one approximation coefficient, $\psi$ that of one detail
    coefficient, both scaled by $2^{\mathrm{level}/2}$: `pywt.upcoef`, and `pywt.Wavelet.wavefun` up to its sign and
    the zeros it adds. A bank whose low-pass filter does not sum to $\sqrt 2$ has no
    limit: its curves grow or shrink with `level`, and the picture shows how far it has left the wavelets.

    Args:
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        level: number of refinements, 1 to 20: each doubles the number of points.

    Returns:
        Positions in units of the sample spacing, scaling function, wavelet; each of
        `(2**level - 1) * (taps - 1) + 1` float64 entries.

    Raises:
        ValueError: `level` outside 1 to 20, unknown wavelet.
        TypeError: `level` is not an int.

    Examples:
        >>> import learnable_wavelets as lw
        >>> x, phi, psi = lw.plotting.scaling_and_wavelet("haar", level=3)
        >>> phi.round(6).tolist() == [1.0] * 8, psi.round(6).tolist() == [1.0] * 4 + [-1.0] * 4
        (True, True)
    """
    if not 1 <= check_int("level", level) <= _MOST_LEVELS:
        raise ValueError(f"`level` must be between 1 and {_MOST_LEVELS}, got {level}")
    bank = _numbers(wavelet)
    phi, psi = np.sqrt(2) * bank["rec_lo"], np.sqrt(2) * bank["rec_hi"]
    for _ in range(level - 1):
        phi, psi = (np.sqrt(2) * np.convolve(_spread(f), bank["rec_lo"]) for f in (phi, psi))
    return np.arange(len(phi)) / 2**level, phi, psi


def plot_filters(wavelet: WaveletLike, ax: Axes | None = None) -> Axes:
    """Draw the taps of the four filters, side by side at each index.

    Args:
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        ax: Axes to draw on; default: a new figure.

    Returns:
        The Axes drawn on.

    Examples:
        >>> import learnable_wavelets as lw
        >>> lw.plotting.plot_filters("db2").get_xlabel()
        'tap'
    """
    ax = _axes(ax)
    for shift, (name, taps) in zip((-0.24, -0.08, 0.08, 0.24), _numbers(wavelet).items(), strict=True):
        style = _STYLES[name]
        where = np.arange(len(taps)) + shift
        ax.vlines(where, 0, taps, color=style["color"], linewidth=1.2, linestyle=style["line"])
        face = style["color"] if style["fill"] else "white"
        ax.plot(where, taps, style["marker"], color=style["color"], markerfacecolor=face, markersize=4.5, label=name)
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.set(xlabel="tap", ylabel="value")
    ax.locator_params(axis="x", integer=True)
    ax.legend(fontsize="small", ncols=2, frameon=False)
    return ax


def plot_frequency_response(wavelet: WaveletLike, ax: Axes | None = None) -> Axes:
    r"""Draw the magnitude responses $|H(e^{i\omega})|$ of the four filters over $\omega / \pi$ from 0 to 1.

    Args:
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        ax: Axes to draw on; default: a new figure.

    Returns:
        The Axes drawn on.

    Examples:
        >>> import learnable_wavelets as lw
        >>> lw.plotting.plot_frequency_response("db2").get_ylabel()
        'magnitude'
    """
    ax = _axes(ax)
    for name, taps in _numbers(wavelet).items():
        response = np.abs(np.fft.rfft(taps, max(1024, len(taps) + len(taps) % 2)))  # even: up to pi
        style = _STYLES[name]
        ax.plot(np.linspace(0, 1, len(response)), response, style["line"], color=style["color"], label=name)
    ax.set(xlabel=r"frequency, $\omega/\pi$", ylabel="magnitude", xlim=(0, 1))
    ax.legend(fontsize="small", frameon=False)
    return ax


def plot_scaling_and_wavelet(wavelet: WaveletLike, ax: Axes | None = None, *, level: int = 8) -> Axes:
    r"""Draw the scaling function $\varphi$ and the wavelet $\psi$ of the synthesis side.

    Args:
        wavelet: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.
        ax: Axes to draw on; default: a new figure.
        level: number of refinements of the cascade algorithm.

    Returns:
        The Axes drawn on.

    Raises:
        ValueError: `level` outside 1 to 20.

    Examples:
        >>> import learnable_wavelets as lw
        >>> lw.plotting.plot_scaling_and_wavelet("db2").get_xlabel()
        'position, samples'
    """
    ax = _axes(ax)
    x, phi, psi = scaling_and_wavelet(wavelet, level)
    ax.plot(x, phi, color=_LOW, label=r"scaling function $\varphi$")
    ax.plot(x, psi, color=_HIGH, linestyle="--", label=r"wavelet $\psi$")
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.set(xlabel="position, samples")
    ax.legend(fontsize="small", frameon=False)
    return ax


def plot_comparison(wavelets: Mapping[str, WaveletLike]) -> NDArray[np.object_]:
    """Draw banks side by side, a column each: taps, frequency responses, scaling function and wavelet.

    Rows share their scale, so that before and after training can be compared by eye.

    Args:
        wavelets: the banks by title, for instance `{"start": filter.start_bank(), "learned": filter}`.

    Returns:
        The Axes, `(3, len(wavelets))`; `axes[0, 0].figure` is the figure.

    Raises:
        ValueError: there is nothing to compare.
        TypeError: `wavelets` is not a mapping.

    Examples:
        >>> import learnable_wavelets as lw
        >>> filter = lw.LearnableWaveletFilter("haar", taps=6)
        >>> lw.plotting.plot_comparison({"start": filter.start_bank(), "learned": filter}).shape
        (3, 2)
    """
    if not isinstance(wavelets, Mapping):
        raise TypeError(f"`wavelets` must be a mapping from titles to banks, got {type(wavelets).__name__}")
    if not wavelets:
        raise ValueError("`wavelets` must hold at least one bank, got none")
    _, axes = _pyplot().subplots(
        3, len(wavelets), figsize=(2.4 + 3.8 * len(wavelets), 9), squeeze=False, sharey="row", layout="constrained"
    )
    for column, (title, wavelet) in zip(axes.T, wavelets.items(), strict=True):
        for ax, draw in zip(column, (plot_filters, plot_frequency_response, plot_scaling_and_wavelet), strict=True):
            draw(wavelet, ax)
            ax.get_legend().remove()
        column[0].set_title(title)
    for row in axes:
        for ax in row[1:]:
            ax.set_ylabel("")
        row[-1].legend(loc="upper left", bbox_to_anchor=(1.02, 1), fontsize="small", frameon=False)
    return np.asarray(axes, dtype=object)


def add_filters(writer: Any, model: nn.Module, step: int | None = None) -> None:
    """Write the filters of a model to TensorBoard: for each bank a picture of start and present, and its losses.

    Args:
        writer: a `torch.utils.tensorboard.SummaryWriter`, or another object with `add_figure` and `add_scalar`.
        model: any module; without filters nothing is written.
        step: the step or epoch under which TensorBoard shows them.

    Raises:
        TypeError: `writer` has no such methods, or `model` is not an `nn.Module`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> class Names:  # in the place of `SummaryWriter("runs")`
        ...     def add_figure(self, tag, figure, step):
        ...         print(tag, step)
        ...
        ...     def add_scalar(self, tag, value, step):
        ...         print(tag, value < 1e-6)
        >>> lw.plotting.add_filters(Names(), torch.nn.Sequential(lw.WaveletLinear(64, 64)), step=3)
        filters/0.filter 3
        wavelet_loss/0.filter/perfect_reconstruction tensor(True)
        wavelet_loss/0.filter/alias_cancellation tensor(True)
    """
    if not all(callable(getattr(writer, name, None)) for name in ("add_figure", "add_scalar")):
        raise TypeError(f"`writer` must have add_figure and add_scalar as SummaryWriter, got {type(writer).__name__}")
    for name, filter in named_banks(model):
        title = name or "filter"
        axes = plot_comparison({"start": filter.start_bank(), "present": filter})
        writer.add_figure(f"filters/{title}", axes[0, 0].figure, step)
        _pyplot().close(axes[0, 0].figure)
        for term, value in filter.losses().items():
            writer.add_scalar(f"wavelet_loss/{title}/{term}", value.detach(), step)


def _numbers(wavelet: WaveletLike) -> dict[str, NDArray[np.float64]]:
    bank = in_double(FilterBank.from_wavelet(wavelet, dtype=torch.float64))
    return {name: taps.numpy() for name, taps in zip(FilterBank._fields, bank, strict=True)}


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put zeros between neighbours."""
    spread = np.zeros(2 * len(values) - 1)
    spread[::2] = values
    return spread


def _axes(ax: Axes | None) -> Axes:
    pyplot = _pyplot()
    if ax is not None and not isinstance(ax, pyplot.Axes):
        raise TypeError(f"`ax` must be matplotlib Axes, got {type(ax).__name__}")
    drawn: Axes = pyplot.subplots(layout="constrained")[1] if ax is None else ax
    return drawn


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('plotting needs matplotlib: pip install "learnable-wavelets[plotting]"') from error
    return plt
