"""`compress_(inputs=)`: layers fitted to the outputs of those that they replace."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import learnable_wavelets as lw
from learnable_wavelets.compress import _checkpoint, _fit_outputs, _moments, _project

from .models import CONFIGS, Conv1D, Shared, perceptron

LOW_RANK = lw.Compression(depth=0, rank=4)
STACK = lw.Compression(wavelet="haar", taps=8, depth=2, rank=4)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(_project, "STEPS", 30)


def data(count=512, n=64):
    """Correlated rows, with a mean that is not zero."""
    return torch.randn(count, n) @ (0.2 * torch.randn(n, n) + torch.diag(torch.linspace(0, 3, n))) + torch.randn(n)


def fitted(model, config, x, **options):
    """Convert, and return the model before, that after, and the report."""
    before = copy.deepcopy(model)
    return before, model, lw.compress_(model, config, inputs=x, **options)


def output_error(before, after, x):
    """Of one layer, without the means where there is a bias."""
    with torch.no_grad():
        wanted, got = before(x), after(x)
    left = got - wanted
    if before.bias is not None:
        wanted, left = wanted - wanted.mean(0), left - left.mean(0)
    return float(left.norm() / wanted.norm())


@pytest.mark.parametrize("bias", [True, False])
def test_low_rank_is_the_best_of_its_rank_on_the_data(bias):
    model, x = nn.Sequential(nn.Linear(64, 48, bias=bias)), data()
    before, after, report = fitted(model, LOW_RANK, x)
    with torch.no_grad():
        outputs = before(x)
        if bias:
            outputs = outputs - outputs.mean(0)
    values = torch.linalg.svdvals(outputs.double())
    best = float(values[4:].norm() / values.norm())
    assert report.layers[0].error == pytest.approx(best, rel=0.01)  # a ridge of 1 % is in the fit
    assert report.layers[0].error > 0.999 * best
    assert output_error(before[0], after[0], x) == pytest.approx(report.layers[0].error, rel=1e-3)


def test_leading_directions_of_a_wide_matrix(monkeypatch):
    matrix = torch.randn(80, 50) @ torch.diag(0.8 ** torch.arange(50.0))
    exact = _project._leading(matrix, 6)
    monkeypatch.setattr(_project, "_EXACT", 20)
    nearly = _project._leading(matrix, 6, exact=False)
    assert torch.allclose(nearly.T @ nearly, torch.eye(6), atol=1e-5)
    assert torch.allclose(nearly @ nearly.T, exact @ exact.T, atol=1e-2)
    assert not torch.equal(nearly, exact)


def test_the_bias_takes_up_the_mean():
    model, x = nn.Sequential(nn.Linear(64, 64)), data()
    bias = model[0].bias
    before, after, _ = fitted(model, LOW_RANK, x)
    assert after[0].bias is bias
    assert torch.allclose(after(x).mean(0), before(x).mean(0), atol=1e-4)
    assert not torch.allclose(bias, before[0].bias, atol=1e-2)


def test_a_bias_of_another_module_stays():
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 2))
    model.other = nn.LayerNorm(64)
    model.other.bias = model[0].bias
    model.other.forward = lambda x: x
    kept = model[0].bias.clone()
    lw.compress_(model, LOW_RANK, lambda module, name: name == "0", inputs=data())
    assert torch.equal(model[0].bias, kept)


def test_a_product_beats_the_residual_alone():
    x = data()
    torch.manual_seed(1)
    one, other = perceptron(), perceptron()
    other.load_state_dict(one.state_dict())
    report = fitted(one, STACK, x)[2]
    alone = fitted(other, LOW_RANK, x)[2]
    assert report.replaced == ("0", "2")
    for entry, rival in zip(report.layers[:2], alone.layers[:2], strict=True):
        assert entry.error < 0.97 * rival.error
        assert entry.reason == f"fitted, error {entry.error:.2f}"
    assert report.to_dict()["layers"][0]["error"] == report.layers[0].error


@pytest.mark.parametrize("name", CONFIGS)
def test_errors_are_those_of_the_outputs(name):
    model, x = nn.Sequential(nn.Linear(64, 64)), data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, after, report = fitted(model, CONFIGS[name], x)
    after.eval()
    assert report.layers[0].error < 1
    assert output_error(before[0], after[0], x) == pytest.approx(report.layers[0].error, rel=1e-3)
    assert all(p.requires_grad and p.grad is None for p in after.parameters())


def test_shared_filters_stay_as_they_start():
    model = perceptron()
    lw.compress_(model, lw.Compression(wavelet="db2", taps=None, depth=2, shared_filter=True), inputs=data())
    filter = model[0].factors[0].filter
    assert filter is model[2].factors[1].filter
    assert torch.allclose(filter.dec_lo.double(), filter.start_bank().dec_lo)


X = data(64)


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 64)

    def forward(self, x, scale=1.0):
        return self.fc(input=scale * x)


@pytest.mark.parametrize("inputs", [
    X, (X,), (X, 1.0), {"x": X}, {"x": X, "scale": 1.0}, [X[:30], X[30:]], [(X[:30],), (X[30:], 1.0)],
    [{"x": X[:30]}, {"x": X[30:]}], iter([X[:30], X[30:]]), DataLoader(TensorDataset(X), 30), X.view(4, 16, 64),
], ids=range(11))  # fmt: skip
def test_forms_of_inputs(inputs):
    torch.manual_seed(0)
    model = Named()
    report = lw.compress_(model, LOW_RANK, inputs=inputs)
    torch.manual_seed(0)
    assert report.layers[0].error == pytest.approx(lw.compress_(Named(), LOW_RANK, inputs=X).layers[0].error, rel=1e-5)


BAD = {
    "`inputs` must run through the model, got RuntimeError: mat1 and mat2": torch.randn(8, 63),
    "`inputs` must run through the model, got TypeError": {"unknown": torch.randn(8, 64)},
    "`inputs` must have at least one batch, got none": [],
    "`inputs` must give finite activations, got others before '0'": torch.full((8, 64), torch.nan),
    "`inputs` must be a tensor, a tuple, a mapping, or an iterable of these, got int": 3,
    "`inputs` must have tensors, tuples or mappings as batches, got str": ["a"],
}


@pytest.mark.parametrize("message", BAD)
def test_inputs_that_do_not_run(message):
    model = perceptron()
    model[3].eval()
    state, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        lw.compress_(model, STACK, inputs=BAD[message])
    assert "\n" not in str(caught.value)
    assert [type(module) for module in model] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_weights_that_are_not_finite_or_not_there():
    model = perceptron()
    with torch.no_grad():
        model[2].weight[0, 0] = torch.inf
    with pytest.raises(ValueError, match="`model` must have finite weights to fit to, got others in '2'"):
        lw.compress_(model, STACK, inputs=data())
    with pytest.raises(ValueError, match="`inputs` need a model with values, got '0' on the meta device"):
        lw.compress_(perceptron().to("meta"), STACK, inputs=data())


def test_a_single_sandwich_warns():
    with pytest.warns(UserWarning, match="a single sandwich is a poor copy of a trained matrix") as caught:
        lw.compress_(perceptron(), CONFIGS["wavelet"], inputs=data())
    assert caught[0].filename == __file__


def test_layers_that_the_inputs_do_not_reach():
    model = perceptron()
    model.extra = nn.Linear(64, 64)
    model.forward = lambda x: model[2](torch.relu(model[0](x)))
    report = lw.compress_(model, LOW_RANK, inputs=data())
    assert [entry.reason[:11] for entry in report.layers if entry.replaced] == [
        "fitted, err",
        "fitted, err",
        "starts anew",
    ]


def test_the_model_runs_in_evaluation_mode():
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.Dropout(0.9), nn.Linear(64, 64))
    report = lw.compress_(model, LOW_RANK, inputs=data())
    assert model.training
    assert int(model[1].num_batches_tracked) == 0
    assert report.layers[1].error < 1


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d])
def test_pointwise_convolutions(kind):
    model = nn.Sequential(kind(64, 48, 1))
    x = data(120).view(5, 24, 64).mT if kind is nn.Conv1d else data(120).view(5, 6, 4, 64).movedim(-1, 1)
    before, after, report = fitted(model, lw.Compression(depth=0, rank=20), x)
    left, wanted = after(x) - before(x), before(x)
    over = [0, *range(2, x.dim())]
    wanted = wanted - wanted.mean(over, keepdim=True)
    assert float((left.norm() / wanted.norm()).detach()) == pytest.approx(report.layers[0].error, rel=1e-2)


def test_conv1d_of_transformers():
    x, model = data(), nn.Sequential(Conv1D(48, 64))
    before, after, report = fitted(model, lw.Compression(depth=0, rank=20), x)
    assert output_error(before[0], after[0], x) == pytest.approx(report.layers[0].error, rel=1e-3)
    assert report.layers[0].error < 0.7


def test_torch_transformers_do_not_take_their_fast_path():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 96, batch_first=True), 1).eval()
    report = lw.compress_(model, LOW_RANK, inputs=torch.randn(4, 16, 64))
    assert [entry.error is not None for entry in report.layers if entry.replaced] == [True, True]


def test_a_module_in_two_places_sees_both_inputs():
    model = Shared()
    report = lw.compress_(model, lw.Compression(depth=0, rank=3), inputs=data(n=32))
    assert model.first is model.second[0]
    assert all(entry.error is not None for entry in report.layers)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_dtypes(dtype):
    model = nn.Sequential(nn.Linear(64, 64, dtype=dtype))
    before, after, report = fitted(model, STACK, data().to(dtype))
    assert {p.dtype for p in after.parameters()} == {dtype}
    found = output_error(before[0], after[0], data().to(dtype))
    assert found < report.layers[0].error + 0.3


def test_inputs_that_are_always_the_same():
    model, x = perceptron(), torch.ones(8, 64)
    before, after, report = fitted(model, STACK, x)
    assert torch.allclose(after(x), before(x), atol=1e-4)
    assert report.layers[0].error == 0


def test_moments_in_parts(monkeypatch):
    x, model = data(), perceptron()
    other = copy.deepcopy(model)
    monkeypatch.setattr(_moments, "_GROUP", 1)
    one = lw.compress_(model, LOW_RANK, inputs=[x[:100], x[100:]])
    monkeypatch.undo()
    two = lw.compress_(other, LOW_RANK, inputs=x)
    assert [e.error for e in one.layers[:2]] == pytest.approx([e.error for e in two.layers[:2]], rel=1e-4)
    moments = _moments.Moments(64, torch.device("cpu"))
    shifted = x + 1e4
    for part in shifted.split(100):
        moments.add(part)
    assert torch.allclose(moments.covariance(), torch.cov(shifted.double().T, correction=0), atol=1e-3)
    assert torch.allclose(moments.mean(), shifted.double().mean(0))


@pytest.mark.parametrize("in_place", [False, True])
def test_a_model_that_changes_its_inputs(in_place, monkeypatch):
    monkeypatch.setattr(_moments, "_GROUP", 1)  # each layer in a run of its own
    x = data()
    model, batches = nn.Sequential(nn.LeakyReLU(0.5, in_place), *perceptron()), [x[:100].clone(), x[100:].clone()]
    before = copy.deepcopy(model)
    report = lw.compress_(model, LOW_RANK, inputs=batches)
    assert torch.equal(torch.cat(batches), x)
    with torch.no_grad():
        rows = torch.relu(before[1](nn.functional.leaky_relu(x, 0.5)))
    assert output_error(before[3], model[3], rows) == pytest.approx(report.layers[1].error, rel=1e-3)


def test_a_killed_fit_goes_on(tmp_path, monkeypatch):
    x, path, whole = data(), tmp_path / "fit.pt", perceptron()
    killed = copy.deepcopy(whole)
    torch.manual_seed(3)
    lw.compress_(whole, STACK, inputs=x, checkpoint=path)
    assert not path.exists()
    original, names = _fit_outputs.fit_layer, []

    def fit(layer, *args):
        names.append(tuple(args[0].shape))
        if len(names) == 2:
            raise KeyboardInterrupt
        return original(layer, *args)

    monkeypatch.setattr(_fit_outputs, "fit_layer", fit)
    torch.manual_seed(3)
    with pytest.raises(KeyboardInterrupt):
        lw.compress_(killed, STACK, inputs=x, checkpoint=path)
    assert type(killed[0]) is nn.Linear
    torch.manual_seed(3)
    lw.compress_(killed, STACK, inputs=x, checkpoint=path)
    assert names == [(64, 64), (48, 64), (48, 64)]
    assert all(torch.equal(value, killed.state_dict()[name]) for name, value in whole.state_dict().items())


def test_a_checkpoint_of_something_else(tmp_path):
    path = tmp_path / "fit.pt"
    path.write_text("x")
    with pytest.raises(ValueError, match=r"`checkpoint` must be a file of an earlier call of `compress_`, got .*fit"):
        lw.compress_(perceptron(), STACK, inputs=data(), checkpoint=path)
    torch.save({"a": 1}, path)
    with pytest.raises(ValueError, match="`checkpoint` must be a file of an earlier call"):
        lw.compress_(perceptron(), STACK, inputs=data(), checkpoint=path)
    with pytest.raises(ValueError, match="`checkpoint` keeps layers that are fitted, and needs `inputs`"):
        lw.compress_(perceptron(), STACK, checkpoint=path)
    teacher, student = perceptron(), perceptron()
    lw.compress_(student, LOW_RANK)
    _checkpoint.Checkpoint(path.with_name("other.pt"), "compress_").put("key", 1)
    with pytest.raises(ValueError, match=r"`checkpoint` must be a file of an earlier call of `distill_`, got .*other"):
        lw.distill_(student, teacher, [data()], checkpoint=path.with_name("other.pt"))
    assert all(file.exists() for file in (path, path.with_name("other.pt")))


def test_inference_mode():
    with torch.inference_mode(), pytest.raises(ValueError, match="`inputs` must be used outside of"):
        lw.compress_(model := perceptron(), STACK, inputs=data())
    assert type(model[0]) is nn.Linear
    with torch.inference_mode():  # a closed form
        assert lw.compress_(model, LOW_RANK, inputs=data()).layers[0].error < 1
        model = perceptron()
    with pytest.raises(ValueError, match=r"`inputs` need a model made outside of .*, got '0'"):
        lw.compress_(model, LOW_RANK, inputs=data())
    assert type(model[0]) is nn.Linear


def test_optimisers_and_merging():
    model, x = perceptron(), data()
    optimizer = torch.optim.Adam(model.parameters())
    report = fitted(model, STACK, x, optimizers=optimizer)[2]
    assert {id(p) for group in optimizer.param_groups for p in group["params"]} == {id(p) for p in model.parameters()}
    y = model(x)
    assert lw.merge_(model) == report.replaced
    assert torch.allclose(model(x), y, atol=1e-4)
