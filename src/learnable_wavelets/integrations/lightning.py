"""Lightning: a callback that logs how far the filters are from wavelets, and pictures of them."""

from __future__ import annotations

from typing import Any

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError:
    from pytorch_lightning import Callback, LightningModule, Trainer

from .._checks import check_int
from ..plotting import add_filters
from ..regularize import wavelet_losses

__all__ = ["WaveletMonitor"]


class WaveletMonitor(Callback):  # type: ignore[misc]
    """Log `wavelet_losses` every `log_every_n_steps` of the trainer, and pictures of the filters after epochs.

    The pictures go to the loggers whose `experiment` takes figures, as that of `TensorBoardLogger`; the numbers to all.
    The loss itself is not changed: add `wavelet_regularizer(self)` in `training_step`.

    Args:
        every_n_epochs: draw pictures after so many epochs; 0 for none.

    Raises:
        ValueError: `every_n_epochs` is negative.
        TypeError: `every_n_epochs` is not an int.

    Examples:
        ```python
        from learnable_wavelets.integrations.lightning import WaveletMonitor

        trainer = lightning.Trainer(callbacks=[WaveletMonitor(every_n_epochs=5)])
        ```
    """

    def __init__(self, every_n_epochs: int = 1) -> None:
        super().__init__()
        self.every_n_epochs = check_int("every_n_epochs", every_n_epochs)
        if every_n_epochs < 0:
            raise ValueError(f"`every_n_epochs` must be at least 0, got {every_n_epochs}")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log each term of each bank as `wavelet_loss/NAME/TERM`."""
        if trainer.loggers and trainer._logger_connector.should_update_logs:  # as Lightning's own monitors ask
            terms = wavelet_losses(pl_module)
            values = {
                f"wavelet_loss/{n}/{term}": v.detach() for n, losses in terms.items() for term, v in losses.items()
            }
            pl_module.log_dict(values, on_step=True, on_epoch=False)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the filters, in the first process alone."""
        due = self.every_n_epochs and (trainer.current_epoch + 1) % self.every_n_epochs == 0
        if due and trainer.is_global_zero:
            for logger in trainer.loggers:
                if hasattr(logger.experiment, "add_figure"):
                    add_filters(logger.experiment, pl_module, trainer.global_step)
