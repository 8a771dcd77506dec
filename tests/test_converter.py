"""`learnable-wavelets compress`: models on the disk."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file, save_model
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets import cli
from learnable_wavelets.converter import _folder
from learnable_wavelets.converter._file import skeleton

from .compress.models import CONFIGS, Conv1D, Shared, Tied, perceptron

SHORT = ("--wavelet", "db2", "--taps", "none", "--level", "none")


@pytest.fixture
def command(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["learnable-wavelets", "compress", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out = capsys.readouterr()
        return caught.value.code or 0, out.out, out.err

    return call


@pytest.fixture
def dense(tmp_path):
    model = perceptron()
    path = tmp_path / "dense.safetensors"
    save_file(model.state_dict(), path)
    return model, path


def test_a_file_there_and_back(command, dense, tmp_path):
    model, path = dense
    code, out, _ = command(path, *SHORT, "--exclude", "^4$")
    assert code == 0
    assert "excluded by `filter_fn`" in out
    target = tmp_path / "dense-compressed.safetensors"
    assert str(target) in out.replace("\n", "")
    converted = lw.load(perceptron(), target)
    assert [type(converted[i]) for i in (0, 2, 4)] == [lw.WaveletLinear, lw.WaveletLinear, nn.Linear]
    assert torch.equal(converted[0].bias, model[0].bias)
    assert torch.equal(converted[4].weight, model[4].weight)
    code, out, _ = command(target, "--merge", "--out", tmp_path / "merged.safetensors")
    assert code == 0
    assert "2 layers merged: 0, 2" in out
    back = perceptron()
    back.load_state_dict(load_file(tmp_path / "merged.safetensors"))
    x = torch.randn(8, 64)
    assert torch.allclose(back(x), converted(x), atol=1e-5)


def test_plan_is_that_of_the_library_and_writes_nothing(command, dense, tmp_path):
    model, path = dense
    code, out, _ = command(path, "--plan", "--json", *SHORT)
    assert code == 0
    found, expected = json.loads(out), lw.plan(model, lw.Compression(wavelet="db2", taps=None, level=None)).to_dict()
    assert found == expected
    assert [*tmp_path.iterdir()] == [path]


def test_every_field_of_the_configuration_is_an_option(command, dense):
    _, path = dense
    words = ("--layer", "wavelet", "--wavelet", "db2", "--filter", "orthogonal", "--taps", 8, "--level", 2, "--mode",
             "zero", "--depth", 2, "--rank", 1, "--shared-filter", "--seed", "none", "--lr-multiplier", 2, "--dropout",
             "0.25")  # fmt: skip
    code, out, _ = command(path, "--plan", "--json", *words)
    assert code == 0
    assert json.loads(out)["config"] == lw.Compression(
        wavelet="db2", filter="orthogonal", taps=8, level=2, mode="zero", depth=2, rank=1, shared_filter=True,
        seed=None, lr_multiplier=2.0, dropout=0.25,
    ).to_dict()  # fmt: skip


class Zoo(nn.Module):
    """Layers that a file can hold besides linear ones."""

    def __init__(self):
        super().__init__()
        self.wte, self.norm, self.batch = nn.Embedding(96, 64), nn.LayerNorm(64), nn.BatchNorm1d(8)
        self.attention, self.square = Conv1D(192, 64), Conv1D(64, 64)
        self.convolution, self.wide = nn.Conv2d(64, 32, 1), nn.Conv2d(64, 64, 3)
        self.scale = nn.Parameter(torch.ones(3))
        self.register_buffer("steps", torch.tensor(7))


def test_embeddings_convolutions_and_transposed_weights(command, tmp_path):
    model, path, out = Zoo(), tmp_path / "zoo.safetensors", tmp_path / "out.safetensors"
    save_file(model.state_dict(), path)
    code, text, error = command(path, "--layer", "fastfood", "--out", out, "--json")
    assert code == 0, error
    report = json.loads(text)
    kinds = {entry["name"]: (entry["kind"], entry["replaced"]) for entry in report["layers"]}
    assert report["parameters"][0] == sum(p.numel() for p in model.parameters())
    assert kinds == {
        "wte": ("Linear", False), "attention": ("Conv1D", True), "square": ("Conv1D", True),
        "convolution": ("Conv2d", True),
    }  # fmt: skip
    other = lw.load(Zoo(), out)
    assert int(other.steps) == 7
    assert command(out, "--merge", "--out", tmp_path / "back.safetensors")[0] == 0
    back = Zoo()
    back.load_state_dict(load_file(tmp_path / "back.safetensors"))
    x = torch.randn(2, 5, 64)
    for name in ("attention", "square"):
        assert torch.allclose(back.get_submodule(name)(x), other.get_submodule(name)(x), atol=1e-5), name
    image = torch.randn(1, 64, 4, 4)
    assert torch.allclose(back.convolution(image), other.convolution(image), atol=1e-5)


@pytest.mark.parametrize("order", [1, -1])
def test_a_matrix_with_modules_below_it_stays(order):
    names = ["outer.weight", "outer.bias", "outer.inner.weight"][::order]
    state = {name: torch.randn(64) if name.endswith("bias") else torch.randn(64, 64) for name in names}
    model = skeleton(state)
    assert {*model.state_dict()} == {*names}
    assert lw.compress_(model, lw.Compression(layer="fastfood")).replaced == ("outer.inner",)


def test_a_tied_weight_that_the_file_has_once(command, tmp_path):
    model, out = Tied(), tmp_path / "out.safetensors"
    state = {name: value for name, value in model.state_dict().items() if name != "head.weight"}
    save_file(state, tmp_path / "tied.safetensors")
    code, _, error = command(tmp_path / "tied.safetensors", "--layer", "fastfood", "--out", out)
    assert code == 0, error
    other = lw.load(Tied(), out)
    assert type(other.body) is lw.Fastfood
    assert other.head.weight is other.embed.weight
    assert torch.equal(other.embed.weight, model.embed.weight)


def test_a_part_is_merged(command, dense, tmp_path):
    _, path = dense
    command(path, *SHORT, "--out", tmp_path / "a.safetensors")
    assert (
        command(tmp_path / "a.safetensors", "--merge", "--include", "^0", "--out", tmp_path / "b.safetensors")[0] == 0
    )
    x, whole, part = torch.randn(3, 64), lw.load(perceptron(), tmp_path / "a.safetensors"), perceptron()
    lw.load(part, tmp_path / "b.safetensors")
    assert [type(part[i]) for i in (0, 2)] == [nn.Linear, lw.WaveletLinear]
    assert torch.allclose(part(x), whole(x), atol=1e-5)


@pytest.mark.parametrize("include", [".", "^0$"])
def test_a_merge_keeps_the_dtypes_of_the_file(include, command, tmp_path):
    model, out = perceptron().to(torch.bfloat16), tmp_path / "b.safetensors"
    model[2].double(), model[4].float()
    lw.compress_(model, CONFIGS["wavelet"], lambda module, name: name != "4")
    lw.save(model, tmp_path / "a.safetensors")
    code, _, error = command(tmp_path / "a.safetensors", "--merge", "--include", include, "--out", out)
    assert code == 0, error
    dtypes = {(name[0], value.dtype) for name, value in load_file(out).items()}
    assert dtypes == {("0", torch.bfloat16), ("2", torch.float64), ("4", torch.float32)}


class Backwards(nn.Module):
    """One module in two places, whose first name is not the first of the alphabet."""

    def __init__(self):
        super().__init__()
        self.later = nn.Linear(32, 32)
        self.chain = nn.Sequential(self.later, nn.Linear(32, 32))

    def forward(self, input):
        return self.chain(self.later(input))


@pytest.mark.parametrize("make", [Shared, Backwards])
def test_a_module_in_two_places_is_merged_in_both(make, command, tmp_path):
    model, path, x = make(), tmp_path / "a.safetensors", torch.randn(3, 32)
    lw.compress_(model, CONFIGS["shared"])
    lw.save(model, path)
    code, out, error = command(path, "--merge", "--out", tmp_path / "merged.safetensors")
    assert (code, out[:2]) == (0, "2 "), error
    back = make()
    back.load_state_dict(load_file(tmp_path / "merged.safetensors"))
    assert torch.allclose(back(x), model(x), atol=1e-5)
    assert command(path, "--merge", "--include", "1$", "--out", tmp_path / "part.safetensors")[0] == 0
    part = lw.load(make(), tmp_path / "part.safetensors")
    assert [type(module).__name__ for module in part.modules()][1] == "WaveletLinear"
    assert torch.allclose(part(x), model(x), atol=1e-5)


@pytest.mark.parametrize("make", [Shared, Backwards, Tied])
@pytest.mark.parametrize("write", [save_model, lw.save])
def test_a_file_with_shared_tensors(write, make, command, tmp_path):
    model, path, out = make(), tmp_path / "a.safetensors", tmp_path / "out.safetensors"
    write(model, path)
    code, _, error = command(path, *SHORT, "--out", out)
    assert code == 0, error
    other = lw.load(make(), out)
    kept = {name: value for name, value in model.state_dict().items() if name in other.state_dict()}
    assert all(torch.equal(other.state_dict()[name], value) for name, value in kept.items())
    assert any(isinstance(module, lw.WaveletLinear) for module in other.modules())
    lw.save(other, path)
    assert path.stat().st_size <= out.stat().st_size + 400  # nothing is there twice


NAMES = ("a.weight.absmax", "type.bias", "training", "a.forward", "b..weight", ".weight", "weight", "half.inner", "")


def test_tensors_of_any_name_are_carried_over(command, tmp_path):
    state = {name: torch.randn(3) for name in NAMES} | {"a.weight": torch.zeros(9, 1, dtype=torch.uint8)}
    layers = {f"{name}.weight": torch.randn(64, 64) for name in ("[b]", "half")}
    path, out, back = (tmp_path / f"{name}.safetensors" for name in ("source", "out", "back"))
    save_file({**state, **layers}, path)
    code, text, error = command(path, *SHORT, "--out", out)
    assert code == 0, error
    assert " [b] " in text
    code, _, error = command(out, "--merge", "--out", back)
    assert code == 0, error
    assert {*load_file(back)} == {*state, *layers}
    for found in (load_file(out), load_file(back)):
        assert all(torch.equal(found[name], value) for name, value in state.items())


ATTENTIONS = {
    "one matrix": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 96, batch_first=True), 1),
    "three matrices": lambda: nn.Sequential(nn.MultiheadAttention(64, 4, kdim=32), nn.Linear(64, 64)),
}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_stays_as_in_the_library(name, command, tmp_path):
    model, path, out = ATTENTIONS[name](), tmp_path / "source.safetensors", tmp_path / "out.safetensors"
    save_file(model.state_dict(), path)
    code, text, error = command(path, *SHORT, "--json", "--out", out)
    assert code == 0, error
    reasons = {entry["name"]: entry["reason"] for entry in json.loads(text)["layers"]}
    assert reasons == {entry.name: entry.reason for entry in lw.plan(model, CONFIGS["wavelet"]).layers}
    assert "MultiheadAttention reads its `weight`" in reasons.values()
    lw.load(model, out)


def test_the_target_has_the_name_that_was_given(command, dense, tmp_path):
    """The cache of Hugging Face has links to files without a suffix."""
    (tmp_path / "blobs").mkdir()
    dense[1].rename(tmp_path / "blobs" / "abc")
    dense[1].symlink_to("blobs/abc")
    assert command(dense[1], *SHORT)[0] == 0
    assert (tmp_path / "dense-compressed.safetensors").is_file()
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == ["abc"]


BAD = {
    "No such file": ("none.safetensors",),
    "must be a safetensors file": ("text.safetensors",),
    "`model` has no layer to replace: '0' is Linear, excluded": ("dense.safetensors", "--include", "nothing"),
    "--include must be a regular expression, got '['": ("dense.safetensors", "--include", "["),
    "`wavelet` must be": ("dense.safetensors", "--wavelet", "db99"),
    "invalid int value: 'x'": ("dense.safetensors", "--taps", "x"),
    "--out must name what does not exist yet": ("dense.safetensors", *SHORT, "--out", "text.safetensors"),
    "must be a file of `lw.save` with compressed layers": ("dense.safetensors", "--merge"),
    "--merge takes no options of a conversion, got --taps": ("dense.safetensors", "--merge", "--taps", "4"),
    "must have a config.json of transformers": ("folder",),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_gives_one_line(message, command, dense, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.safetensors").write_text("text")
    (tmp_path / "folder").mkdir()
    before = {path.name for path in tmp_path.iterdir()}
    code, out, error = command(*BAD[message])
    assert (code, out) == (2, "")
    assert message in error
    assert error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_compressed_file_is_not_compressed_again(command, dense, tmp_path):
    command(dense[1], *SHORT, "--out", tmp_path / "a.safetensors")
    code, _, error = command(tmp_path / "a.safetensors", *SHORT)
    assert code == 2
    assert "got one with compressed layers: see --merge" in error


def test_a_folder_keeps_its_subfolders(command, tmp_path, monkeypatch):
    class Model(nn.Sequential):
        def save_pretrained(self, out):
            out.mkdir()

    for name in ("1_Pooling", ".git", "checkpoint-500"):
        (tmp_path / "source" / name).mkdir(parents=True)
        (tmp_path / "source" / name / "config.json").write_text("{}")
    monkeypatch.setattr(_folder, "_kind_of", lambda source: (Model, False))
    monkeypatch.setattr(_folder, "_load", lambda kind, source: kind(nn.Linear(64, 64)))
    monkeypatch.setattr(_folder, "_write_card", lambda *words: None)
    assert command(tmp_path / "source", *SHORT)[0] == 0
    found = [str(path.relative_to(tmp_path / "source-compressed")) for path in tmp_path.glob("*-compressed/**/*")]
    assert sorted(found) == ["1_Pooling", "1_Pooling/config.json"]


def test_a_folder_without_transformers(command, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    code, _, error = command(tmp_path, *SHORT, "--out", tmp_path / "out")
    assert code == 2
    assert 'a folder needs transformers: pip install "learnable-wavelets[integrations]"' in error
