"""`Compression`: a frozen record, checked, that survives JSON."""

import dataclasses
import json

import pytest

import learnable_wavelets as lw

from .models import CONFIGS


@pytest.mark.parametrize("name", CONFIGS)
def test_it_survives_json(name):
    config = CONFIGS[name]
    assert lw.Compression.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_it_is_frozen_and_has_defaults():
    config = lw.Compression()
    assert lw.Compression.from_dict({}) == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.depth = 2
    assert lw.Compression(mode="per").mode == "periodization"


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"layer": "dense"}, ValueError, "`layer` must be one of wavelet, fastfood"),
        ({"filter": "any"}, ValueError, "`filter` must be one of free, orthogonal, biorthogonal"),
        ({"wavelet": "none"}, ValueError, "none"),
        ({"wavelet": 3}, TypeError, "`wavelet` must be a str"),
        ({"wavelet": "bior2.2", "filter": "orthogonal", "taps": None}, ValueError, "`wavelet` must be orthonormal"),
        ({"wavelet": "db4", "taps": 6}, ValueError, "`taps`"),
        ({"taps": 7}, ValueError, "`taps`"),
        ({"level": -1}, ValueError, "`level` must be at least 0"),
        ({"level": 1.5}, TypeError, "`level` must be an int"),
        ({"mode": "none"}, ValueError, "`mode` must be one of"),
        ({"depth": -1}, ValueError, "`depth` must be at least 0"),
        ({"depth": 0}, ValueError, "`rank` must be at least 1"),
        ({"shared_filter": 1}, TypeError, "`shared_filter` must be a bool"),
        ({"shared_filter": True, "layer": "fastfood"}, ValueError, "`shared_filter` needs wavelet layers"),
        ({"seed": "a"}, TypeError, "`seed` must be an int"),
        ({"lr_multiplier": 3}, ValueError, "`lr_multiplier` must be a power of two"),
        ({"dropout": 1}, ValueError, "`dropout` must be"),
        ({"min_speedup": 0}, ValueError, "`min_speedup` must be positive"),
        ({"min_speedup": float("inf")}, ValueError, "`min_speedup` must be positive and finite, got inf"),
        ({"min_speedup": float("nan")}, ValueError, "`min_speedup` must be positive and finite, got nan"),
        ({"speed": 2}, ValueError, "`values` must have fields of Compression, got 'speed'"),
    ],
)
def test_bad_values(values, error, message):
    with pytest.raises(error, match=message) as caught:
        lw.Compression.from_dict(values)
    assert "\n" not in str(caught.value)
