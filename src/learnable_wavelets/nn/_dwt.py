"""Wavelet transforms as modules, with filters that train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, is_tensor, nn
from torch.utils._pytree import _register_namedtuple

from .. import functional
from .._checks import check_flag, check_int, check_mode, check_signal, shown
from ..filters import LearnableWaveletFilter, WaveletFilter
from ..filters._base import read_start, real_tensors
from ..functional._axes import read_sizes
from ..functional._bank import FilterBank, WaveletLike
from ..kernels._precision import compute_dtype


class Coefficients(NamedTuple):
    """The result of `DWT` and `SWT`: what their inverse needs to return the shape of the input.

    Attributes:
        coeffs: PyWavelets' list: `[cA_n, details_n, ..., details_1]`, with tensors, triples or dicts of details for 1,
            2 or 3 dimensions.
        shape: the lengths of the transformed axes.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> coeffs, shape = lw.nn.DWT("haar", level=1)(torch.randn(5, 9))
        >>> [tuple(c.shape) for c in coeffs], shape
        ([(5, 5), (5, 5)], (9,))
    """

    coeffs: list[Any]
    shape: tuple[int, ...]

    def map_details(self, function: Callable[[int, int, Tensor], Tensor]) -> Coefficients:
        """Replace each detail band by `function(level, band, tensor)`, both counted as in the list, from 0."""
        cA, *details = self.coeffs
        return self._replace(coeffs=[cA, *[_map_bands(function, i, bands) for i, bands in enumerate(details)]])


# `torch.export.save` asks for a name of every class in what a program returns
_register_namedtuple(Coefficients, serialized_type_name="learnable_wavelets.nn.Coefficients")


def _map_bands(function: Callable[[int, int, Tensor], Tensor], level: int, bands: Any) -> Any:
    if isinstance(bands, Mapping):
        return {key: function(level, i, band) for i, (key, band) in enumerate(bands.items())}
    if isinstance(bands, (list, tuple)):
        return tuple(function(level, i, band) for i, band in enumerate(bands))
    return function(level, 0, bands)


WaveletsLike: TypeAlias = "WaveletLike | list[WaveletLike] | nn.ModuleList"


class Transform(nn.Module):
    """Base of the four transforms: the bank, or one for each level, and the number of transformed dimensions."""

    filter: WaveletFilter | nn.ModuleList | None

    def __init__(
        self, wavelet: WaveletsLike, dims: int, learnable: bool, device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.dims = check_int("dims", dims)
        if not 1 <= self.dims <= 3:
            raise ValueError(f"`dims` must be 1, 2 or 3, got {dims}")
        wavelets, self._per_level = _listed(wavelet)
        shared = [isinstance(one, WaveletFilter) for one in wavelets]
        self._fixed, self.filter = None, None
        if check_flag("learnable", learnable):
            filters = [
                one if known else LearnableWaveletFilter(one, device=device, dtype=dtype)
                for one, known in zip(wavelets, shared, strict=True)
            ]
            self.filter = nn.ModuleList(filters) if self._per_level else filters[0]
        elif any(shared):
            raise ValueError("`learnable` must be True for a WaveletFilter; freeze its parameters instead, got False")
        else:
            with real_tensors():
                starts = [read_start(one) for one in wavelets]
                self._fixed = tuple(tuple(tuple(f.tolist()) for f in start.bank) for start in starts)
            self._label = ", ".join(start.label for start in starts)
        self._own_filters = tuple(learnable and not known for known in shared)

    def reset_parameters(self) -> None:
        """Restart the banks that the module made."""
        for filter, own in zip(_listed(self.filter)[0], self._own_filters, strict=False):
            if own:
                filter.reset_parameters()

    def bank(self, like: Tensor) -> FilterBank | functional.PerLevel:
        """Return the filters for data like this: the present ones, or the fixed ones."""
        if self._fixed is None:
            banks = [filter() for filter in _listed(self.filter)[0]]
        else:
            dtype = compute_dtype(like.dtype)
            banks = [
                FilterBank(*[torch.tensor(taps, device=like.device, dtype=dtype) for taps in bank])
                for bank in self._fixed
            ]
        return functional.PerLevel(banks) if self._per_level else banks[0]

    def extra_repr(self) -> str:
        return f"dims={self.dims}" if self._fixed is None else f"{self._label}, dims={self.dims}, learnable=False"

    def _sizes(self, input: Any) -> tuple[int, ...]:
        """Return the lengths of the last axes, of which there must be enough."""
        if check_signal(input, "input").dim() < self.dims:
            raise ValueError(f"`input` must have at least {self.dims} dimensions, got shape {tuple(input.shape)}")
        return tuple(input.shape[-self.dims :])

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-self.dims, 0))


def _listed(wavelet: Any) -> tuple[list[Any], bool]:
    """Return the wavelets of the levels, and if there is a list of them."""
    if type(wavelet) is tuple and not all(map(is_tensor, wavelet)):  # which `functional` reads as one for each axis
        raise TypeError("`wavelet` must be a list for one wavelet at each level, got tuple")
    several = isinstance(wavelet, (list, nn.ModuleList))
    if several and not len(wavelet):
        raise ValueError("`wavelet` must have a wavelet for each level, got none")
    return ([*wavelet], True) if several else ([wavelet], False)


class DWT(Transform):
    r"""The multilevel wavelet transform of the last `dims` dimensions, with filters that train.

    Args:
        wavelet: a PyWavelets name, a `pywt.Wavelet` or a `FilterBank`, from which the module makes its own
            `LearnableWaveletFilter`; or a `WaveletFilter` module, used as it is, so that modules can share one. Or a
            list of these, one for each level from fine to coarse.
        level: number of levels; default: that of the wavelets, or the deepest useful one, as for `functional.wavedec`.
        mode: one of PyWavelets' nine signal extension modes.
        dims: 1, 2 or 3.
        learnable: `False` for fixed filters, which are neither parameters nor buffers.
        device: device of the filters.
        dtype: dtype of the filters.

    Shape:
        `(..., n)`, `(..., n, m)` or `(..., n, m, k)` to `Coefficients`, whose list is that of `functional.wavedec`,
        `wavedec2` or `wavedecn`.

    Attributes:
        filter: the `WaveletFilter`, a `ModuleList` of them if there is one for each level, `None` if they are fixed.
            `wavelet_regularizer` finds them.

    Raises:
        ValueError: unknown wavelet or mode, `dims` other than 1, 2 or 3, `learnable=False` for a `WaveletFilter`.
        TypeError: arguments of another type.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> dwt = lw.nn.DWT("db2", level=2, dims=2)
        >>> idwt = lw.nn.IDWT(dwt.filter, dims=2)
        >>> x = torch.randn(4, 3, 33, 30)
        >>> result = dwt(x)
        >>> result.coeffs[0].shape, result.shape
        (torch.Size([4, 3, 10, 9]), (33, 30))
        >>> torch.allclose(idwt(result), x, atol=1e-5)
        True
        >>> len([*dwt.parameters()]), len([*lw.nn.DWT("db2", learnable=False).parameters()])
        (4, 0)
        >>> per_level = lw.nn.DWT(["bior4.4", "haar"])
        >>> back = lw.nn.IDWT(per_level.filter)
        >>> torch.allclose(back(per_level(x)), x, atol=1e-5), len([*per_level.parameters()])
        (True, 8)
    """

    def __init__(
        self, wavelet: WaveletsLike = "db2", level: int | None = None, mode: str = "symmetric", dims: int = 1, *,
        learnable: bool = True, device: torch.device | str | None = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__(wavelet, dims, learnable, device, dtype)
        self.level, self.mode = None if level is None else check_int("level", level), check_mode(mode)
        if self.level is not None and self.level < 0:
            raise ValueError(f"`level` must be at least 0, got {level}")
        if self._per_level and self.level not in (None, len(self._own_filters)):
            raise ValueError(f"`level` must be {len(self._own_filters)}, the number of wavelets, or None, got {level}")

    def forward(self, input: Tensor) -> Coefficients:
        """Return the coefficients, with the lengths that they come from."""
        sizes, bank = self._sizes(input), self.bank(input)
        if self.dims == 1:
            return Coefficients(functional.wavedec(input, bank, self.mode, self.level), sizes)
        transform = functional.wavedec2 if self.dims == 2 else functional.wavedecn
        return Coefficients(transform(input, bank, self.mode, self.level, self._axes), sizes)

    def extra_repr(self) -> str:
        return f"level={self.level}, mode={self.mode!r}, {super().extra_repr()}"


class IDWT(Transform):
    """The inverse of `DWT`: it takes what that returns and gives back the shape.

    Args:
        wavelet: as for `DWT`; `dwt.filter`, to share the bank.
        mode: as for `DWT`.
        dims: as for `DWT`.
        learnable: as for `DWT`.
        device: device of the filters.
        dtype: dtype of the filters.

    Shape:
        `Coefficients` to the shape of the input of `DWT`; a list without a `shape` is inverted as PyWavelets does, with
        one sample more where a length was odd.

    Attributes:
        filter: as for `DWT`.

    Raises:
        ValueError: as for `DWT`.
        TypeError: as for `DWT`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> x = torch.randn(2, 17)
        >>> coeffs, shape = lw.nn.DWT("haar", level=2, learnable=False)(x)
        >>> idwt = lw.nn.IDWT("haar", learnable=False)
        >>> idwt(coeffs, shape).shape, idwt(coeffs).shape
        (torch.Size([2, 17]), torch.Size([2, 18]))
    """

    def __init__(
        self, wavelet: WaveletsLike = "db2", mode: str = "symmetric", dims: int = 1, *, learnable: bool = True,
        device: torch.device | str | None = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__(wavelet, dims, learnable, device, dtype)
        self.mode = check_mode(mode)

    def forward(self, coeffs: Coefficients | Sequence[Any], shape: Sequence[int] | None = None) -> Tensor:
        """Return the signal, of the given lengths or of those that the coefficients bring along."""
        values, sizes = read_coefficients(coeffs, shape)
        bank = self.bank(first_tensor(values))
        if self.dims == 1:
            return functional.waverec(values, bank, self.mode, n=read_length(sizes))
        transform = functional.waverec2 if self.dims == 2 else functional.waverecn
        return transform(values, bank, self.mode, self._axes, shape=sizes)

    def extra_repr(self) -> str:
        return f"mode={self.mode!r}, {super().extra_repr()}"


def read_coefficients(coeffs: Any, shape: Any) -> tuple[Sequence[Any], Sequence[int] | None]:
    """Return the list and the lengths, from `Coefficients` or from the two."""
    if isinstance(coeffs, Coefficients):
        return coeffs.coeffs, coeffs.shape if shape is None else shape
    if not isinstance(coeffs, (list, tuple)):
        raise TypeError(f"`coeffs` must be `Coefficients` or a list, got {type(coeffs).__name__}")
    return coeffs, shape


def read_length(shape: Any) -> int | None:
    """Return the one length of a `shape`, or `None`."""
    return None if shape is None else read_sizes(shape, (-1,))[0]


def first_tensor(coeffs: Sequence[Any]) -> Tensor:
    for entry in coeffs:
        bands = entry.values() if isinstance(entry, Mapping) else entry if isinstance(entry, (list, tuple)) else [entry]
        for band in bands:
            if isinstance(band, Tensor):
                return band
    raise ValueError(f"`coeffs` must hold at least one tensor, got {shown(coeffs)}")
