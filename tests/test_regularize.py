"""`wavelet_regularizer` and `wavelet_losses` over whole models."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from learnable_wavelets import (
    BiorthogonalWaveletFilter,
    Fastfood,
    FilterBank,
    LearnableWaveletFilter,
    OrthogonalWaveletFilter,
    WaveletLinear,
    wavelet_losses,
    wavelet_regularizer,
)

from .banks import random_bank, whole_graph

TERMS = ["perfect_reconstruction", "alias_cancellation"]


def bank(seed: int = 3) -> LearnableWaveletFilter:
    return LearnableWaveletFilter(random_bank(4, seed), dtype=torch.float64)


def layer(filter=None, **keywords) -> WaveletLinear:
    return WaveletLinear(8, 8, wavelet=filter or bank(), dtype=torch.float64, **keywords)


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_sum_over_banks():
    a, b = bank(1), bank(2)
    model = nn.Sequential(layer(a), nn.ReLU(), nn.Sequential(layer(b), nn.Linear(8, 2)))
    assert wavelet_regularizer(model).item() == pytest.approx((a.regularizer() + b.regularizer()).item())
    assert wavelet_regularizer(model).item() > 1
    assert wavelet_regularizer(model).shape == ()


def test_a_shared_bank_counts_once():
    shared = bank()
    model = nn.Sequential(layer(shared), layer(shared), shared)
    assert wavelet_regularizer(model).item() == shared.regularizer().item()
    assert list(wavelet_losses(model)) == ["0.filter"]


def test_a_layer_used_twice_counts_once():
    one = layer()
    assert wavelet_regularizer(nn.ModuleList([one, one])).item() == one.filter.regularizer().item()


def test_a_bank_alone_and_a_layer_alone():
    alone = bank()
    assert wavelet_regularizer(alone).item() == alone.regularizer().item()
    assert wavelet_regularizer(layer(alone)).item() == alone.regularizer().item()
    assert list(wavelet_losses(alone)) == [""]
    assert list(wavelet_losses(layer(alone))) == ["filter"]


def test_exact_banks_add_a_true_zero():
    exact = nn.Sequential(
        layer(OrthogonalWaveletFilter("db3", dtype=torch.float64)),
        layer(BiorthogonalWaveletFilter("bior2.2", dtype=torch.float64)),
    )
    assert wavelet_regularizer(exact).item() == 0.0
    assert all(term.item() == 0.0 for terms in wavelet_losses(exact).values() for term in terms.values())
    mixed = nn.Sequential(*exact, layer(bank()))
    assert wavelet_regularizer(mixed).item() == bank().regularizer().item()
    (wavelet_regularizer(mixed) + mixed(torch.ones(8, dtype=torch.float64)).sum()).backward()


@pytest.mark.parametrize("model", [nn.Linear(3, 2), nn.ReLU(), Fastfood(4, 4)], ids=repr)
def test_no_bank_is_a_zero(model):
    value = wavelet_regularizer(model)
    assert value.item() == 0.0
    assert value.shape == ()
    assert wavelet_losses(model) == {}
    (torch.ones((), requires_grad=True) + value).backward()


@pytest.mark.parametrize("model", [nn.Linear(3, 2), nn.BatchNorm1d(3, affine=False)], ids=repr)
def test_no_bank_is_a_zero_on_the_models_device(model):
    assert wavelet_regularizer(model.to("meta")).is_meta


def test_on_the_device_of_the_banks():
    assert wavelet_regularizer(layer().to("meta")).is_meta
    assert wavelet_regularizer(WaveletLinear(8, 8, wavelet=OrthogonalWaveletFilter(), device="cpu").to("meta")).is_meta


def test_gradients_are_those_of_the_filters_alone():
    model = nn.Sequential(layer(), nn.Linear(8, 8, dtype=torch.float64), layer())
    wavelet_regularizer(model).backward()
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == {f"{i}.filter.{f}" for i in (0, 2) for f in FilterBank._fields}
    assert all(model.get_parameter(name).grad.abs().min() > 0 for name in with_gradient)


def test_it_is_a_pure_function():
    model = layer()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    values = {wavelet_regularizer(model).item() for _ in range(3)}
    assert len(values) == 1
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not model._forward_hooks
    with torch.no_grad():
        model.filter.dec_lo.mul_(2)
    assert wavelet_regularizer(model).item() not in values


def test_losses_by_name_and_term():
    model = nn.Sequential()
    model.add_module("first", layer(bank(1)))
    model.add_module("second", nn.ModuleDict({"inner": layer(LearnableWaveletFilter("db2", alias="quadrature"))}))
    losses = wavelet_losses(model)
    assert list(losses) == ["first.filter", "second.inner.filter"]
    assert all(list(terms) == TERMS for terms in losses.values())
    total = sum(term for terms in losses.values() for term in terms.values())
    assert total.item() == pytest.approx(wavelet_regularizer(model).item())
    assert losses["first.filter"]["alias_cancellation"].item() == bank(1).losses()["alias_cancellation"].item()


def compiled(model):
    torch.compiler.reset()
    return torch.compile(model, backend="aot_eager")


def ddp(model):
    return nn.parallel.DistributedDataParallel(model)


WRAPPERS = {
    "compiled": compiled,
    "ddp": ddp,
    "data parallel": nn.DataParallel,
    "compiled ddp": lambda model: compiled(ddp(model)),
    "ddp of compiled": lambda model: ddp(compiled(model)),
}


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_wrapped_models(wrap, process_group):
    model = nn.Sequential(layer(), nn.Linear(8, 8, dtype=torch.float64))
    wrapped = WRAPPERS[wrap](copy.deepcopy(model))
    assert wavelet_regularizer(wrapped).item() == wavelet_regularizer(model).item()
    assert list(wavelet_losses(wrapped)) == ["0.filter"]
    x = torch.ones(2, 8, dtype=torch.float64)
    (wrapped(x).sum() + wavelet_regularizer(wrapped)).backward()
    (model(x).sum() + wavelet_regularizer(model)).backward()
    for ours, expected in zip(wrapped.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, expected.grad)


def test_averaged_models():
    model = nn.Sequential(layer(), nn.Linear(8, 8, dtype=torch.float64))
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    averaged.update_parameters(model)
    with torch.no_grad():
        model[0].filter.dec_lo.mul_(2)
    averaged.update_parameters(model)
    assert wavelet_losses(averaged).keys() == wavelet_losses(model).keys() == {"0.filter"}
    assert wavelet_losses(AveragedModel(layer())).keys() == {"filter"}
    assert wavelet_losses(AveragedModel(bank())).keys() == {""}
    assert wavelet_losses(nn.Sequential(AveragedModel(compiled(layer())))).keys() == {"0.filter"}
    halfway = bank()
    with torch.no_grad():
        halfway.dec_lo.mul_(1.5)
    assert wavelet_regularizer(averaged).item() == pytest.approx(halfway.regularizer().item())
    assert wavelet_regularizer(model).item() != pytest.approx(halfway.regularizer().item())


def test_checkpointed_parts():
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    model = nn.Sequential(checkpoint_wrapper(layer()))
    assert list(wavelet_losses(model)) == ["0.filter"]
    assert wavelet_regularizer(model).item() == bank().regularizer().item()


def test_wrapped_parts(process_group):
    model = nn.Sequential(compiled(layer()), ddp(layer()))
    assert list(wavelet_losses(model)) == ["0.filter", "1.filter"]


def test_modules_that_are_called_module_keep_their_name():
    model = nn.Module()
    model.module = layer()
    assert list(wavelet_losses(model)) == ["module.filter"]


def test_other_children_of_a_wrapper_keep_their_name():
    model = AveragedModel(layer())
    model.add_module("head", layer())
    assert list(wavelet_losses(model)) == ["filter", "head.filter"]


def test_inside_a_compiled_training_step():
    model = nn.Sequential(layer(), nn.Linear(8, 1, dtype=torch.float64))

    def loss(x):
        return model(x).square().mean() + wavelet_regularizer(model)

    x = torch.ones(2, 8, dtype=torch.float64)
    found = whole_graph(loss)(x)
    assert found.item() == pytest.approx(loss(x).item())
