"""The form of the transforms for ONNX: the same numbers as level by level; programs that a runtime runs; errors."""

import warnings

import numpy as np
import pytest
import torch

import learnable_wavelets as lw
from learnable_wavelets.kernels.reference import _blocks, _form, _sandwich, _wavelet

MODES = ("periodization", "zero", "symmetric", "smooth")
product = _sandwich._product
LENGTHS = (1, 5, 130, 160, 513, 1024)  # small, one sample too many for the dense rest, odd, a power of two


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("taps", [2, 4, 10, 66])
def test_blocks_are_the_levels(taps, mode):
    lo, hi = torch.randn(2, taps, dtype=torch.float64) / taps**0.5
    for n in LENGTHS:
        for level in (1, 3, 5):
            x = torch.randn(2, 3, n, dtype=torch.float64)
            expected = _wavelet.decompose(x, lo, hi, mode, level)
            found = _blocks.decompose(x, lo, hi, mode, level)
            assert_close(found, expected)
            assert_close([_blocks.reconstruct(found, lo, hi, mode)], [_wavelet.reconstruct(expected, lo, hi, mode)])


def assert_close(found, expected):
    assert [t.shape for t in found] == [t.shape for t in expected]
    largest = max(t.abs().max() for t in expected)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10 * float(largest))


@pytest.mark.parametrize(("taps", "together"), [(2, 5), (4, 4), (12, 2), (256, 1)])
def test_levels_at_once(taps, together):
    assert _blocks.levels_at_once(1024, taps, "periodization", 8) == together
    assert _blocks.levels_at_once(1024, taps, "zero", 8) == 1
    assert _blocks.levels_at_once(1028, taps, "periodization", 8) == min(together, 2)


def test_the_form_is_chosen_while_onnx_is_exported(monkeypatch):
    x, bank = torch.randn(2, 256), lw.FilterBank.from_wavelet("db2")
    seen = []
    monkeypatch.setattr(_blocks, "decompose", lambda *args: seen.append("blocks") or [x])
    _form.decompose(x, bank.dec_lo, bank.dec_hi, "zero", 2)
    assert not seen
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    _form.decompose(x, bank.dec_lo, bank.dec_hi, "zero", 2)
    assert seen == ["blocks"]


@pytest.mark.parametrize(
    ("sizes", "taps", "matrix"),
    [((1024, 1024), 256, True), ((1024, 1024), 64, False), ((4096, 4096), 256, False), ((128, 128), 4, True)],
)
def test_a_layer_whose_products_cost_more_is_exported_as_its_matrix(sizes, taps, matrix, monkeypatch):
    bank = lw.FilterBank(*torch.randn(4, taps, dtype=torch.float64) / taps**0.5)
    layer = lw.WaveletLinear(*sizes, wavelet=bank, level=1, dtype=torch.float64)
    layer.reset_parameters("gaussian")
    seen = []
    monkeypatch.setattr(_sandwich, "_product", lambda *args: seen.append(1) or product(*args))
    x = torch.randn(3, sizes[0], dtype=torch.float64)
    with lw.kernels.use_backend("reference"):
        expected = layer(x)
        assert not seen
        monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
        torch.testing.assert_close(layer(x), expected)
    assert bool(seen) is matrix


@pytest.mark.parametrize("sizes", [(20, 50), (50, 20), (64, 64)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_matrix_gives_what_the_formula_gives(sizes, bias, monkeypatch):
    layer = lw.WaveletLinear(*sizes, bias)
    layer.reset_parameters("gaussian")
    x = torch.randn(2, 3, sizes[0])
    with lw.kernels.use_backend("reference"):
        expected = layer(x)
        monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
        torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)


def test_take_in_both_forms(monkeypatch):
    x, index = torch.randn(2, 3, 10), torch.randperm(10)
    plain = _form.take(x, index)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    assert torch.equal(_form.take(x, index), plain)
    assert torch.equal(plain, x[..., index])


def export(model, *args, **keywords):
    pytest.importorskip("onnxscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        return torch.onnx.export(model, args, dynamo=True, verbose=False, **keywords)


def run(program, *args):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    return session.run(None, dict(zip(names, (a.numpy() for a in args), strict=True)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: lw.WaveletLinear(300, 280),
        lambda: lw.WaveletLinear(300, 200, wavelet="db38", level=1),
        lambda: lw.WaveletLinear(290, 300, wavelet="bior2.2", mode="zero"),
        lambda: lw.Fastfood(20, 300),
        lambda: lw.nn.Stack(64, 64, depth=2),
    ],
    ids=["periodization", "matrix", "zero", "fastfood", "stack"],
)
def test_exported_layers_run_in_onnxruntime_on_every_batch(make):
    layer = make().eval()
    example = torch.randn(2, 3, layer.in_features)
    program = export(layer, example, dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    for batch in (1, 5):
        x = torch.randn(batch, 3, layer.in_features)
        np.testing.assert_allclose(run(program, x)[0], layer(x).detach().numpy(), atol=2e-5)


@pytest.mark.slow
def test_an_exported_cell_runs_in_onnxruntime():
    cell = lw.nn.GRUCell(4, 64).eval()
    x, state = torch.randn(3, 4), torch.randn(3, 64)
    np.testing.assert_allclose(run(export(cell, x, state), x, state)[0], cell(x, state).detach().numpy(), atol=1e-5)


@pytest.mark.skipif("cpu" not in lw.kernels.available_backends(), reason="the extension was not built")
@pytest.mark.parametrize(
    "attempt",
    [
        lambda layer, x: lw.kernels.use_backend("cpu")(export)(layer, x),
        pytest.param(lambda layer, x: export(torch.export.export(layer, (x,)), x), marks=pytest.mark.slow),
        lambda layer, x: torch.onnx.export(layer, (x,), dynamo=False),
    ],
    ids=["forced", "program", "torchscript"],
)
def test_the_error_names_the_way_out(attempt):
    pytest.importorskip("onnxscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception, match=r"give `torch.onnx.export` the module.*outside of `use_backend`"):
            attempt(lw.WaveletLinear(16, 16), torch.randn(2, 16))


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_recurrent_layers_refuse(name, monkeypatch):
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    with pytest.raises(RuntimeError, match=f"`{name}` would be one ONNX node .* export `{name}Cell`"):
        getattr(lw.nn, name)(2, 8)(torch.randn(3, 1, 2))
