"""The four filters of a two-channel filter bank, and where they may come from."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeAlias

import pywt
import torch
from torch import Tensor

from ._arguments import check_dtype, check_int


class FilterBank(NamedTuple):
    """Four 1-D filters of equal, even length, in PyWavelets' order, orientation and signs.

    A plain tuple of tensors: it unpacks, pickles and passes through `torch.func` as one.

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
        """The bank of a PyWavelets name, a `pywt.Wavelet`, a `FilterBank` or a `WaveletFilter`.

        Args:
            wavelet: what to read the four filters from.
            device: where the result lives; default: torch's default device, or where the given tensors live.
            dtype: its dtype; default: torch's default dtype, or that of the given tensors.

        Raises:
            ValueError: unknown or continuous wavelet, or filters that are not four equal even lengths.
            TypeError: `wavelet` is none of the four kinds, or its filters or `dtype` are not real floating point.
        """
        check_dtype(dtype)
        if isinstance(wavelet, (str, pywt.Wavelet)):
            table = _named_filters(wavelet) if isinstance(wavelet, str) else _filters(wavelet)
            return cls(*(torch.tensor(f, device=device, dtype=dtype or torch.get_default_dtype()) for f in table))
        return _tensor_bank(wavelet).to(device=device, dtype=dtype)

    def to(self, *args: Any, **kwargs: Any) -> FilterBank:
        """The same bank on another device or in another dtype, with the arguments of `Tensor.to`; differentiable.

        Raises:
            TypeError: the dtype is not real floating point.
        """
        moved = FilterBank(*(f.to(*args, **kwargs) for f in self))
        check_dtype(moved.dec_lo.dtype)
        return moved

    def detach(self) -> FilterBank:
        """The same values, cut off from the graph."""
        return FilterBank(*(f.detach() for f in self))

    def pad(self, taps: int) -> FilterBank:
        """The bank with zeros on both sides of each filter, `taps` long: 2-tap Haar in 6 taps is `(0, 0, a, a, 0, 0)`.

        All four filters shift alike, so that perfect reconstruction and the delay `taps - 1` stay as they are.

        Raises:
            ValueError: `taps` is odd or smaller than the filters.
            TypeError: `taps` is no int.
        """
        extra = check_int("taps", taps) - self.taps
        if extra < 0 or taps % 2:
            raise ValueError(f"`taps` must be even and at least the {self.taps} taps of the wavelet, got {taps}")
        return FilterBank(*(torch.nn.functional.pad(f, (extra // 2, extra - extra // 2)) for f in self))

    def to_pywt(self, name: str = "learned") -> pywt.Wavelet:
        """The bank as a `pywt.Wavelet`, for every tool that speaks PyWavelets.

        Its `orthogonal` and `biorthogonal` say what the filters are, up to the rounding of their dtype.
        """
        from . import _losses  # which imports this module

        bank = self.detach().to(device="cpu", dtype=torch.float64)
        wavelet = pywt.Wavelet(name, filter_bank=[f.tolist() for f in bank])
        inverse = _losses.perfect_reconstruction_loss(bank) + _losses.alias_cancellation_loss(bank)
        noise = 2 * torch.finfo(self.dec_lo.dtype).eps * self.taps**0.5  # of half types above that of the tables
        zero = max(rounding(self.dec_lo.dtype), noise) ** 2
        wavelet.biorthogonal, wavelet.orthogonal = bool(inverse < zero), bool(_losses.orthogonality_loss(bank) < zero)
        return wavelet


class HasFilterBank(Protocol):
    """Anything that yields a bank, above all a `WaveletFilter` module."""

    @property
    def filter_bank(self) -> FilterBank: ...


def rounding(dtype: torch.dtype) -> float:
    """Far above the error of taps, far below the taps: 1e-9 covers PyWavelets' tables, 1e-5 float32."""
    return 1e-9 if dtype == torch.float64 else 1e-5


_Filter: TypeAlias = tuple[float, ...]
_Table: TypeAlias = tuple[_Filter, _Filter, _Filter, _Filter]
WaveletLike: TypeAlias = "str | pywt.Wavelet | FilterBank | HasFilterBank"


def _named_filters(name: str) -> _Table:
    names = pywt.wavelist(kind="discrete")
    if name.lower() in pywt.wavelist(kind="continuous"):
        raise ValueError(f"`wavelet` must be a discrete wavelet, got the continuous {name!r}")
    if name.lower() not in names:
        raise ValueError(f"`wavelet` must be one of {', '.join(names)}; got {name!r}")
    return _filters(pywt.Wavelet(name))


# PyWavelets is not for dynamo to trace. What `torch.compiler.assume_constant_result` sets; that imports all of dynamo,
# half of our import time, and with it Triton.
_named_filters._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _filters(wavelet: pywt.Wavelet) -> _Table:
    low, high, rec_low, rec_high = (tuple(f) for f in wavelet.filter_bank)
    if len({len(low), len(high), len(rec_low), len(rec_high)}) > 1 or len(low) % 2 or not low:
        lengths = (len(low), len(high), len(rec_low), len(rec_high))
        raise ValueError(f"`wavelet` must have four filters of one even length, got lengths {lengths}")
    return low, high, rec_low, rec_high


def _own_bank(wavelet: Any) -> object:
    """Its `filter_bank`, made once, or itself; an error inside the property of a class is the user's to see."""
    if hasattr(type(wavelet), "filter_bank"):
        return wavelet.filter_bank
    return getattr(wavelet, "filter_bank", wavelet)


def _tensor_bank(wavelet: object) -> FilterBank:
    bank = _own_bank(wavelet)
    if isinstance(bank, pywt.ContinuousWavelet):
        raise ValueError(f"`wavelet` must be a discrete wavelet, got the continuous {bank.name!r}")
    if not (isinstance(bank, tuple) and len(bank) == 4 and all(isinstance(f, Tensor) for f in bank)):
        kinds = "a pywt name, a pywt.Wavelet, a FilterBank or a WaveletFilter"
        raise TypeError(f"`wavelet` must be {kinds}, got {type(wavelet).__name__}")
    if not all(f.is_floating_point() for f in bank):
        raise TypeError(f"`wavelet` must have real floating-point filters, got {[f.dtype for f in bank]}")
    if len({f.device for f in bank}) > 1:
        raise ValueError(f"`wavelet` must have its four filters on one device, got {[str(f.device) for f in bank]}")
    shapes = [tuple(f.shape) for f in bank]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0][0] % 2 or shapes[0][0] == 0:
        raise ValueError(f"`wavelet` must have four 1-D filters of one even length, got shapes {shapes}")
    return FilterBank(*bank)
