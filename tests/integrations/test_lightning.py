"""The callback for Lightning."""

import pytest
import torch
from torch import nn

pytest.importorskip("lightning")

import lightning
from lightning.pytorch.loggers import CSVLogger

import learnable_wavelets as lw
import learnable_wavelets.integrations.lightning as integration
from learnable_wavelets.integrations.lightning import WaveletMonitor

pytestmark = pytest.mark.filterwarnings("ignore::")


class Net(lightning.LightningModule):
    def __init__(self, layer):
        super().__init__()
        self.body = nn.Sequential(layer, nn.Linear(16, 1))

    def training_step(self, batch, index):
        return self.body(batch[0]).square().mean() + lw.wavelet_regularizer(self)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(folder, module, logger=None, callback=None, epochs=2, every=2):
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(8, 16)), batch_size=2)
    trainer = lightning.Trainer(
        max_epochs=epochs, logger=logger or False, callbacks=[callback or WaveletMonitor()], log_every_n_steps=every,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, accelerator="cpu",
        default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(module, data)
    return trainer


@pytest.mark.parametrize(("every", "logged"), [(2, 4), (3, 2), (7, 1)])
def test_losses_are_logged_every_n_steps(every, logged, tmp_path, monkeypatch):
    """Each epoch has four steps: the count goes on over epochs."""
    computed = []
    monkeypatch.setattr(integration, "wavelet_losses", lambda module: computed.append(1) or lw.wavelet_losses(module))
    logger = CSVLogger(tmp_path)
    trainer = fit(tmp_path, Net(lw.WaveletLinear(16, 16)), logger, every=every)
    rows = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text().splitlines()
    assert {"wavelet_loss/body.0.filter/perfect_reconstruction", "wavelet_loss/body.0.filter/alias_cancellation"} <= {
        *rows[0].split(",")
    }
    assert len(rows) == 1 + len(computed) == 1 + logged
    assert "wavelet_loss/body.0.filter/perfect_reconstruction" in trainer.logged_metrics


def test_pictures(tmp_path):
    pytest.importorskip("tensorboard")
    from lightning.pytorch.loggers import TensorBoardLogger
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path)
    fit(tmp_path, Net(lw.WaveletLinear(16, 16)), logger, WaveletMonitor(every_n_epochs=2), epochs=4)
    found = EventAccumulator(logger.log_dir)
    found.Reload()
    assert [image.step for image in found.Images("filters/body.0.filter")] == [8, 16]
    fit(tmp_path, Net(lw.WaveletLinear(16, 16)), second := TensorBoardLogger(tmp_path), WaveletMonitor(0))
    found = EventAccumulator(second.log_dir)
    found.Reload()
    assert not found.Tags()["images"]


@pytest.mark.parametrize("layer", [lw.Fastfood, nn.Linear])
def test_models_without_filters_and_without_loggers(layer, tmp_path):
    fit(tmp_path, Net(layer(16, 16)), CSVLogger(tmp_path))
    assert not fit(tmp_path, Net(lw.WaveletLinear(16, 16))).logged_metrics


def test_bad_numbers():
    with pytest.raises(ValueError, match="`every_n_epochs` must be at least 0, got -1"):
        WaveletMonitor(-1)
    with pytest.raises(TypeError, match="`every_n_epochs` must be an int"):
        WaveletMonitor("2")
