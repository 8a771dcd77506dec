"""Layers by name, in place of a dense matrix: the compressed ones, the alternatives, the controls."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

import learnable_wavelets as lw

from ..spec import ALTERNATIVES, OWNERS, REPEATED, WAVELET_LAYERS, Options, count
from ._alternatives import Circulant, Diagonal, LowRank, Sum, learn_faster
from ._published import PublishedSlicing
from ._structured import Butterfly, Monarch, TensorTrain, ToeplitzLike, near_root
from ._transformer import Tiled

FILTERS: dict[str, tuple[Callable[..., lw.WaveletFilter], str]] = {
    "soft": (lw.LearnableWaveletFilter, "db2"),
    "orthogonal": (lw.OrthogonalWaveletFilter, "db2"),
    "biorthogonal": (lw.BiorthogonalWaveletFilter, "bior2.2"),
}
"""The filter of each constraint, and its default start."""
STACK_RANK = 8
SQUARE = ("circulant", "toeplitz-like", "butterfly", "diagonal", "removed")
COMBINATIONS: dict[str, type[nn.Module]] = {"product": nn.Sequential, "sum": Sum}


def make_filter(options: Options) -> lw.WaveletFilter:
    """Make the filter bank of the layer `wavelet`."""
    kind, default = FILTERS[options.constraint]
    wavelet = options.wavelet or default
    if options.taps is None:
        return kind(wavelet)
    if options.constraint == "biorthogonal":
        raise ValueError("`taps` must not be given with constraint biorthogonal, whose lifting steps fix the length")
    return kind(wavelet, taps=options.taps)


def _multiplier(options: Options) -> float:
    return 1.0 if options.lr_multiplier is None else options.lr_multiplier


def _dense(n_in: int, n_out: int, bias: bool, options: Options) -> nn.Module:
    return nn.Linear(n_in, n_out, bias)


def _sandwich(name: str, n_in: int, n_out: int, bias: bool, options: Options) -> lw.nn.SandwichLayer:
    """Build a layer of the library: every one in the experiments is built here."""
    keywords: dict[str, Any] = {"seed": options.tile, "lr_multiplier": _multiplier(options)}
    if name == "fastfood":
        return lw.Fastfood(n_in, n_out, bias, **keywords)
    if name == "wavelet":
        keywords |= {"wavelet": make_filter(options), "mode": options.mode, "level": options.level}
        return lw.WaveletLinear(n_in, n_out, bias, **keywords)
    wavelet, taps, level = options.paper
    bank = lw.LearnableWaveletFilter(wavelet, taps=taps, alias="quadrature")
    keywords |= {"wavelet": bank, "mode": "zero", "level": level}
    return (PublishedSlicing if options.published_slicing else lw.WaveletLinear)(n_in, n_out, bias, **keywords)


def _frozen(n_in: int, n_out: int, bias: bool, options: Options, *, diagonals: bool) -> nn.Module:
    """Build the layer `wavelet` and freeze its filters, and its diagonals too where `diagonals` is true."""
    layer = _sandwich("wavelet", n_in, n_out, bias, options)
    for name, parameter in layer.named_parameters():
        parameter.requires_grad_(not (name.startswith("filter.") or (diagonals and name.startswith("diag_"))))
    return layer


def _stack(n_in: int, n_out: int, bias: bool, options: Options) -> nn.Module:
    """Build a product of wavelet layers with a low-rank residual."""
    bank = make_filter(options).filter_bank
    keywords: dict[str, Any] = {"wavelet": bank, "mode": options.mode, "level": options.level}
    depth, rank = options.blocks[0], options.rank or STACK_RANK
    return lw.nn.Stack(n_in, n_out, bias, depth=depth, rank=rank, lr_multiplier=_multiplier(options), **keywords)


def _rank(n_in: int, n_out: int, options: Options) -> int:
    """Find the smallest rank with at least as many parameters as `options.blocks` wavelet layers, if none is given."""
    if options.rank is not None:
        return options.rank
    with torch.device("meta"):
        budget = count(make_layer("wavelet", n_in, n_out, False, options))
    return max(1, -(-budget // (n_in + n_out)))


def _groups(n_in: int, n_out: int, options: Options) -> int:
    return options.groups or near_root(math.gcd(n_in, n_out))


def _square(name: str, n_in: int, n_out: int) -> int:
    if n_in != n_out:
        raise ValueError(f"the layer {name} must be square, got {n_in} inputs and {n_out} outputs")
    return n_in


def _removed(n_in: int, n_out: int, bias: bool, options: Options) -> nn.Module:
    _square("removed", n_in, n_out)
    return nn.Identity()


LAYERS: dict[str, Callable[[int, int, bool, Options], nn.Module]] = {
    "dense": _dense,
    "narrow": _dense,  # its networks have fewer hidden units
    "fastfood": partial(_sandwich, "fastfood"),
    "wavelet": partial(_sandwich, "wavelet"),
    "wavelet-paper": partial(_sandwich, "wavelet-paper"),
    "low-rank": lambda n_in, n_out, bias, options: LowRank(n_in, n_out, _rank(n_in, n_out, options), bias),
    "circulant": lambda n_in, n_out, bias, _: Circulant(_square("circulant", n_in, n_out), bias),
    "toeplitz-like": lambda n_in, n_out, bias, options: ToeplitzLike(
        _square("toeplitz-like", n_in, n_out), _rank(n_in, n_out, options), bias
    ),
    "butterfly": lambda n_in, n_out, bias, _: Butterfly(_square("butterfly", n_in, n_out), bias),
    "monarch": lambda n_in, n_out, bias, options: Monarch(n_in, n_out, _groups(n_in, n_out, options), bias),
    "btt": lambda n_in, n_out, bias, options: TensorTrain(n_in, n_out, options.rank or 1, bias),
    "stack": _stack,
    "frozen": partial(_frozen, diagonals=False),
    "fixed": partial(_frozen, diagonals=True),
    "diagonal": lambda n_in, n_out, bias, _: Diagonal(_square("diagonal", n_in, n_out), bias),
    "removed": _removed,
}


def make_layer(name: str, n_in: int, n_out: int, bias: bool, options: Options) -> nn.Module:
    """Build the layer `name`, a key of `LAYERS`, or the product or sum of several with a single bias."""
    blocks = options.blocks[0] if name in REPEATED else 1
    product, last = options.combine == "product", blocks - 1
    layers = [LAYERS[name](n_out if product and i else n_in, n_out, bias and i == last, options) for i in range(blocks)]
    if name in ALTERNATIVES:
        for layer in layers:
            learn_faster(layer, _multiplier(options))
    return layers[0] if blocks == 1 else COMBINATIONS[options.combine](*layers)


def _has_own_filters(name: str, options: Options) -> bool:
    """Return whether the square blocks of a wide or narrow layer have a filter each."""
    return options.own_filters and name in OWNERS["own_filters"]


def make_tiled(name: str, options: Options) -> Callable[[int, int], nn.Module]:
    """Return a function that builds the layer `name` with a bias; square kinds are tiled where the sizes differ."""
    tiled = name in SQUARE or _has_own_filters(name, options)

    def build(n_in: int, n_out: int) -> nn.Module:
        if tiled and n_in != n_out:
            return Tiled(n_in, n_out, lambda tile, n, bias: make_layer(name, n, n, bias, replace(options, tile=tile)))
        return make_layer(name, n_in, n_out, True, options)

    return build


def describe(name: str, n: int, options: Options) -> tuple[str, ...]:
    """Describe how the square layer of width `n` differs from others of its name; no memory is taken for it.

    Raises:
        ValueError: there is no layer with these options.
    """
    parts: list[str] = []
    if name in (*WAVELET_LAYERS, "wavelet-paper"):
        with torch.device("meta"):
            layer = _sandwich("wavelet-paper" if name == "wavelet-paper" else "wavelet", n, n, False, options)
        wavelet, taps = options.wavelet or FILTERS[options.constraint][1], options.taps
        if name == "wavelet-paper":
            wavelet, taps, _ = options.paper
        parts += [f"{wavelet} in {taps} taps" if taps else wavelet, str(layer.mode), f"level {layer.level}"]
        parts += [options.constraint] if name in WAVELET_LAYERS and options.constraint != "soft" else []
        parts += ["published slicing"] if name == "wavelet-paper" and options.published_slicing else []
    if options.regularizer != 1:
        parts.append(f"regularizer {options.regularizer:g}")
    if name in OWNERS["lr_multiplier"] and _multiplier(options) != 1:
        parts.append(f"rate multiplier {_multiplier(options):g}")
    if _has_own_filters(name, options):
        parts.append("own filters")
    if name in ("low-rank", "toeplitz-like"):
        parts.append(f"rank {_rank(n, n, options)}")
    if name in ("btt", "stack"):
        parts.append(f"rank {options.rank or (STACK_RANK if name == 'stack' else 1)}")
    if name == "narrow":
        parts.append(f"{options.units} units")
    if name == "monarch":
        parts.append(f"{_groups(n, n, options)} groups")
    if options.blocks[0] > 1 and name in (*REPEATED, "stack"):
        parts.append(f"{options.combine if name in REPEATED else 'product'} of {options.blocks[0]}")
    return tuple(parts)
