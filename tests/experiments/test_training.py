import pytest
import torch
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets.experiments import _data, _models, _run, _train

DEFAULT = _models.WaveletOptions()
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("layer", "layer_parameters", "parameters"),
    [
        ("dense", 800 * 500 + 500, 431_080),
        ("fastfood", 800 + 1024 + 800, None),
        ("wavelet", 3 * 800 + 4 * 4, 35_996),
        ("wavelet-paper", 800 + 826 + 800 + 4 * 6, 36_030),
    ],
)
def test_parameter_counts(layer: str, layer_parameters: int, parameters: int | None) -> None:
    network = _models.build(layer, DEFAULT)
    assert _models.count(network.layer) == layer_parameters
    if parameters is not None:
        assert _models.count(network) == parameters


@pytest.mark.parametrize("layer", _models.LAYERS)
def test_network_gives_log_probabilities_and_every_parameter_a_gradient(layer: str, few: _data.Mnist) -> None:
    torch.manual_seed(0)
    network = _models.build(layer, DEFAULT)
    train, _ = _train.splits(few, CPU)
    out = network(train.images[:8])
    assert out.shape == (8, 10)
    torch.testing.assert_close(out.exp().sum(-1), torch.ones(8))
    nn.functional.nll_loss(out, train.labels[:8]).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_only_the_dense_network_drops_out() -> None:
    rates = {
        name: [m.p for m in _models.build(name, DEFAULT).modules() if "Dropout" in type(m).__name__]
        for name in _models.LAYERS
    }
    assert rates.pop("dense") == [0.25, 0.5]
    assert not any(map(sum, rates.values()))


def test_wavelet_options_reach_the_layer() -> None:
    options = _models.WaveletOptions("db3", "zero", 2)
    network = _models.build("wavelet", options)
    assert isinstance(network.layer, lw.WaveletLinear)
    assert len(network.layer.filter) == 6
    assert _models.settings("wavelet", options, network) == "db3, zero, level 2"
    assert _models.settings("dense", options, _models.build("dense", options)) == ""


def test_unknown_layer() -> None:
    with pytest.raises(ValueError, match=r"`layer` must be one of dense, .*, got 'sparse'"):
        _models.build("sparse", DEFAULT)


def test_normalisation(sample: _data.Mnist) -> None:
    train, test = _train.splits(sample, CPU)
    assert train.images.shape == (8_572, 1, 28, 28)
    mean, std = float(train.images.mean()), float(train.images.std())
    assert abs(mean) < 0.01
    assert abs(std - 1) < 0.01
    assert test.labels.dtype == torch.int64


@pytest.mark.parametrize("epochs", [3, 20])
def test_learning_rate_ends_where_the_published_one_does(epochs: int) -> None:
    assert _train.Recipe(epochs).gamma ** epochs == pytest.approx(0.8**20)


def test_test_error_counts_wrong_images() -> None:
    class Constant(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return nn.functional.one_hot(torch.full((len(images),), 3), 10).float()

    split = _train.Split(torch.zeros(2500, 1, 28, 28), torch.arange(2500) % 10)
    assert _train.test_error(Constant(), split) == 90.0


def test_test_error_is_without_dropout() -> None:
    split = _train.Split(torch.ones(100, 10), torch.zeros(100, dtype=torch.int64))
    assert _train.test_error(nn.Sequential(nn.Dropout(0.9), nn.Softmax(-1)), split) == 0.0


def train(few: _data.Mnist, layer: str, seed: int, epochs: int = 2) -> list[_train.Epoch]:
    _, network = _run.start(layer, DEFAULT, "sample", epochs, seed)
    return list(_train.train(network, *_train.splits(few, CPU), _train.Recipe(epochs), seed))


def test_seed_decides_everything(few: _data.Mnist) -> None:
    first, again, other = (train(few, "wavelet", seed) for seed in (0, 0, 1))
    assert [epoch[1:4] for epoch in first] == [epoch[1:4] for epoch in again]
    assert first[-1].train_loss != other[-1].train_loss


def test_training_learns(few: _data.Mnist) -> None:
    history = train(few, "wavelet-paper", 0, epochs=4)
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4]
    assert history[-1].train_loss < 0.6 * history[0].train_loss
    assert history[-1].test_error < 40


def spoilt_wavelet_loss(few: _data.Mnist) -> float:
    """Wavelet loss after training from a bank that is far from perfect reconstruction."""
    _, network = _run.start("wavelet", DEFAULT, "sample", 4, 0)
    assert isinstance(network.layer, lw.WaveletLinear)
    with torch.no_grad():
        for taps in network.layer.filter.parameters():
            taps.mul_(1.2)
    list(_train.train(network, *_train.splits(few, CPU), _train.Recipe(4), 0))
    return sum(float(loss.detach()) for losses in lw.wavelet_losses(network).values() for loss in losses.values())


def test_wavelet_loss_is_part_of_what_is_trained(few: _data.Mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_with = spoilt_wavelet_loss(few)
    monkeypatch.setattr(lw, "wavelet_regularizer", lambda _: torch.zeros(()))
    assert trained_with < 0.9 * spoilt_wavelet_loss(few)


def test_dense_network_has_no_wavelet_loss(few: _data.Mnist) -> None:
    assert train(few, "dense", 0, epochs=1)[0].wavelet_loss == 0.0
