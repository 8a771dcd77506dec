"""`Fastfood`: the sandwich with the Walsh-Hadamard transform."""

from __future__ import annotations

import torch
from torch import Tensor

from .._checks import check_dropout, check_dtype, check_flag, check_size
from ..kernels._layout import wide_blocks
from ..kernels._sandwich import HADAMARD, Transform
from ._layer import LR_MULTIPLIER, Banks, SandwichLayer


class Fastfood(SandwichLayer):
    r"""A drop-in for `nn.Linear` with O(n) parameters: $y = S H G P H B\, x + \text{bias}$.

    B, G and S are diagonals, P is a fixed permutation that follows from `seed`, and H the orthonormal Walsh-Hadamard
    matrix of n, the power of two at or above `in_features`; the input is zero-padded to n, and `ceil(out_features / n)`
    blocks with their own diagonals and permutations are concatenated and cut to `out_features`.

    Args:
        in_features: size of each input.
        out_features: size of each output.
        bias: learn an additive bias.
        device: where the parameters live.
        dtype: their dtype.
        adaptive: learn the diagonals (Deep Fried Convnets). Else they are random parameters that need no gradient
            (Fastfood): the layer then approximates a dense Gaussian matrix with entries N(0, 1 / in_features).
        dropout: probability of zeroing an entry of the three diagonals, one mask a call.
        seed: P follows from it; `None` for P = I.
        lr_multiplier: a power of two, the factor between the stored and the effective diagonals: for Adam, times the
            learning rate of the diagonals. The default lets a swapped layer learn at the rate of `nn.Linear`.

    Shape:
        `(..., in_features)` to `(..., out_features)`, any leading dimensions.

    Attributes:
        diag_in: B divided by `lr_multiplier`, `(blocks, in_features)`.
        diag_mid: G, likewise, `(blocks, n)`.
        diag_out: S, likewise, `(out_features,)`.
        permutation: P as indices `(blocks, n)`, a copy; not part of the state.
        bias: `(out_features,)`, or `None`.

    Raises:
        ValueError: sizes below 1, dropout outside [0, 1), an `lr_multiplier` that is no power of two.
        TypeError: sizes that are no int, a `bias` or `adaptive` that is no bool, a dtype that is not real floating
            point.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> layer = lw.Fastfood(1000, 1024, bias=False)
        >>> layer(torch.randn(8, 1000)).shape, sum(p.numel() for p in layer.parameters())
        (torch.Size([8, 1024]), 3048)

    Notes:
        With `seed=None` and diagonals of ones the layer is the identity, for H is its own inverse. A square layer
        starts as an orthogonal matrix if its width is a power of two; padded, its singular values spread down to nearly
        0. The first row of H is constant, so that with G = 1 the first output, S and bias aside, is the first input; a
        layer with one output starts with random signs on G in place of S. The papers leave H unnormalised and divide by
        $\sigma\sqrt n$; here the start of `diag_out` holds every scale.

    References:
        Yang et al., *Deep Fried Convnets*, ICCV 2015, [arXiv 1412.7149](https://arxiv.org/abs/1412.7149).
        Le, Sarlos and Smola, *Fastfood*, ICML 2013, [arXiv 1408.3060](https://arxiv.org/abs/1408.3060).
    """

    _PLAIN = True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        adaptive: bool = True,
        dropout: float = 0.0,
        seed: int | None = 0,
        lr_multiplier: float = LR_MULTIPLIER,
    ) -> None:
        in_features, out_features = check_size("in_features", in_features), check_size("out_features", out_features)
        adaptive = check_flag("adaptive", adaptive)
        n = 1 << (in_features - 1).bit_length()
        # cut, not wrapped: every output of a Hadamard matrix sees every coefficient already
        super().__init__(
            wide_blocks(in_features, out_features, n, wrap_outputs=False), n, bias=check_flag("bias", bias),
            dropout=check_dropout(dropout), seed=seed, lr_multiplier=lr_multiplier, trainable=adaptive,
            device=device, dtype=check_dtype(dtype),
        )  # fmt: skip
        self.adaptive = adaptive
        self._signs_on_mid = out_features == 1  # the first row of H is constant: with G = 1 it sees one input alone
        if not adaptive:
            self._default_start = "gaussian"
        self._reset_diagonals()

    def _transform(self, like: Tensor, banks: Banks | None = None) -> Transform:
        return HADAMARD

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.adaptive else ", adaptive=False")
