"""The stationary wavelet transform as modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import functional
from .._checks import check_flag, check_size
from ._dwt import Coefficients, Transform, WaveletsLike, first_tensor, read_coefficients, read_length


class SWT(Transform):
    """The stationary wavelet transform of the last `dims` dimensions, of any length, with filters that train.

    Args:
        wavelet: a PyWavelets name, a `pywt.Wavelet` or a `FilterBank`, from which the module makes its own
            `LearnableWaveletFilter`; or a `WaveletFilter` module, used as it is, so that modules can share one. Or a
            list of these, one for each level from fine to coarse.
        level: number of levels; default: that of the wavelets, or 1.
        dims: 1, 2 or 3.
        norm: divide the filters by the root of 2, so that an orthogonal bank keeps the energy.
        learnable: `False` for fixed filters, which are neither parameters nor buffers.
        device: device of the filters.
        dtype: dtype of the filters.

    Shape:
        `(..., n)`, `(..., n, m)` or `(..., n, m, k)` to `Coefficients`, whose list is that of `functional.swt`, `swt2`
        or `swtn` with `trim_approx=True`: bands of the lengths of the input, rounded up to a multiple of `2**level`.

    Attributes:
        filter: as for `DWT`.

    Raises:
        ValueError: unknown wavelet, `level` below 1, `dims` other than 1, 2 or 3, `learnable=False` for a
            `WaveletFilter`.
        TypeError: arguments of another type.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> swt = lw.nn.SWT("db2", level=2)
        >>> x = torch.randn(5, 39)
        >>> result = swt(x)
        >>> [tuple(c.shape) for c in result.coeffs], result.shape
        ([(5, 40), (5, 40), (5, 40)], (39,))
        >>> torch.allclose(lw.nn.ISWT(swt.filter)(result), x, atol=1e-5)
        True
    """

    def __init__(
        self, wavelet: WaveletsLike = "db2", level: int | None = None, dims: int = 1, *, norm: bool = False,
        learnable: bool = True, device: torch.device | str | None = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__(wavelet, dims, learnable, device, dtype)
        wavelets = len(self._own_filters)
        self.level = check_size("level", (wavelets if self._per_level else 1) if level is None else level)
        if self._per_level and self.level != wavelets:
            raise ValueError(f"`level` must be {wavelets}, the number of wavelets, or None, got {level}")
        self.norm = check_flag("norm", norm)

    def forward(self, input: Tensor) -> Coefficients:
        """Return the coefficients, with the lengths that they come from."""
        sizes, bank = self._sizes(input), self.bank(input)
        options: dict[str, Any] = {"trim_approx": True, "norm": self.norm}
        if self.dims == 1:
            return Coefficients(functional.swt(input, bank, self.level, **options), sizes)
        transform = functional.swt2 if self.dims == 2 else functional.swtn
        return Coefficients(transform(input, bank, self.level, axes=self._axes, **options), sizes)

    def extra_repr(self) -> str:
        return f"level={self.level}, norm={self.norm}, {super().extra_repr()}"


class ISWT(Transform):
    """The inverse of `SWT`: it takes what that returns and gives back the shape.

    Args:
        wavelet: as for `SWT`; `swt.filter`, to share the bank.
        dims: as for `SWT`.
        norm: as for `SWT`.
        learnable: as for `SWT`.
        device: device of the filters.
        dtype: dtype of the filters.

    Shape:
        `Coefficients` to the shape of the input of `SWT`; a list without a `shape` to the lengths of its bands.

    Attributes:
        filter: as for `DWT`.

    Raises:
        ValueError: as for `SWT`.
        TypeError: as for `SWT`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(2, 9, 7)
        >>> result = lw.nn.SWT("sym4", level=1, dims=2, learnable=False)(x)
        >>> lw.nn.ISWT("sym4", dims=2, learnable=False)(result).shape
        torch.Size([2, 9, 7])
    """

    def __init__(
        self, wavelet: WaveletsLike = "db2", dims: int = 1, *, norm: bool = False, learnable: bool = True,
        device: torch.device | str | None = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__(wavelet, dims, learnable, device, dtype)
        self.norm = check_flag("norm", norm)

    def forward(self, coeffs: Coefficients | Sequence[Any], shape: Sequence[int] | None = None) -> Tensor:
        """Return the signal, of the given lengths or of those that the coefficients bring along."""
        values, sizes = read_coefficients(coeffs, shape)
        bank = self.bank(first_tensor(values))
        if self.dims == 1:
            return functional.iswt(values, bank, self.norm, n=read_length(sizes))
        if self.dims == 2:
            return functional.iswt2(values, bank, self.norm, shape=sizes)
        return functional.iswtn(values, bank, self._axes, self.norm, shape=sizes)

    def extra_repr(self) -> str:
        return f"norm={self.norm}, {super().extra_repr()}"
