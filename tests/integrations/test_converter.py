"""`learnable-wavelets compress` on a folder of transformers."""

import json
import subprocess
import sys

import pytest
import torch

pytest.importorskip("transformers", minversion="5")

import transformers

import learnable_wavelets as lw
from learnable_wavelets import cli

from .models import MODELS, class_of, inputs_of, make, output_of

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")
SHORT = ("--wavelet", "db2", "--taps", "none", "--level", "none", "--shared-filter")


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "gpt2"
    make(MODELS["gpt2"]).save_pretrained(source)
    (source / "tokenizer.json").write_text("{}")
    (source / "README.md").write_text("---\nlicense: mit\n---\n\n# Mine\n")
    return source


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["learnable-wavelets", "compress", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code or 0, capsys.readouterr()


def test_a_folder_there_and_back(folder, tmp_path, monkeypatch, capsys):
    code, printed = run(monkeypatch, capsys, folder, *SHORT)
    assert code == 0, printed.err
    target = tmp_path / "gpt2-compressed"
    assert {path.name for path in target.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "README.md",
    }  # fmt: skip
    card = (target / "README.md").read_text()
    assert card.startswith("---\nlicense: mit\n---\n\n# Mine\n")
    model, inputs = class_of(MODELS["gpt2"]).from_pretrained(target), inputs_of(MODELS["gpt2"])
    code, printed = run(monkeypatch, capsys, target, "--merge", "--out", tmp_path / "merged")
    assert code == 0, printed.err
    assert (tmp_path / "merged" / "README.md").read_text() == (folder / "README.md").read_text()
    assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())
    merged = class_of(MODELS["gpt2"]).from_pretrained(tmp_path / "merged")
    assert repr(merged) == repr(make(MODELS["gpt2"]))
    with torch.no_grad():
        assert torch.allclose(output_of(model, inputs), output_of(merged, inputs), atol=1e-5)


@pytest.mark.slow
def test_the_two_lines_of_the_card_load_it(folder, tmp_path, monkeypatch, capsys):
    run(monkeypatch, capsys, folder, *SHORT)
    target = tmp_path / "gpt2-compressed"
    code = (target / "README.md").read_text().split("```python\n")[1].split("```")[0]
    script = f"folder = {str(target)!r}\n{code}\nprint(type(model.transformer.h[0].mlp.c_fc).__name__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["WaveletLinear"]
    assert "nknown quantization" not in done.stderr


def test_a_plan_needs_no_weights_and_knows_the_dtype(folder, monkeypatch, capsys):
    model = class_of(MODELS["gpt2"]).from_pretrained(folder, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    (folder / "model.safetensors").write_bytes(b"damaged")
    code, printed = run(monkeypatch, capsys, folder, *SHORT, "--plan", "--json")
    assert code == 0, printed.err
    config = lw.Compression(wavelet="db2", taps=None, level=None, shared_filter=True)
    assert json.loads(printed.out) == lw.plan(model, config).to_dict()
    code, printed = run(monkeypatch, capsys, folder, *SHORT)
    assert code == 2
    assert "cannot be loaded by transformers" in printed.err
    assert printed.err.count("\n") == 1


def test_a_compressed_folder_is_not_compressed_again(folder, tmp_path, monkeypatch, capsys):
    run(monkeypatch, capsys, folder, *SHORT)
    for words in (SHORT, (*SHORT, "--plan")):
        code, printed = run(monkeypatch, capsys, tmp_path / "gpt2-compressed", *words, "--out", tmp_path / "other")
        assert code == 2
        assert "already compressed" in printed.err


BROKEN = {
    "must have `architectures` with a class of transformers, got ['Mystery']": '{"architectures": ["Mystery"]}',
    "must have `architectures` with a class of transformers, got None": "{}",
    "must be a configuration of transformers": "{half",
}


@pytest.mark.parametrize("message", BROKEN)
def test_bad_folders_give_one_line(message, folder, tmp_path, monkeypatch, capsys):
    (folder / "config.json").write_text(BROKEN[message])
    code, printed = run(monkeypatch, capsys, folder, *SHORT)
    assert code == 2
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert [*tmp_path.iterdir()] == [folder]


def test_nothing_is_left_of_a_failed_conversion(folder, tmp_path, monkeypatch, capsys):
    def fail(self, path, **options):
        (path).mkdir()
        raise OSError("No space left on device")

    monkeypatch.setattr(transformers.GPT2LMHeadModel, "save_pretrained", fail)
    assert run(monkeypatch, capsys, folder, *SHORT)[0] == 2
    assert [*tmp_path.iterdir()] == [folder]
