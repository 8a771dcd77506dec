"""The four filters of a two-channel filter bank, and how they are read from what users pass as `wavelet`."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeAlias

import pywt
import torch
from torch import Tensor

from .._checks import check_dtype, check_size, check_text
from ..kernels._precision import compute_dtype
from . import _conditions
from ._wavelets import filters_of, named_filters, tensors_of


class FilterBank(NamedTuple):
    """Four 1-D filters of equal, even length, in PyWavelets' order, orientation and signs.

    A tuple of tensors: it unpacks, pickles and passes through `torch.func` as one. The transforms of `functional` take
    filters of shape `(channels, taps)` too, one for each entry of the last axis that they do not transform.

    Attributes:
        dec_lo: decomposition low-pass filter $h_0$, shape `(taps,)`.
        dec_hi: decomposition high-pass filter $h_1$, shape `(taps,)`.
        rec_lo: reconstruction low-pass filter $f_0$, shape `(taps,)`.
        rec_hi: reconstruction high-pass filter $f_1$, shape `(taps,)`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> bank = lw.FilterBank.from_wavelet("haar", dtype=torch.float64)
        >>> bank.taps
        2
        >>> [round(v, 4) for v in bank.dec_hi.tolist()]
        [-0.7071, 0.7071]
    """

    dec_lo: Tensor
    dec_hi: Tensor
    rec_lo: Tensor
    rec_hi: Tensor

    @property
    def taps(self) -> int:
        """Length of each filter."""
        return self.dec_lo.shape[-1]

    @classmethod
    def from_wavelet(
        cls, wavelet: WaveletLike, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> FilterBank:
        """Read the bank of a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.

        Args:
            wavelet: any of the four.
            device: device of the result; default: torch's default device, or that of the given tensors.
            dtype: dtype of the result; default: torch's default dtype, or that of the given tensors.

        Raises:
            ValueError: unknown or continuous wavelet, or filters that are not four of one even length on one device.
            TypeError: `wavelet` is none of the four kinds, or its filters or `dtype` are not real floating point.
        """
        check_dtype(dtype)
        if isinstance(wavelet, str):
            table = named_filters(wavelet)
        elif isinstance(wavelet, pywt.Wavelet):
            table = filters_of(wavelet)
        else:
            bank = cls(*tensors_of(wavelet))
            return bank if device is None and dtype is None else bank.to(device=device, dtype=dtype)
        dtype = dtype or torch.get_default_dtype()
        return cls(*[torch.tensor(taps, device=device, dtype=dtype) for taps in table])

    def to(self, *args: Any, **kwargs: Any) -> FilterBank:
        """Return the bank on another device or in another dtype, with the arguments of `Tensor.to`; differentiable.

        Raises:
            TypeError: the dtype is not real floating point.
        """
        moved = FilterBank(*[f.to(*args, **kwargs) for f in self])
        check_dtype(moved.dec_lo.dtype)
        return moved

    def detach(self) -> FilterBank:
        """Return the same values, cut off from the graph."""
        return FilterBank(*[f.detach() for f in self])

    def pad(self, taps: int) -> FilterBank:
        """Pad each filter with zeros on both sides to `taps`: 2-tap Haar in 6 taps is `(0, 0, a, a, 0, 0)`.

        All four filters shift alike, so that perfect reconstruction and the delay `taps - 1` stay as they are.

        Raises:
            ValueError: `taps` is odd or smaller than the filters.
            TypeError: `taps` is not an int.
        """
        extra = check_size("taps", taps) - self.taps
        if extra < 0 or extra % 2:
            raise ValueError(f"`taps` must be even and at least the {self.taps} taps of the wavelet, got {taps}")
        return FilterBank(*[torch.nn.functional.pad(f, (extra // 2, extra - extra // 2)) for f in self])

    def to_pywt(self, name: str = "learned") -> pywt.Wavelet:
        """Return the bank as a `pywt.Wavelet`.

        Its `orthogonal` and `biorthogonal` are true if the filters have the property up to the rounding of their dtype.

        Raises:
            ValueError: the filters are meta tensors.
            TypeError: `name` is not a string.
        """
        bank = in_double(self)
        wavelet = pywt.Wavelet(check_text("name", name), filter_bank=[f.tolist() for f in bank])
        inverse = _conditions.reconstruction(*bank) + _conditions.aliasing(*bank)
        noise = 2 * torch.finfo(self.dec_lo.dtype).eps * self.taps**0.5  # of half types above that of the tables
        zero = max(rounding(self.dec_lo.dtype), noise) ** 2
        wavelet.biorthogonal, wavelet.orthogonal = bool(inverse < zero), bool(_conditions.orthogonality(*bank) < zero)
        return wavelet


class HasFilterBank(Protocol):
    """An object with a bank, above all a `WaveletFilter` module."""

    @property
    def filter_bank(self) -> FilterBank: ...


WaveletLike: TypeAlias = "str | pywt.Wavelet | FilterBank | HasFilterBank"


def rounding(dtype: torch.dtype) -> float:
    """Return the tolerance for comparing taps: 1e-9 for float64, PyWavelets' tables are no better; else 1e-5."""
    return 1e-9 if dtype == torch.float64 else 1e-5


def in_double(bank: FilterBank) -> FilterBank:
    """Return the values of a bank in float64, on the CPU and without a graph."""
    if bank.dec_lo.is_meta:
        raise ValueError("`wavelet` must have filters with values, got meta tensors")
    return bank.detach().to(device="cpu", dtype=torch.float64)


def bank_for(wavelet: WaveletLike, data: Tensor, name: str = "data") -> FilterBank:
    """Return the bank on the device of `data`, in the dtype in which `data` is computed."""
    # a name or a pywt.Wavelet has no device of its own and follows the data; tensors stay where they are
    dtype = compute_dtype(data.dtype)
    if isinstance(wavelet, (str, pywt.Wavelet)):
        return FilterBank.from_wavelet(wavelet, device=data.device, dtype=dtype)
    return check_device(FilterBank(*tensors_of(wavelet, by_channel=True)).to(dtype=dtype), data, name)


def check_device(bank: FilterBank, data: Tensor, name: str = "data") -> FilterBank:
    if bank.dec_lo.device != data.device:
        raise ValueError(f"`wavelet` must be on the device of `{name}`, {data.device}, got {bank.dec_lo.device}")
    return bank
