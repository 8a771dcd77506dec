"""Contract 2, loading: torch's own rules, and a configuration that differs is an error."""

import copy
import io
import pickle
from functools import partial

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from learnable_wavelets import Fastfood, WaveletLinear
from learnable_wavelets.nn import GRU

from ..banks import signal
from ..layers import LAYERS, scramble


def corrupt(state, prefix, case):
    match case:
        case "shape":
            state[prefix + "diag_mid"] = torch.zeros(1, 7)
        case "shape of the bias":
            state[prefix + "bias"] = torch.zeros(7)
        case "shape of a filter":
            state[prefix + "filter.rec_hi"] = torch.zeros(8)
        case "missing diagonal":
            del state[prefix + "diag_in"]
        case "missing filter":
            del state[prefix + "filter.dec_hi"]
        case "unexpected key":
            state[prefix + "weight"] = torch.zeros(16, 16)
        case "an old index":
            state[prefix + "permutation"] = torch.arange(16)[None]
        case "unexpected key of the filter":
            state[prefix + "filter.angles"] = torch.zeros(2)
        case "no tensor":
            state[prefix + "diag_out"] = "torn"


MESSAGES = {
    "shape": "size mismatch for {}diag_mid",
    "shape of the bias": "size mismatch for {}bias",
    "shape of a filter": "size mismatch for {}filter.rec_hi",
    "missing diagonal": 'Missing key.* "{}diag_in"',
    "missing filter": 'Missing key.* "{}filter.dec_hi"',
    "unexpected key": 'Unexpected key.* "{}weight"',
    "an old index": 'Unexpected key.* "{}permutation"',
    "unexpected key of the filter": 'Unexpected key.* "{}filter.angles"',
    "no tensor": "{}diag_out",
}


@pytest.mark.parametrize("case", MESSAGES)
@pytest.mark.parametrize("nested", [True, False])
def test_a_checkpoint_that_does_not_fit_is_torchs_error(case, nested):
    def make():
        layer = scramble(WaveletLinear(16, 16))
        return nn.Sequential(nn.Linear(16, 16), nn.Sequential(layer), nn.ReLU()) if nested else layer

    model, source, prefix = make(), make(), "1.0." if nested else ""
    state = source.state_dict()
    corrupt(state, prefix, case)
    given = dict(state)
    message = MESSAGES[case].format(prefix)
    with pytest.raises(RuntimeError, match=rf"(?s)Error\(s\) in loading state_dict.*{message}"):
        model.load_state_dict(state)
    assert state.keys() == given.keys()
    assert all(state[key] is given[key] for key in given)  # the user's dictionary is left alone


@pytest.mark.parametrize("state", [None, [1], "text", 3], ids=repr)
def test_no_dictionary_is_torchs_error(state):
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        WaveletLinear(16, 16).load_state_dict(state)


OLD = {"diag_in": "B", "diag_mid": "G", "diag_out": "S", "filter.dec_lo": "filter.h0"}


def rename(state, prefix, into):
    for ours, theirs in OLD.items():
        ours, theirs = (ours, theirs) if into == "ours" else (theirs, ours)
        if prefix + theirs in state:
            state[prefix + ours] = state.pop(prefix + theirs)


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_a_pre_hook_may_rename_entries(nested, private):
    """As for checkpoints of another implementation."""
    layer, source = WaveletLinear(16, 16), scramble(WaveletLinear(16, 16))
    if private:
        layer._register_load_state_dict_pre_hook(lambda state, prefix, *rest: rename(state, prefix, "ours"))
    else:
        layer.register_load_state_dict_pre_hook(lambda _, state, prefix, *rest: rename(state, prefix, "ours"))
    model, prefix = (nn.Sequential(layer), "0.") if nested else (layer, "")
    state = {prefix + k: v for k, v in source.state_dict().items()}
    rename(state, prefix, "theirs")
    assert prefix + "filter.h0" in state
    model.load_state_dict(state)
    assert all(torch.equal(v, layer.state_dict()[k]) for k, v in source.state_dict().items())


def test_a_missing_bias_is_told_from_no_bias():
    with_bias, without = WaveletLinear(16, 16), WaveletLinear(16, 16, bias=False)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*bias"):
        without.load_state_dict(with_bias.state_dict())
    with pytest.raises(RuntimeError, match=r"Missing key.*bias"):
        with_bias.load_state_dict(without.state_dict())


def test_strict_false_takes_what_is_there():
    layer, source = WaveletLinear(16, 16), scramble(WaveletLinear(16, 16))
    state = source.state_dict()
    kept = layer.diag_mid.clone()
    del state["diag_mid"]
    state["more"] = torch.zeros(1)
    found = layer.load_state_dict(state, strict=False)
    assert found.missing_keys == ["diag_mid"]
    assert found.unexpected_keys == ["more"]
    assert torch.equal(layer.diag_in, source.diag_in)
    assert torch.equal(layer.diag_mid, kept)


def test_a_checkpoint_may_be_of_another_dtype():
    layer, source = WaveletLinear(16, 16), scramble(WaveletLinear(16, 16, dtype=torch.float64))
    layer.load_state_dict(source.state_dict())
    assert layer.diag_in.dtype == torch.float32
    assert torch.equal(layer.diag_in, source.diag_in.float())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("kind", LAYERS)
def test_assignment_takes_the_tensors_of_the_state(kind, dtype):
    layer, source = LAYERS[kind](16, 24), scramble(LAYERS[kind](16, 24, dtype=dtype))
    state = source.state_dict()
    layer.load_state_dict(state, assign=True)
    for name, parameter in layer.named_parameters():
        assert parameter.data_ptr() == state[name].data_ptr()
        assert parameter.dtype == dtype
    x = signal(3, 16).to(dtype)
    assert torch.equal(layer(x), source(x))


# --- configuration: not in the keys, but checked


DIFFERENT = {
    "seed": (WaveletLinear, {"seed": 4}, "`seed`{} is 0, but the state was saved with 4"),
    "seed None": (Fastfood, {"seed": None}, "`seed`{} is 0, but the state was saved with None"),
    "lr_multiplier": (Fastfood, {"lr_multiplier": 0.25}, r"`lr_multiplier`{} is \d.0, but .* saved with 0.25"),
    "level": (WaveletLinear, {"level": 2}, "`level`{} is 4, but the state was saved with 2"),
    "mode": (WaveletLinear, {"mode": "zero", "level": 0}, "`mode`{} is 'periodization', but .* saved with 'zero'"),
}


def through_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


KEEPING = {"as it is": lambda state: state, "torch.save": through_file, "deepcopy": copy.deepcopy,
           "pickle": lambda state: pickle.loads(pickle.dumps(state))}  # fmt: skip


@pytest.mark.parametrize("way", KEEPING)
@pytest.mark.parametrize("case", DIFFERENT)
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("assign", [True, False])
def test_a_state_of_another_configuration_is_refused(case, way, strict, assign):
    kind, options, message = DIFFERENT[case]
    layer, source = kind(16, 16), kind(16, 16, **options)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    for model, other, where in (
        (layer, source, ""),
        (nn.ModuleDict({"a": nn.Sequential(layer)}), nn.ModuleDict({"a": nn.Sequential(source)}), " of a.0"),
    ):
        state = KEEPING[way](other.state_dict())
        with pytest.raises(RuntimeError, match=message.format(where)) as caught:
            model.load_state_dict(state, strict=strict, assign=assign)
        assert "Missing key" not in str(caught.value)
    for name in ("diag_in", "diag_mid", "diag_out", "bias"):
        assert torch.equal(layer.state_dict()[name], before[name])


def test_every_difference_is_named():
    state = WaveletLinear(16, 16, seed=3, level=2, lr_multiplier=0.5).state_dict()
    with pytest.raises(RuntimeError) as caught:
        WaveletLinear(16, 16).load_state_dict(state)
    lines = [line.split("`")[1] for line in str(caught.value).splitlines() if "but the state" in line]
    assert lines == ["seed", "lr_multiplier", "level"]


def test_a_gate_of_another_configuration_is_refused():
    layer, source = GRU(3, 16), GRU(3, 16, recurrent_layer=partial(WaveletLinear, seed=1))
    with pytest.raises(RuntimeError) as caught:
        layer.load_state_dict(source.state_dict())
    for number, gate in enumerate(GRU.GATES):
        assert f"`seed` of {gate}_l0 is {number}, but the state was saved with {number + 1}" in str(caught.value)


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_a_state_without_metadata_follows_torch(kind):
    layer, source = kind(16, 16), scramble(kind(16, 16, seed=4))
    bare = dict(source.state_dict())
    through = safetensors.torch.load(safetensors.torch.save(bare))
    for state in (bare, through):
        layer.load_state_dict(state)
        assert torch.equal(layer.diag_mid, source.diag_mid)


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_metadata_survives_a_prefix_that_is_dropped(kind):
    source = nn.ModuleDict({"module": kind(16, 16, seed=4)})
    state = source.state_dict()
    consume_prefix_in_state_dict_if_present(state, "module.")
    kind(16, 16, seed=4).load_state_dict(state)
    with pytest.raises(RuntimeError, match="`seed` is 0, but the state was saved with 4"):
        kind(16, 16).load_state_dict(state)


def test_an_older_saver_without_a_record_is_served():
    """`_save_to_state_dict` into a plain dictionary, as some libraries call it."""
    found = {}
    WaveletLinear(16, 16)._save_to_state_dict(found, "a.", False)
    assert sorted(found) == ["a.bias", "a.diag_in", "a.diag_mid", "a.diag_out"]
