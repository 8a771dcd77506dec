"""The recurrent layers that the tests try, and what they compare."""

from functools import partial

import torch

from learnable_wavelets import Fastfood, WaveletLinear
from learnable_wavelets.nn import GRU, LSTM

from ..banks import assert_same

INPUT, HIDDEN = 3, 16
zero = partial(WaveletLinear, wavelet="db3", mode="zero", level=2)
KINDS = {
    "GRU": GRU,
    "GRU paper": partial(GRU, reset_after=False),
    "GRU fastfood": partial(GRU, recurrent_layer=Fastfood),
    "GRU two gates": partial(GRU, gates=("reset", "state"), recurrent_layer=zero),
    "GRU stacked": partial(GRU, num_layers=2, bidirectional=True, gates=("state",)),
    "LSTM": LSTM,
    "LSTM one gate": partial(LSTM, gates=("forget",), recurrent_layer=Fastfood),
}


def flat(result) -> list[torch.Tensor]:
    return [result] if isinstance(result, torch.Tensor) else [tensor for part in result for tensor in flat(part)]


def assert_all_same(ours, theirs, tolerance=1e-10):
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert_same(a, b, tolerance)
