"""Contract 11: bad input gets one clear error that names the argument, what was expected and what came."""

import numpy as np
import pytest
import torch

from learnable_wavelets import (
    BiorthogonalWaveletFilter,
    Fastfood,
    FilterBank,
    LearnableWaveletFilter,
    OrthogonalWaveletFilter,
    WaveletLinear,
    nn,
    wavelet_losses,
    wavelet_regularizer,
)
from learnable_wavelets.functional import (
    dwt,
    fwht,
    idwt,
    pack,
    unpack,
    wavedec,
    waverec,
)

from .banks import random_bank

x = torch.ones(2, 16)
meta = torch.ones(2, 16, device="meta")
bank = random_bank(4).to(dtype=torch.float32)
ints, complexes = torch.ones(2, 16, dtype=torch.int64), torch.ones(2, 16, dtype=torch.complex64)
SIGNALS = {
    "dwt": lambda x: dwt(x, "db2"),
    "wavedec": lambda x: wavedec(x, "db2"),
    "fwht": fwht,
    "unpack": lambda x: unpack(x, [16]),
    "pack": lambda x: pack([x]),
    "idwt": lambda x: idwt(x, x, "db2"),
    "idwt detail": lambda x: idwt(None, x, "db2"),
    "waverec": lambda x: waverec([x, x], "db2"),
    "WaveletLinear": WaveletLinear(16, 16),
    "Fastfood": Fastfood(16, 16),
}
ARGUMENT = {
    "WaveletLinear": "input",
    "Fastfood": "input",
    "unpack": "vector",
    "pack": r"coeffs\[0\]",
    "waverec": r"coeffs\[0\]",
    "idwt": "cA",
    "idwt detail": "cD",
}


@pytest.mark.parametrize("taker", SIGNALS)
@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (ints, "must be real floating point, got torch.int64"),
        (complexes, "must be real floating point, got torch.complex64"),
        (torch.ones(2, 16).to_sparse(), "must be a dense tensor, got layout torch.sparse_coo"),
        ([1.0, 2.0], "must be a torch.Tensor, got list"),
        ("text", "must be a torch.Tensor, got str"),
    ],
    ids=["integer", "complex", "sparse", "list", "text"],
)
def test_signal(taker, signal, message):
    with pytest.raises(TypeError, match=f"`{ARGUMENT.get(taker, 'data')}` {message}"):
        SIGNALS[taker](signal)


LAYERS = {"WaveletLinear": WaveletLinear, "Fastfood": Fastfood}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("argument", ["in_features", "out_features"])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "must be at least 1 .*, got 0"),
        (-3, ValueError, "must be at least 1 .*, got -3"),
        (2.0, TypeError, "must be an int, got float"),
        ("8", TypeError, "must be an int, got str"),
        (True, TypeError, "must be an int, got bool"),
        (None, TypeError, "must be an int, got NoneType"),
    ],
)
def test_size(kind, argument, value, error, message):
    with pytest.raises(error, match=f"`{argument}` {message}"):
        LAYERS[kind](**{"in_features": 4, "out_features": 4, argument: value})


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("value", [1.0, -0.1, 2, float("nan")])
def test_dropout(kind, value):
    with pytest.raises(ValueError, match=f"`dropout` must be at least 0 and less than 1, got {value}"):
        LAYERS[kind](4, 4, dropout=value)


@pytest.mark.parametrize("kind", LAYERS)
def test_dropout_of_another_type(kind):
    with pytest.raises((TypeError, ValueError), match="`dropout` must be"):
        LAYERS[kind](4, 4, dropout="a lot")


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (torch.ones(2, 15), ValueError, r"`input` must have a last dimension of 16, got shape \(2, 15\)"),
        (torch.ones(17), ValueError, r"`input` must have a last dimension of 16, got shape \(17,\)"),
        (torch.ones(16, 2), ValueError, r"`input` must have a last dimension of 16, got shape \(16, 2\)"),
        (torch.ones(()), ValueError, r"`input` must have a last dimension of 16, got shape \(\)"),
        (meta, ValueError, "`input` must be on the layer's device cpu, got meta"),
        (x.double(), TypeError, "`input` must have the layer's dtype torch.float32, got torch.float64"),
        (x.half(), TypeError, "`input` must have the layer's dtype torch.float32, got torch.float16"),
    ],
)
def test_layer_input(kind, given, error, message):
    layer = LAYERS[kind](16, 16)
    with pytest.raises(error, match=message):
        layer(given)


@pytest.mark.parametrize("mode", ["periodization", "zero", "symmetric"])
def test_filters_of_another_length_than_the_layer_was_made_with(mode):
    """No error in periodization, where the number of coefficients is that of the samples."""
    layer = WaveletLinear(16, 16, mode=mode, level=2)
    layer.filter = LearnableWaveletFilter("db4")
    if mode == "periodization":
        assert layer(x).shape == x.shape
        return
    with pytest.raises(ValueError, match=f"`filter` must have 4 taps in mode '{mode}', got 8"):
        layer(x)


@pytest.mark.parametrize("kind", LAYERS)
def test_flag(kind):
    with pytest.raises(TypeError, match="`bias` must be a bool, got str"):
        LAYERS[kind](4, 4, bias="no")
    with pytest.raises(TypeError, match="`bias` must be a bool, got NoneType"):
        LAYERS[kind](4, 4, None)


MAKERS = {
    **{name: lambda dtype, kind=kind: kind(8, 8, dtype=dtype) for name, kind in LAYERS.items()},
    "WaveletLinear of a filter": lambda dtype: WaveletLinear(8, 8, wavelet=OrthogonalWaveletFilter(), dtype=dtype),
    **{
        kind.__name__: lambda dtype, kind=kind: kind("bior1.1", dtype=dtype)
        for kind in (LearnableWaveletFilter, OrthogonalWaveletFilter, BiorthogonalWaveletFilter)
    },
    "FilterBank": lambda dtype: FilterBank.from_wavelet("haar", dtype=dtype),
    "FilterBank of a bank": lambda dtype: FilterBank.from_wavelet(bank, dtype=dtype),
    **{
        kind.__name__: lambda dtype, kind=kind: kind(4, 8, dtype=dtype)
        for kind in (nn.GRU, nn.LSTM, nn.GRUCell, nn.LSTMCell)
    },
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(
    "dtype", [torch.int64, torch.int32, torch.bool, torch.complex64, torch.float8_e4m3fn, "double"]
)
def test_dtype(maker, dtype):
    with pytest.raises(TypeError, match="`dtype` must be one of float16, bfloat16, float32, float64; got "):
        MAKERS[maker](dtype)


AXES = {
    "dwt": lambda axis: dwt(x, "db2", axis=axis),
    "wavedec": lambda axis: wavedec(x, "db2", axis=axis),
    "idwt": lambda axis: idwt(x, x, "db2", axis=axis),
    "waverec": lambda axis: waverec([x, x], "db2", axis=axis),
}


@pytest.mark.parametrize("taker", AXES)
@pytest.mark.parametrize("axis", [1.0, None, "1", (1,), True, torch.tensor(1)], ids=repr)
def test_axis(taker, axis):
    with pytest.raises(TypeError, match=f"`axis` must be an int, got {type(axis).__name__}$"):
        AXES[taker](axis)


@pytest.mark.parametrize("integer", [np.int64, np.int32, np.uint8])
def test_numpys_integers_are_integers(integer):
    layer = WaveletLinear(integer(16), integer(16), level=integer(2))
    assert {type(v) for v in (layer.in_features, layer.out_features, layer.level)} == {int}
    assert torch.equal(layer(x), layer(x))
    assert Fastfood(integer(5), integer(3)).diag_in.shape == (1, 5)
    assert len(LearnableWaveletFilter("haar", taps=integer(4))) == 4
    coeffs = wavedec(x, "haar", level=integer(2), axis=integer(1))
    assert torch.equal(waverec(coeffs, "haar", axis=integer(1)), waverec(coeffs, "haar"))
    packed, lengths = pack(coeffs)
    assert [c.shape for c in unpack(packed, np.array(lengths, integer))] == [c.shape for c in coeffs]
    assert FilterBank.from_wavelet("haar").pad(integer(4)).taps == 4
    assert nn.GRU(integer(3), integer(4), integer(2))(torch.ones(2, 3))[0].shape == (2, 4)


def test_numpys_other_numbers_count_too():
    layer = WaveletLinear(4, 4, np.bool_(False), dropout=np.float32(0.5))
    assert layer.bias is None
    assert (layer.dropout, type(layer.dropout)) == (0.5, float)
    assert Fastfood(4, 4, adaptive=np.bool_(True)).adaptive is True
    assert torch.equal(fwht(x, np.bool_(False)), fwht(x, False))


@pytest.mark.parametrize("mode", ["periodization", "zero", "symmetric"])
def test_waverec_of_two_batches(mode):
    """Not broadcast, on no backend."""
    for other in (x[:1], x[0], x[None], x.expand(3, 2, 16)):
        for coeffs in ([x, other], [other, x], [None, x, other.new_zeros((*other.shape[:-1], 30))]):
            with pytest.raises(
                ValueError, match=r"`coeffs` must have equal dimensions beside axis -1, got shapes \[\("
            ):
                waverec(coeffs, "db2", mode)
    with pytest.raises(ValueError, match=r"beside axis -2, got shapes \[\(2, 16\), \(16,\)\]"):
        waverec([x, x[0]], "db2", mode, axis=0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        # mode
        (lambda: dwt(x, "db2", "bogus"), ValueError, "`mode` must be one of zero, .*antireflect; got 'bogus'"),
        (lambda: idwt(x, x, "db2", "bogus"), ValueError, "`mode` must be one of .*periodization.*; got 'bogus'"),
        (lambda: wavedec(x, "db2", "bogus"), ValueError, "`mode` must be one of .*symmetric.*; got 'bogus'"),
        (lambda: waverec([x, x], "db2", "bogus"), ValueError, "`mode` must be one of .*smooth.*; got 'bogus'"),
        (lambda: WaveletLinear(4, 4, mode="bogus"), ValueError, "`mode` must be one of .*zero.*; got 'bogus'"),
        (lambda: dwt(x, "db2", None), ValueError, "`mode` must be one of .*; got None"),
        # level
        (lambda: wavedec(x, "haar", level=-1), ValueError, "`level` must be between 0 and 5 .*, got -1"),
        (lambda: wavedec(x, "haar", level=6), ValueError, "between 0 and 5 for 16 samples and 2 taps, got 6"),
        (lambda: wavedec(x, "haar", level=1.5), TypeError, "`level` must be an int, got float"),
        (lambda: wavedec(x, "haar", level=True), TypeError, "`level` must be an int, got bool"),
        (lambda: WaveletLinear(16, 16, level=5), ValueError, "`level` must be between 0 and 4 for 16 in_features"),
        (lambda: WaveletLinear(16, 16, level=-1), ValueError, "`level` must be between 0 and 4 .*, got -1"),
        (lambda: WaveletLinear(16, 16, level="2"), TypeError, "`level` must be an int, got str"),
        (lambda: WaveletLinear(16, 16, wavelet="haar", level=6, mode="zero"), ValueError, "`level` .* 'zero', got 6"),
        (lambda: WaveletLinear(1000, 10, level=12), ValueError, "4 for 1000 in_features in blocks of 10 and mode"),
        (lambda: WaveletLinear(1000, 10, level=5), ValueError, "0 and 4 for 1000 in_features in blocks of 10 and mode"),
        (lambda: WaveletLinear(1000, 10, level=8, mode="zero"), ValueError, "0 and 6 .* blocks of 10 .*, got 8"),
        # axis and shape
        (lambda: dwt(x, "db2", axis=2), ValueError, r"`axis` must be an axis of `data` with shape \(2, 16\), got 2"),
        (lambda: wavedec(x, "db2", axis=-3), ValueError, r"`axis` must be an axis of `data` .*, got -3"),
        (lambda: waverec([x, x], "db2", axis=5), ValueError, "`axis` must be an axis of `coeffs` .*, got 5"),
        (lambda: idwt(x, x, "db2", axis=5), ValueError, "`axis` must be an axis of `cA or cD` .*, got 5"),
        (lambda: dwt(torch.ones(()), "db2"), ValueError, r"`axis` must be an axis of `data` with shape \(\), got -1"),
        (lambda: dwt(x[:, :0], "db2"), ValueError, r"`data` must have at least one sample along axis -1, .*\(2, 0\)"),
        (lambda: wavedec(x[:, :0], "db2"), ValueError, "`data` must have at least one sample along axis -1"),
        (lambda: fwht(x[:, :0]), ValueError, "`data` must have at least one sample along axis -1"),
        (lambda: fwht(x[:, :12]), ValueError, "`data` must have a last dimension that is a power of two, got 12"),
        # coefficients
        (lambda: idwt(None, None, "db2"), ValueError, "`cA` or `cD` must be given, got None for both"),
        (lambda: idwt(x, x[:, :8], "db2"), ValueError, r"`cA` and `cD` must have one shape, got .*16\) .*8\)"),
        (lambda: idwt(x, x.double(), "db2"), TypeError, "`cA` and `cD` must have one dtype .*float32.*float64"),
        (lambda: idwt(x, meta, "db2"), TypeError, "`cA` and `cD` must have one dtype and device.*cpu.*meta"),
        (lambda: idwt(x[:, :1], None, "db2"), ValueError, "must have at least taps/2 = 2 entries, got 1"),
        (lambda: waverec(x, "db2"), TypeError, "`coeffs` must be a list of tensors, got Tensor"),
        (lambda: waverec([], "db2"), ValueError, "`coeffs` must hold at least one tensor, got none"),
        (lambda: waverec([None, None], "db2"), ValueError, "`coeffs` must hold at least one tensor, got none"),
        (lambda: waverec([x, x.double()], "db2"), TypeError, "`coeffs` must have one dtype and device, got .*float64"),
        (lambda: waverec([x, meta], "db2"), TypeError, "`coeffs` must have one dtype and device, got .*cpu.*meta"),
        (lambda: waverec([x, x[:, :9]], "db2"), ValueError, r"`coeffs\[1\]` must have 16 entries \(or 15\) .*, got 9"),
        (
            lambda: waverec([x, None, x], "db2"), ValueError,
            r"`coeffs\[2\]` must have 30 entries \(or 29\) at its level, got 16",
        ),
        (lambda: waverec([x[:, :1]] * 2, "db2"), ValueError, r"`coeffs\[1\]` must have at least taps/2 = 2 entries"),
        (lambda: pack(x), TypeError, "`coeffs` must be a list of tensors, got Tensor"),
        (lambda: pack([]), ValueError, "`coeffs` must hold at least one tensor"),
        (lambda: pack([x, None]), TypeError, "`coeffs`"),
        (lambda: pack([x, x[:1]]), ValueError, "`coeffs`"),
        (lambda: unpack(x, [8, 9]), ValueError, r"`lengths` must add up to .* `vector` \(2, 16\), got \(8, 9\)"),
        (lambda: unpack(torch.ones(()), [1]), ValueError, r"`lengths` must add up to .* `vector` \(\), got \(1,\)"),
        (lambda: unpack(x, [20, -4]), ValueError, "`lengths`"),
        (lambda: unpack(x, []), ValueError, "`lengths` must hold at least one length, got none"),
        (lambda: unpack(x[:, :0], ()), ValueError, "`lengths` must hold at least one length, got none"),
        (lambda: unpack(x, None), TypeError, "`lengths` must be a list of ints, got NoneType"),
        (lambda: unpack(x, 16), TypeError, "`lengths` must be a list of ints, got int"),
        (lambda: unpack(x, "88"), TypeError, "`lengths` must be a list of ints, got str"),
        (lambda: unpack(x, [8, 8.0]), TypeError, r"`lengths\[1\]` must be an int, got float"),
        (lambda: unpack(x, ["8", 8]), TypeError, r"`lengths\[0\]` must be an int, got str"),
        (lambda: fwht(torch.ones(())), ValueError, r"`data` must have at least one dimension, got shape \(\)"),
        (lambda: waverec([x, [1.0]], "db2"), TypeError, r"`coeffs\[1\]` must be a torch.Tensor, got list"),
        (lambda: fwht(x, normalized="no"), TypeError, "`normalized` must be a bool, got str"),
        (lambda: fwht(x, normalized=1.0), TypeError, "`normalized` must be a bool, got float"),
        # devices
        (lambda: dwt(meta, bank), ValueError, "`wavelet` must be on the device of `data`, meta, got cpu"),
        (lambda: wavedec(meta, bank), ValueError, "`wavelet` must be on the device of `data`, meta, got cpu"),
        (
            lambda: WaveletLinear(16, 16, wavelet=LearnableWaveletFilter("db2", device="meta"))(x), ValueError,
            "`wavelet` must be on the device of `input`, cpu, got meta",
        ),
        # layers and models
        (lambda: WaveletLinear(4, 4, "db2"), TypeError, "`bias` must be a bool, got str; .* by keyword, `wavelet=`"),
        (lambda: WaveletLinear(4, 4, bank), TypeError, "`bias` must be a bool, got FilterBank; .*`wavelet=`"),
        (lambda: Fastfood(4, 4, adaptive="no"), TypeError, "`adaptive` must be a bool, got str"),
        (lambda: WaveletLinear(4, 4).reset_parameters("zeros"), ValueError, "`start` must be one of signs, .* 'zeros'"),
        (lambda: Fastfood(4, 4).reset_parameters(""), ValueError, "`start` must be one of .*; got ''"),
        (lambda: bank.to(torch.int64), TypeError, "`dtype` must be one of .*; got torch.int64"),
        (lambda: Fastfood(4, 4).reset_parameters("zeros"), ValueError, "`start` must be one of .*; got 'zeros'"),
        (lambda: wavelet_regularizer([1]), TypeError, "`model` must be a torch.nn.Module, got list"),
        (lambda: wavelet_losses("db2"), TypeError, "`model` must be a torch.nn.Module, got str"),
    ],
)  # fmt: skip
def test_table(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
