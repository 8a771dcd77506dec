"""`WaveletLinear`: the sandwich with a learnable fast wavelet transform."""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from .._checks import check_dtype, check_flag, check_level, check_mode
from ..filters import LearnableWaveletFilter, WaveletFilter
from ..filters._base import fast_parameter as held
from ..functional._bank import WaveletLike, check_device
from ..functional._losses import orthogonality_loss
from ..functional._multilevel import deepest_level, useful_level
from ..kernels import _calls as kernels
from ..kernels._layout import Layout, narrow_blocks, wide_blocks
from ..kernels._precision import compute_dtype
from ..kernels.reference import analyse, coeff_lengths, synthesise
from ._layer import Banks, SandwichLayer, check_dropout, check_size

_PROBES = 2**18  # entries of noise: the variance at the start is then within some per cent of 1
_ORTHONORMAL = 1e-6
# level=None pads to a multiple of this. More would give deeper transforms, but zeros cost the start its orthogonality;
# `docs/theory.md#width` compares.
_MULTIPLE = 4
_DEPTH = 4  # and goes this deep, if the width halves so often, where `pywt.dwt_max_level` is less


class WaveletLinear(SandwichLayer):
    r"""A drop-in for `nn.Linear` with O(n) parameters: $y = S W^{-1} G P W B\, x + \text{bias}$.

    B, G and S are learned diagonals, P is a fixed random permutation, W the multilevel wavelet transform with the
    *learned* decomposition filters and $W^{-1}$ the inverse transform with the learned reconstruction filters. The
    dense operation that it replaces is `x @ layer.to_dense().T + layer.bias`.

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
        dropout: probability of zeroing an entry of the three diagonals, one mask per call; as in the paper.

    Shape:
        `(..., in_features)` to `(..., out_features)`, any leading dimensions.

    Attributes:
        filter: the `WaveletFilter`.
        diag_in: B, `(in_features,)` if `out_features <= in_features`, else `(blocks, in_features)`.
        diag_mid: G, `(blocks, m)` with m the number of wavelet coefficients of a block.
        diag_out: S, `(out_features,)`.
        permutation: P as indices, a buffer `(blocks, m)`, saved in the state.
        bias: `(out_features,)`, or `None`.

    Raises:
        ValueError: sizes below 1, unknown wavelet or mode, a level too deep, dropout outside [0, 1).
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
        With `P = I` and diagonals of ones the layer is the identity. A square layer whose width is a multiple of 4 (of
        `2**level`, if that is given) starts as an orthogonal matrix if its wavelet is orthogonal. Another width is
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
    ) -> None:
        in_features, out_features = check_size("in_features", in_features), check_size("out_features", out_features)
        bias = check_flag("bias", bias, "; the wavelet is given by keyword, `wavelet=`")
        check_dtype(dtype)
        check_mode(mode)
        dropout = check_dropout(dropout)
        if not isinstance(wavelet, WaveletFilter):
            wavelet = LearnableWaveletFilter(wavelet, device=device, dtype=dtype)
        taps = len(wavelet)
        layout, depth = choose_layout(in_features, out_features, level, mode, taps)
        lengths = coeff_lengths(layout.n, taps, mode, depth)
        super().__init__(layout, sum(lengths), bias=bias, dropout=dropout, trainable=True, device=device, dtype=dtype)
        self.level, self.mode = depth, mode
        self.filter = wavelet
        self.reset_parameters()

    def _gains(self) -> tuple[float, float]:
        bank = self.filter.start_bank()  # not the present one, which `to_empty` may have left without values
        if self.mode in ("periodization", "zero") and orthogonality_loss(bank) < _ORTHONORMAL:
            return super()._gains()
        # Otherwise measured on noise from a generator of its own, so that the user's random numbers stay as they are.
        options: dict[str, Any] = {"device": "cpu", "dtype": torch.float64}
        options["generator"] = torch.Generator("cpu").manual_seed(0)
        rows = max(4, min(256, _PROBES // self.in_features))
        x = torch.randn(rows, self.in_features, **options)
        x = pad(x, (0, -self.in_features % self._layout.n)).view(-1, self._layout.n)
        coeffs = torch.cat(analyse(x, bank.dec_lo, bank.dec_hi, self.mode, self.level), dim=-1)
        lengths = coeff_lengths(self._layout.n, bank.taps, self.mode, self.level)
        unit = [torch.randn(rows, length, **options) for length in lengths]
        signal = synthesise(unit, bank.rec_lo, bank.rec_hi, self.mode)
        assert signal is not None  # every coefficient is there
        return float(coeffs.square().mean()), float(signal[:, : self._layout.n].square().mean())

    def _transform(self, x: Tensor, banks: Banks | None = None) -> tuple[kernels.Bank, str, int]:
        module = self.filter
        made = None if banks is None else banks.get(module)
        bank = check_device(module() if made is None else made, x)
        if banks is not None:
            banks[module] = bank
        dtype = compute_dtype(held(self, "diag_out").dtype)
        return bank if bank.dec_lo.dtype == dtype else bank.to(dtype=dtype), self.mode, self.level

    def _shares_transform(self, other: SandwichLayer) -> bool:
        return (
            isinstance(other, WaveletLinear)
            and self.filter is other.filter
            and (self.mode, self.level) == (other.mode, other.level)
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, level={self.level}, mode={self.mode!r}"


def choose_layout(in_features: int, out_features: int, level: int | None, mode: str, taps: int) -> tuple[Layout, int]:
    """Width, number of blocks and depth of a layer."""
    wide = out_features > in_features
    # a narrow layer: as many blocks as out_features go into in_features, each about out_features wide
    needed = in_features if wide else ceil(in_features / (in_features // out_features))
    if level is not None:
        deepest = ceil(log2(needed)) if mode == "periodization" else deepest_level(needed, taps)
        blocks = "" if needed == in_features else f" in blocks of {needed}"
        level = check_level(level, deepest, f"{in_features} in_features{blocks} and mode {mode!r}")
    n, depth = block_size(needed, level, mode, taps)
    if wide:
        return wide_blocks(in_features, out_features, n, wrap=True), depth
    # A single output would be the sum over the block, which no detail coefficient survives; its first entry has all.
    return narrow_blocks(in_features, out_features, n, wrap=out_features > 1), depth


def block_size(needed: int, level: int | None, mode: str, taps: int) -> tuple[int, int]:
    """Width n >= needed of a block, and its depth."""
    if mode != "periodization":
        return needed, max(1, useful_level(needed, taps)) if level is None else level
    if level is not None:
        return -(-needed // 2**level) * 2**level, level
    multiple = min(_MULTIPLE, max(2, 1 << (needed - 1).bit_length()))
    n = -(-needed // multiple) * multiple
    halvings = (n & -n).bit_length() - 1
    return n, min(halvings, max(_DEPTH, useful_level(n, taps)))
