"""Layers by name, for the place of a dense matrix: the compressed ones, the alternatives, the controls."""

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

import learnable_wavelets as lw

from ._alternatives import Circulant, Diagonal, LowRank, Sum
from ._published import PublishedSlicing

CONSTRAINTS: dict[str, tuple[Callable[..., lw.WaveletFilter], str]] = {
    "soft": (lw.LearnableWaveletFilter, "db2"),
    "orthogonal": (lw.OrthogonalWaveletFilter, "db2"),
    "biorthogonal": (lw.BiorthogonalWaveletFilter, "bior2.2"),
}
"""The filter of each constraint, and the wavelet that it starts from."""
COMBINATIONS: dict[str, type[nn.Module]] = {"product": nn.Sequential, "sum": Sum}


class PaperWavelet(NamedTuple):
    """The wavelet of a published experiment: in more taps than it has, and at more levels than make sense."""

    wavelet: str
    taps: int
    level: int


class LayerOptions(NamedTuple):
    """What the command line may choose about a layer."""

    wavelet: str | None = None
    mode: str = "periodization"
    level: int | None = None
    taps: int | None = None
    constraint: str = "soft"
    blocks: int = 1
    combine: str = "product"
    paper: PaperWavelet = PaperWavelet("haar", 6, 6)
    published_slicing: bool = False


def make_filter(options: LayerOptions) -> lw.WaveletFilter:
    """The filter bank of the layer `wavelet`."""
    kind, default = CONSTRAINTS[options.constraint]
    wavelet = options.wavelet or default
    if options.taps is None:
        return kind(wavelet)
    if options.constraint == "biorthogonal":
        raise ValueError("`taps` must not be given with constraint biorthogonal, whose lifting steps fix the length")
    return kind(wavelet, taps=options.taps)


def _dense(n_in: int, n_out: int, bias: bool, options: LayerOptions) -> nn.Module:
    return nn.Linear(n_in, n_out, bias)


def _fastfood(n_in: int, n_out: int, bias: bool, options: LayerOptions) -> nn.Module:
    return _stack(lambda n, last: lw.Fastfood(n, n_out, bias and last), n_in, n_out, options)


def _wavelet(n_in: int, n_out: int, bias: bool, options: LayerOptions) -> nn.Module:
    def one(n: int, last: bool) -> nn.Module:
        bank = make_filter(options)
        return lw.WaveletLinear(n, n_out, bias and last, wavelet=bank, mode=options.mode, level=options.level)

    return _stack(one, n_in, n_out, options)


def _wavelet_paper(n_in: int, n_out: int, bias: bool, options: LayerOptions) -> nn.Module:
    wavelet, taps, level = options.paper
    bank = lw.LearnableWaveletFilter(wavelet, taps=taps, alias="quadrature")
    kind = PublishedSlicing if options.published_slicing else lw.WaveletLinear
    return kind(n_in, n_out, bias, wavelet=bank, mode="zero", level=level)


def _low_rank(n_in: int, n_out: int, bias: bool, options: LayerOptions) -> nn.Module:
    """The smallest rank with at least as many parameters as `options.blocks` wavelet layers."""
    budget = count(_wavelet(n_in, n_out, False, options))
    return LowRank(n_in, n_out, max(1, -(-budget // (n_in + n_out))), bias)


def _circulant(n_in: int, n_out: int, bias: bool, options: LayerOptions) -> nn.Module:
    return _stack(lambda n, last: Circulant(n, bias and last), n_in, _square("circulant", n_in, n_out), options)


def _diagonal(n_in: int, n_out: int, bias: bool, options: LayerOptions) -> nn.Module:
    return Diagonal(_square("diagonal", n_in, n_out), bias)


def _removed(n_in: int, n_out: int, bias: bool, options: LayerOptions) -> nn.Module:
    _square("removed", n_in, n_out)
    return nn.Identity()


LAYERS: dict[str, Callable[[int, int, bool, LayerOptions], nn.Module]] = {
    "dense": _dense,
    "fastfood": _fastfood,
    "wavelet": _wavelet,
    "wavelet-paper": _wavelet_paper,
    "low-rank": _low_rank,
    "circulant": _circulant,
    "diagonal": _diagonal,
    "removed": _removed,
}
STACKED = ("fastfood", "wavelet", "circulant")


def make_layer(name: str, n_in: int, n_out: int, bias: bool, options: LayerOptions) -> nn.Module:
    """The layer `name`, a key of `LAYERS`; its initial values follow torch's global generator."""
    return LAYERS[name](n_in, n_out, bias, options)


def _stack(one: Callable[[int, bool], nn.Module], n_in: int, n_out: int, options: LayerOptions) -> nn.Module:
    """One layer, or the product or sum of several with a single bias."""
    product, last = options.combine == "product", options.blocks - 1
    layers = [one(n_out if product and i else n_in, i == last) for i in range(options.blocks)]
    return layers[0] if len(layers) == 1 else COMBINATIONS[options.combine](*layers)


def _square(name: str, n_in: int, n_out: int) -> int:
    if n_in != n_out:
        raise ValueError(f"the layer {name} must be square, got {n_in} inputs and {n_out} outputs")
    return n_in


def describe(name: str, layer: nn.Module, options: LayerOptions) -> tuple[str, ...]:
    """What tells this layer from others of its name, in words; nothing for layers without choices."""
    words: list[str] = []
    first = next((m for m in layer.modules() if isinstance(m, lw.WaveletLinear)), None)
    if first is not None:
        wavelet, taps = options.wavelet or CONSTRAINTS[options.constraint][1], options.taps
        if name == "wavelet-paper":
            wavelet, taps, _ = options.paper
        words += [f"{wavelet} in {taps} taps" if taps else wavelet, first.mode, f"level {first.level}"]
        words += [options.constraint] if name == "wavelet" and options.constraint != "soft" else []
        words += ["published slicing"] if isinstance(first, PublishedSlicing) else []
    if isinstance(layer, LowRank):
        words.append(f"rank {layer.inner.out_features}")
    if options.blocks > 1 and name in STACKED:
        words.append(f"{options.combine} of {options.blocks}")
    return tuple(words)


def count(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
