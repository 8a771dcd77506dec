"""Four free filters under a soft loss: the paper's parametrisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._checks import check_choice, check_dtype
from ..functional._bank import FilterBank, WaveletLike
from ..functional._conditions import ALIAS_FORMS, evaluate, reconstruction
from ._base import WaveletFilter, copy_into, read_start, real_tensors, unsharded


class LearnableWaveletFilter(WaveletFilter):
    r"""Four free filters; a loss, not the parametrisation, keeps them near a wavelet.

    $\mathcal L = \sum_k ((h_0 * f_0 + h_1 * f_1)_k - 2\,\delta_{k, L-1})^2 + \text{alias}$, see
    `functional.perfect_reconstruction_loss` and `functional.alias_cancellation_loss`. Add
    `wavelet_regularizer(model)` to the training loss, or the bank drifts away from perfect reconstruction.

    Args:
        wavelet: the start: a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or another `WaveletFilter`.
        taps: filter length; zeros are added on both sides (the paper's Haar in 6 taps).
        alias: `general`, or `quadrature` for the paper's stricter alias loss.
        device: device of the parameters.
        dtype: dtype of the parameters.

    Attributes:
        dec_lo: decomposition low-pass filter, a parameter of shape `(taps,)`.
        dec_hi: decomposition high-pass filter, likewise.
        rec_lo: reconstruction low-pass filter, likewise.
        rec_hi: reconstruction high-pass filter, likewise.

    Raises:
        ValueError: unknown wavelet or `alias`; `taps` odd or smaller than the wavelet's.
        TypeError: `wavelet` or `taps` of another type.

    Examples:
        >>> import learnable_wavelets as lw
        >>> haar = lw.LearnableWaveletFilter("haar", taps=6)
        >>> [round(v, 4) for v in haar.dec_lo.tolist()]
        [0.0, 0.0, 0.7071, 0.7071, 0.0, 0.0]
        >>> bool(haar.regularizer() < 1e-10)
        True

    References:
        Wolter, Lin and Yao, *Neural network compression via learnable wavelet transforms*, ICANN 2020,
        [arXiv 2004.09569](https://arxiv.org/abs/2004.09569).
    """

    dec_lo: nn.Parameter
    dec_hi: nn.Parameter
    rec_lo: nn.Parameter
    rec_hi: nn.Parameter

    def __init__(
        self,
        wavelet: WaveletLike = "db2",
        *,
        taps: int | None = None,
        alias: str = "general",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_choice("alias", alias, tuple(ALIAS_FORMS))
        check_dtype(dtype)
        with real_tensors():
            start, label, _ = read_start(wavelet, taps)
            super().__init__(start, label)
        self.alias = alias
        for name in FilterBank._fields:
            self.register_parameter(name, nn.Parameter(torch.empty(len(self), device=device, dtype=dtype)))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        for name, values in self.start_bank()._asdict().items():
            copy_into(getattr(self, name), values)

    def forward(self) -> FilterBank:
        own = self._parameters  # called at every step of a layer: attributes would take several times as long
        try:
            lo, hi, rec_lo, rec_hi = own["dec_lo"], own["dec_hi"], own["rec_lo"], own["rec_hi"]
        except KeyError:  # pruned, parametrised, or a replica of DataParallel
            lo, hi, rec_lo, rec_hi = self.dec_lo, self.dec_hi, self.rec_lo, self.rec_hi
        if type(lo) is type(hi) is type(rec_lo) is type(rec_hi) is nn.Parameter:
            return FilterBank(lo, hi, rec_lo, rec_hi)
        return FilterBank(*map(unsharded, (lo, hi, rec_lo, rec_hi)))  # type: ignore[arg-type]

    def losses(self) -> dict[str, Tensor]:
        bank = self()
        return {
            "perfect_reconstruction": evaluate(reconstruction, bank),
            "alias_cancellation": evaluate(ALIAS_FORMS[self.alias], bank),
        }

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, alias={self.alias!r}"
