"""`Compression`: the layers that take the place of dense ones, as one record."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from .._checks import (
    check_choice,
    check_dropout,
    check_flag,
    check_int,
    check_mode,
    check_multiplier,
    check_number,
    check_seed,
    check_text,
)
from ..filters import BiorthogonalWaveletFilter, LearnableWaveletFilter, OrthogonalWaveletFilter, WaveletFilter
from ..nn import Fastfood, Stack, WaveletLinear
from ..nn._layer import LR_MULTIPLIER
from ..nn._stack import LAYERS, check_depth_and_rank

FILTERS: dict[str, Any] = {
    "free": LearnableWaveletFilter,
    "orthogonal": OrthogonalWaveletFilter,
    "biorthogonal": BiorthogonalWaveletFilter,
}


@dataclasses.dataclass(frozen=True)
class Compression:
    """Say which layer takes the place of $y = W x$, for `plan` and `compress_`; a record that JSON can hold.

    Args:
        layer: `wavelet` or `fastfood`.
        wavelet: the PyWavelets name from which filters start.
        filter: `free`, `orthogonal` or `biorthogonal`, the parametrisation of the filters.
        taps: filter length, padded with zeros; `None`: that of the wavelet. A biorthogonal filter always has that.
        level: number of scales; `None` as of `WaveletLinear`.
        mode: signal extension.
        depth: number of sandwiches in a product; 0 is low rank alone.
        rank: rank of a low-rank residual.
        shared_filter: one filter bank for all layers; else one for each sandwich.
        seed: the permutations follow from it; `None` for none.
        lr_multiplier: a power of two, the factor between stored and effective diagonals; `None`: the layers' default.
        dropout: probability of zeroing an entry of the diagonals.
        min_speedup: replace a layer only if the new one is this many times faster, measured here.

    Raises:
        ValueError: a value out of range, an unknown name, or values that do not go together.
        TypeError: a value of another type.

    Examples:
        >>> import learnable_wavelets as lw
        >>> config = lw.Compression(wavelet="db2", taps=None, level=4)
        >>> config == lw.Compression.from_dict(config.to_dict())
        True

    Notes:
        `wavelet`, `filter`, `taps`, `level` and `mode` are for wavelet layers alone.
    """

    layer: str = "wavelet"
    wavelet: str = "haar"
    filter: str = "free"
    taps: int | None = 256
    level: int | None = 1
    mode: str = "periodization"
    depth: int = 1
    rank: int = 0
    shared_filter: bool = False
    seed: int | None = 0
    lr_multiplier: float | None = None
    dropout: float = 0.0
    min_speedup: float | None = None

    def __post_init__(self) -> None:
        depth, rank = check_depth_and_rank(self.depth, self.rank)
        checked: dict[str, Any] = {
            "layer": check_choice("layer", self.layer, LAYERS),
            "wavelet": check_text("wavelet", self.wavelet),
            "filter": check_choice("filter", self.filter, tuple(FILTERS)),
            "taps": None if self.taps is None else check_int("taps", self.taps),
            "level": None if self.level is None else check_int("level", self.level),
            "mode": check_mode(self.mode),
            "depth": depth,
            "rank": rank,
            "shared_filter": check_flag("shared_filter", self.shared_filter),
            "seed": check_seed(self.seed),
            "dropout": check_dropout(self.dropout),
        }
        if self.lr_multiplier is not None:
            checked["lr_multiplier"] = check_multiplier("lr_multiplier", self.lr_multiplier)
        if self.min_speedup is not None:
            checked["min_speedup"] = check_number("min_speedup", self.min_speedup)
            if not 0 < checked["min_speedup"] < math.inf:
                raise ValueError(f"`min_speedup` must be positive and finite, got {self.min_speedup}")
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.level is not None and self.level < 0:
            raise ValueError(f"`level` must be at least 0, got {self.level}")
        if self.shared_filter and not self.has_filters:
            raise ValueError("`shared_filter` needs wavelet layers, got layer='fastfood' or depth=0")
        make_filter(self, device="meta")

    @property
    def has_filters(self) -> bool:
        """Tell layers with filters from those without."""
        return self.layer == "wavelet" and self.depth > 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Compression:
        """Return the record of `to_dict`; fields that are missing have their defaults.

        Raises:
            ValueError: an unknown field, or as the constructor.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise ValueError(f"`values` must have fields of Compression, got {name!r}")
        return cls(**values)


def make_filter(config: Compression, **options: Any) -> WaveletFilter:
    """Return a new filter on a device and in a dtype."""
    if config.filter != "biorthogonal":
        options["taps"] = config.taps
    made: WaveletFilter = FILTERS[config.filter](config.wavelet, **options)
    return made


def make_layer(
    config: Compression,
    in_features: int,
    out_features: int,
    bias: bool,
    device: torch.device | str,
    dtype: torch.dtype,
    shared: WaveletFilter | None = None,
) -> nn.Module:
    """Return the layer that takes the place of a dense one.

    Raises:
        ValueError: the configuration does not fit the shape.
    """
    size, options = (in_features, out_features, bias), {"device": device, "dtype": dtype}
    keywords: dict[str, Any] = {
        "dropout": config.dropout,
        "seed": config.seed,
        "lr_multiplier": LR_MULTIPLIER if config.lr_multiplier is None else config.lr_multiplier,
        **options,
    }
    if config.layer == "fastfood":
        if (config.depth, config.rank) == (1, 0):
            return Fastfood(*size, **keywords)
        return Stack(*size, layer="fastfood", depth=config.depth, rank=config.rank, **keywords)
    keywords |= {"level": config.level, "mode": config.mode}
    keywords["wavelet"] = make_filter(config, **options) if shared is None else shared
    if (config.depth, config.rank) == (1, 0):
        single = WaveletLinear(*size, **keywords)
        single._own_filter = shared is None  # `reset_parameters` restarts it
        return single
    stack = Stack(*size, depth=config.depth, rank=config.rank, **keywords)
    factors: Any = [] if shared is not None else stack.factors
    for factor in factors:
        factor.filter, factor._own_filter = make_filter(config, **options), True
    return stack
