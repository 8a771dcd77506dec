"""`WaveletLinear`: the sandwich with a learnable fast wavelet transform."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .._checks import check_dropout, check_dtype, check_flag, check_mode, check_size
from ..filters import LearnableWaveletFilter, WaveletFilter
from ..functional._bank import WaveletLike, check_device
from ..kernels._sandwich import Transform
from ..kernels.reference import coeff_lengths
from ._geometry import choose_layout, transform_gains
from ._hooks import has_hooks
from ._layer import LR_MULTIPLIER, Banks, SandwichLayer


class WaveletLinear(SandwichLayer):
    r"""A drop-in for `nn.Linear` with O(n) parameters: $y = S W^{-1} G P W B\, x + \text{bias}$.

    B, G and S are learned diagonals, P is a fixed permutation that follows from `seed`, W the multilevel wavelet
    transform with the *learned* decomposition filters and $W^{-1}$ the inverse transform with the learned
    reconstruction filters. The dense operation that it replaces is `x @ layer.to_dense().T + layer.bias`.

    Args:
        in_features: size of each input.
        out_features: size of each output.
        bias: learn an additive bias.
        device: where the parameters live.
        dtype: their dtype.
        wavelet: a PyWavelets name, a `pywt.Wavelet` or a `FilterBank`, from which the layer makes its own
            `LearnableWaveletFilter`; or a `WaveletFilter` module, used as it is, so that layers can share one.
        level: number of scales. `None`: pad blocks to a multiple of 4 (a block of 1 or 2 to 2) and go as deep as that
            width halves, but no deeper than the larger of 4 and `pywt.dwt_max_level`; other modes than `periodization`
            need no padding and take `pywt.dwt_max_level`, at least 1.
        mode: signal extension. Only `periodization` keeps the transform square and, for an orthonormal bank, exactly
            orthogonal; the others have more coefficients than samples, and the permutation then costs rank.
        dropout: probability of zeroing an entry of the three diagonals, one mask a call; as in the paper.
        seed: P follows from it; `None` for P = I.
        lr_multiplier: a power of two, the factor between the stored and the effective diagonals: for Adam, times the
            learning rate of the diagonals. The default lets a swapped layer learn at the rate of `nn.Linear`.

    Shape:
        `(..., in_features)` to `(..., out_features)`, any leading dimensions.

    Attributes:
        filter: the `WaveletFilter`.
        diag_in: B divided by `lr_multiplier`, `(in_features,)` if `out_features <= in_features`, else
            `(blocks, in_features)`.
        diag_mid: G, likewise, `(blocks, m)` with m the number of wavelet coefficients of a block.
        diag_out: S, likewise, `(out_features,)`.
        permutation: P as indices `(blocks, m)`, a copy; not part of the state.
        bias: `(out_features,)`, or `None`.

    Raises:
        ValueError: sizes below 1, unknown wavelet or mode, a level too deep, dropout outside [0, 1), an `lr_multiplier`
            that is no power of two.
        TypeError: sizes or level that are no int, a bias that is no bool, a dtype that is not real floating point, a
            wavelet of an unknown kind.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> layer = lw.WaveletLinear(1024, 1024)
        >>> layer(torch.randn(8, 1024)).shape, sum(p.numel() for p in layer.parameters())
        (torch.Size([8, 1024]), 4112)
        >>> matrix = layer.to_dense()
        >>> torch.allclose(matrix @ matrix.T, torch.eye(1024), atol=1e-5)  # orthogonal at the start
        True

    Notes:
        With `seed=None` and diagonals of ones the layer is the identity. A square layer whose width is a multiple of 4
        (of `2**level`, if that is given) starts as an orthogonal matrix if its wavelet is orthogonal. Another width is
        padded, by up to three zeros, and each may cost one of the rank.
        At the start the outputs for N(0, 1) inputs have variance 1 for every shape, gradients `out_features /
        in_features` as for `nn.Linear`.
        A rectangular layer is made of square blocks: for `out_features > in_features` the blocks read the same input
        and are concatenated, else they share out the input and are summed; surplus outputs are wrapped and added.

    References:
        Wolter, Lin and Yao, *Neural network compression via learnable wavelet transforms*, ICANN 2020,
        [arXiv 2004.09569](https://arxiv.org/abs/2004.09569).
    """

    filter: WaveletFilter

    _PLAIN = True
    _PLAIN_FILTER = LearnableWaveletFilter
    _CONFIGURATION = (*SandwichLayer._CONFIGURATION, "level", "mode")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        wavelet: WaveletLike = "db2",
        level: int | None = None,
        mode: str = "periodization",
        dropout: float = 0.0,
        seed: int | None = 0,
        lr_multiplier: float = LR_MULTIPLIER,
    ) -> None:
        in_features, out_features = check_size("in_features", in_features), check_size("out_features", out_features)
        bias = check_flag("bias", bias, "; the wavelet is given by keyword, `wavelet=`")
        mode, dtype, dropout = check_mode(mode), check_dtype(dtype), check_dropout(dropout)
        shared = wavelet if isinstance(wavelet, WaveletFilter) else None
        filter = LearnableWaveletFilter(wavelet, device=device, dtype=dtype) if shared is None else shared
        layout, depth = choose_layout(in_features, out_features, level, mode, len(filter))
        super().__init__(
            layout, sum(coeff_lengths(layout.n, len(filter), mode, depth)), bias=bias, dropout=dropout, seed=seed,
            lr_multiplier=lr_multiplier, trainable=True, device=device, dtype=dtype,
        )  # fmt: skip
        self.level, self.mode, self.filter = depth, mode, filter
        self._taps, self._own_filter = len(filter), shared is None
        self._reset_diagonals()

    def reset_parameters(self, start: str | None = None) -> None:
        """Start again as every sandwich, and restart the filter if the layer made it."""
        if self._own_filter:
            self.filter.reset_parameters()
        super().reset_parameters(start)

    def _gains(self) -> tuple[float, float]:
        # of the start bank: `to_empty` may have left the present one without values
        measured = transform_gains(self.filter._start, self.mode, self.level, self._layout.n, self.in_features)
        return super()._gains() if measured is None else measured

    def _transform(self, like: Tensor, banks: Banks | None = None) -> Transform:
        filter: Any = self._modules["filter"]
        bank = None if banks is None else banks.get(filter)
        if bank is None:
            bank = filter() if has_hooks(filter) else filter.forward()  # `forward` alone takes a third of the time
        if banks is not None:
            banks[filter] = bank
        if bank.dec_lo.device != like.device:
            check_device(bank, like, "input")
        if self.mode != "periodization" and bank.dec_lo.shape[0] != self._taps:  # the number of coefficients follows
            raise ValueError(f"`filter` must have {self._taps} taps in mode {self.mode!r}, got {bank.dec_lo.shape[0]}")
        dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
        return Transform("wavelet", bank if bank.dec_lo.dtype == dtype else bank.to(dtype=dtype), self.mode, self.level)

    def _shares_transform(self, other: SandwichLayer) -> bool:
        return (
            isinstance(other, WaveletLinear)
            and self.filter is other.filter
            and (self.mode, self.level) == (other.mode, other.level)
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, level={self.level}, mode={self.mode!r}"
