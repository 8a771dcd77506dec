"""The commands from end to end with tiny sizes, the memory counts and the peers."""

import json
import platform
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch
from tools.bench import __main__ as maintainers
from tools.bench import _peers, images, memory, scaling, transforms
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets import cli
from learnable_wavelets.benchmarks import _device, _files, _layers, _measure

CPU = torch.device("cpu")


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """Exit status of `learnable-wavelets bench WORDS`, or of the maintainers' command, with tiny sizes."""
    monkeypatch.setattr(_measure, "SLICE", 0.0)
    monkeypatch.setattr(_measure, "LEAST_ROUNDS", 2)
    monkeypatch.setattr(scaling, "SIZES", (16, 32))
    monkeypatch.setattr(scaling, "ELEMENTS", 64)
    monkeypatch.setattr(transforms, "FWHT_SIZES", (16,))
    monkeypatch.setattr(transforms, "FWHT_ELEMENTS", (64,))
    monkeypatch.setattr(transforms, "WAVEDEC_SHAPE", (2, 1024))
    monkeypatch.setattr(images, "IMAGES", (1, 80, 72))
    monkeypatch.setattr(images, "SIGNALS", (8, 256))

    def run(*words, extended=False):
        sizes = ["--sizes", "16,48", "--batch", "4", "--seconds", "0", "--out", str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", ["learnable-wavelets", "bench", *sizes, *words])
        if extended:
            return cli.run(lambda: maintainers.main(sys.argv[2:]))
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return caught.value.code or 0

    return run


@pytest.mark.slow
def test_all_parts(bench, tmp_path, capsys):
    assert bench("--transforms", "--images", "--memory", "--scaling", extended=True) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    points = {(r["step"], r["precision"], r["n"], r["batch"], r["layer"]) for r in results["layers"]}
    packed = [r for r in results["layers"] if r["layer"] == _layers.PACKED]
    assert {r["step"] for r in packed} <= {"forward"}
    assert len(points) == len(results["layers"]) == 2 * 2 * 5 + len(packed)
    assert all(r["seconds"]["lower"] <= r["seconds"]["median"] <= r["seconds"]["upper"] for r in results["layers"])
    assert {r["name"] for r in results["transforms"]} >= {"ours", "pywt", "ptwt", "fht-cpu", "hadamard-transform"}
    assert all(r["status"] == "measured" for r in results["transforms"] if r["name"] in ("ours", "pywt"))
    assert {r["transform"] for r in results["images"]} == {"wavedec2", "swt", "WaveletLoss"}
    peers = {"ptwt"} if find_spec("ptwt") else set()
    assert {r["name"] for r in results["images"]} >= {"ours", "ours, gradients", "ours, reused", "pywt"} | peers
    assert all(r["status"] == "measured" for r in results["images"])
    assert all(r["peak"] > 0 for r in results["images"] if r["transform"] == "WaveletLoss" and r["name"] == "ours")
    assert {(r["n"], r["batch"]) for r in results["memory"]} == {(16, 4), (48, 4)}
    assert len(results["exponents"]) == 2 * 4
    assert results["machine"]["threads"] == torch.get_num_threads()
    assert results["versions"]["PyWavelets"]
    assert results["settings"]["backends"] == list(lw.kernels.available_backends())
    pictures = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert pictures == {"layers-float32.png", "fwht.png", "scaling.png"}
    shown = capsys.readouterr().out
    text = (tmp_path / "out" / "results.md").read_text()
    answer = text.splitlines()[2]
    assert answer.startswith("Is the swap worth it on this machine, at these sizes?")
    assert answer in shown[: shown.index("Forward (inference")]
    assert "| 48 | 4 | db6 |" in text


@pytest.mark.slow
def test_forced_backend_and_one_layer(bench, tmp_path, capsys):
    assert bench("--backend", "reference", "--layers", "db2", "--passes", "training", "--dtype", "float64") == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["settings"]["backend"] == "reference"
    assert {r["layer"] for r in results["layers"]} == {"x.clone()", "nn.Linear", "db2"}
    assert all(r["best"] == r["speedup"] for r in results["layers"])  # a packed weight is for inference
    assert {r["step"] for r in results["layers"]} == {"training"}
    assert {r["precision"] for r in results["layers"]} == {"float64"}
    assert "backend: reference" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--layers", "haarr"],
            "`layers` must be fastfood or names of discrete pywt wavelets, got 'haarr'; the nearest names are haar",
        ),
        (["--layers", "mexh"], "got 'mexh'"),
        (["--sizes", "1"], "`sizes` must be whole numbers of at least 2, such as 1,3; got '1'"),
        (["--sizes", "16,x"], "got '16,x'"),
        (["--batch", "0"], "`batch` must be whole numbers of at least 1"),
        (["--batch", ""], "`batch` must be whole numbers"),
        (["--passes", "backward"], "`passes` must be one of forward, training, all; got 'backward'"),
        (["--dtype", "int8"], "`dtype` must be one of float32, bfloat16"),
        (["--dtype", "tf32"], "`dtype` must be one of float32, bfloat16, float16, float64, all; got 'tf32'"),
        (["--device", "toaster"], "`device` must be usable here, got 'toaster'"),
        (["--backend", "abacus"], "`backend` must be one of reference"),
        (["--seconds", "-1"], "--seconds"),
        (["--threads", "0"], "--threads"),
        (["--memory"], "unrecognized arguments: --memory"),  # a part for maintainers
    ],
)
def test_bad_options_give_one_line(words, message, bench, tmp_path, capsys):
    assert bench(*words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif("cpu" not in lw.kernels.available_backends(), reason="the extension was not built")
def test_a_backend_that_does_not_serve_the_dtype_gives_one_line(bench, tmp_path, capsys):
    assert bench("--backend", "cpu", "--dtype", "float16") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "fastfood does not run in float16 on cpu: back end 'cpu' does not serve this call" in error


def test_interrupt(bench, tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_layers, "run_case", interrupted)
    assert bench() == 130
    assert "Stopped. Nothing was written." in capsys.readouterr().out
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("fits", [32, 8])
def test_a_case_that_does_not_fit_the_memory(fits, bench, tmp_path, capsys, monkeypatch):
    def run_case(names, case, *_):
        if case.n > fits:
            raise RuntimeError("can't allocate memory\nat some place")
        return _layers.records(case, {name: [1.0] for name in (_layers.COPY, *names)})

    monkeypatch.setattr(_layers, "run_case", run_case)
    assert bench("--passes", "forward", "--layers", "haar") == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "not measured: " in printed.err
    assert "forward n = 48, batch 4: can't allocate memory" in printed.err
    assert printed.err.endswith("; nothing was written\n") == (fits == 8)
    results = tmp_path / "out" / "results.json"
    found = {row["n"] for row in json.loads(results.read_text())["layers"]} if results.exists() else set()
    assert found == ({16} if fits == 32 else set())


@pytest.mark.parametrize("name", ["nn.Linear", "fastfood", "haar", "db6"])
def test_training_step_gives_every_gradient(name):
    layer, x = _layers.make_layer(name, 64, CPU, torch.float64), torch.randn(3, 64, dtype=torch.float64)
    torch.manual_seed(1)
    found = _layers.training_step(layer, x)()
    torch.manual_seed(1)
    leaf = x.clone().requires_grad_()
    y = layer(leaf)
    y.backward(torch.randn_like(y))
    for gradient, source in zip(found, [leaf, *layer.parameters()], strict=True):
        torch.testing.assert_close(gradient, source.grad)


def test_forward_is_inference():
    seen = []

    class Spy(nn.Linear):
        def forward(self, x):
            seen.append(torch.is_grad_enabled())
            return super().forward(x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_layers, "make_layer", lambda *_: Spy(4, 4))
        _layers.run_case(
            ("nn.Linear",), _layers.Case("forward", "float32", 4, 1), CPU, lambda call, _: call().numel(), 0
        )
    assert seen
    assert not any(seen)


def test_the_packed_product_is_that_of_the_layer():
    layer, x = nn.Linear(24, 24), torch.randn(5, 24)
    call = _layers.packed_linear(layer, x)
    if call is None:
        pytest.skip("torch was built without oneDNN")
    torch.testing.assert_close(call(), layer(x).detach())
    assert _layers.packed_linear(layer.double(), x.double()) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("model name\t: A CPU\ncpu family\t: 25\nmodel\t\t: 17\n\nmodel name\t: B", "A CPU, family 25, model 17"),
        ("CPU implementer : 0x41\n", "a machine"),  # ARM
    ],
)
def test_the_processor_is_named(monkeypatch, text, name):
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: text)
    monkeypatch.setattr(platform, "processor", lambda: "a machine")
    assert _device._cpu_model() == name


def test_kept_bytes_are_those_of_the_input_for_a_dense_layer():
    x = torch.randn(8, 64)
    assert memory.kept_bytes(nn.Linear(64, 64), x) == 8 * 64 * 4
    assert memory.kept_bytes(nn.Sequential(nn.Linear(64, 32), nn.ReLU()), x) == 8 * (64 + 32) * 4


def test_peak_bytes():
    x = torch.randn(100, 100)
    assert 80_000 <= memory.peak_bytes(lambda: (x.clone() + x).clone(), CPU) < 81_000


def test_a_peer_that_is_missing_broken_or_different_is_reported(monkeypatch):
    def peer(label, package, make):
        return _peers.Peer(label, package, "pywt", make, torch.as_tensor, "")

    def raises(module, x):
        raise RuntimeError("no such thing\nat all")

    peers = (
        peer("missing", "no-such-package", lambda module, x: x.clone),
        peer("broken", "PyWavelets", raises),
        peer("scaled", "PyWavelets", lambda module, x: lambda: 2 * lw.functional.fwht(x, normalized=False)),
        peer("short", "PyWavelets", lambda module, x: lambda: x[:1]),
        peer("same", "PyWavelets", lambda module, x: lambda: lw.functional.fwht(x, normalized=False)),
    )
    monkeypatch.setattr(_peers, "FWHT", peers)
    found = transforms.run(transforms.Case("fwht", 4, 16), CPU, lambda call, repeats: 0.1 * repeats, 0.0)
    status = {row["name"]: row["status"] for row in found}
    assert status.pop("scaled").startswith("differs from ours by 1.0e+00")
    assert status == {
        "x.clone()": "measured", "ours": "measured", "same": "measured", "missing": "not installed",
        "broken": "fails: no such thing", "short": "differs from ours: shape (1, 16), ours (4, 16)",
    }  # fmt: skip


def test_a_peer_that_cannot_be_imported_is_reported(monkeypatch):
    peer = _peers.Peer("x", "PyWavelets", "no_such_module", lambda module, x: x.clone, torch.as_tensor, "")
    assert "cannot be imported: No module named" in str(_peers.load(peer, CPU))
    assert isinstance(_peers.load(_peers.WAVEDEC[0], CPU), ModuleType)


def test_peers_are_imported_only_on_their_device():
    on = {peer.label: _peers.load(peer, CPU) for peer in _peers.FWHT}
    assert on["fast-hadamard-transform"] == "takes CUDA tensors only"
    where = torch.device("cuda")
    assert _peers.load(_peers.WAVEDEC[0], where) == "takes CPU arrays only"
    assert {peer.label: peer.only for peer in _peers.FWHT}["fht-cpu"] == "cpu"


def test_precisions_on_a_gpu():
    assert _device.default_precisions(torch.device("cuda")) == ("float32", "tf32", "bfloat16")
    before = torch.get_float32_matmul_precision()
    for name, setting in (("float32", "highest"), ("tf32", "high")):
        with _device.matmul_precision(name):
            assert torch.get_float32_matmul_precision() == setting
    assert torch.get_float32_matmul_precision() == before
    assert "tf32" not in _device.precisions_on(CPU)


@pytest.mark.parametrize(
    ("backends", "machine", "says"),
    [
        (["reference"], {"cpu": "C", "vectors": "V", "threads": 1}, True),
        (["reference", "cpu"], {"cpu": "C", "vectors": "V", "threads": 1}, False),
        (["reference", "cpu"], {"gpu": "G", "triton": None}, True),
        (["reference", "triton"], {"gpu": "G", "triton": "3.9"}, False),
    ],
)
def test_a_device_without_kernels_is_reported(backends, machine, says):
    results = {"machine": machine, "versions": {"torch": "2"}, "settings": {"backend": None, "backends": backends}}
    assert ("No kernel is available here" in _files.about(results)) == says
    assert ("To have the kernels, install a wheel" in _files.about(results)) == (says and "cpu" in machine)
    assert ("G; triton 3.9" in _files.about(results)) == (machine.get("triton") is not None)
