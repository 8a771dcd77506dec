"""Orthonormal banks by construction: a lattice of rotations and delays."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..functional._arguments import check_dtype
from ..functional._bank import FilterBank, WaveletLike
from ..functional._check import compute_dtype
from ..functional._losses import alternating, orthogonality_loss
from ._base import WaveletFilter, read_start, whole


class OrthogonalWaveletFilter(WaveletFilter):
    r"""A lattice of rotation angles: every value of the parameters is an orthonormal bank, at every optimiser step.

    The polyphase row of the low-pass filter is
    $\begin{pmatrix} \cos\theta_0 & \sin\theta_0 \end{pmatrix} \prod_{j=1}^{L/2-1}
    \begin{pmatrix} 1 & 0 \\ 0 & z^{-1} \end{pmatrix} R(\theta_j)$ with the plane rotation R, and conversely every
    orthonormal low-pass filter of L taps has such angles (Vaidyanathan and Hoang). The other three filters follow:
    $h_1[k] = \pm(-1)^k h_0[L-1-k]$, and the reconstruction filters are the reversed decomposition filters.
    So L/2 free numbers replace 4 L, and `regularizer()` is a true zero.

    Args:
        wavelet: where to start: any orthonormal wavelet (haar, db, sym, coif), bank or filter.
        taps: filter length; zeros are added on both sides.
        device: where the parameters live.
        dtype: their dtype.

    Attributes:
        angles: the rotation angles in radians, a parameter of shape `(taps / 2,)`. Their sum is $\pi/4$ (modulo
            $2\pi$) exactly when the low-pass filter passes a constant unchanged; training may leave that.

    Raises:
        ValueError: the wavelet is not orthonormal (so is dmey, a truncated series), is unknown, or `taps` is odd or
            smaller than its length.
        TypeError: `wavelet` or `taps` of another type.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> filter = lw.OrthogonalWaveletFilter("db2", dtype=torch.float64)
        >>> round(filter.angles.sum().item() / torch.pi, 6)
        0.25
        >>> _ = torch.nn.init.normal_(filter.angles)  # any angles at all
        >>> bool(lw.functional.orthogonality_loss(filter) < 1e-25)
        True

    References:
        Vaidyanathan and Hoang, *Lattice structures for optimal design and robust implementation of two-channel
        perfect-reconstruction QMF banks*, IEEE Trans. ASSP 36(1), 1988,
        [doi 10.1109/29.1491](https://doi.org/10.1109/29.1491).
    """

    sign: Tensor

    def __init__(
        self,
        wavelet: WaveletLike = "db2",
        *,
        taps: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_dtype(dtype)
        start, label, rounding = read_start(wavelet, taps)
        defect = float(orthogonality_loss(start))
        if not defect <= rounding**2:  # NaN too; dmey, a truncated series, has 3e-5
            raise ValueError(f"`wavelet` must be orthonormal, got {label} with an orthogonality loss of {defect:.1e}")
        super().__init__(start, label)
        self.angles = nn.Parameter(torch.empty(start.taps // 2, device=device, dtype=dtype))
        self.register_buffer("sign", torch.empty((), device=device, dtype=dtype))  # of the high-pass filter
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        start = self.start_bank()
        self.angles.copy_(torch.tensor(lattice_angles(start.dec_lo.tolist()), dtype=torch.float64, device="cpu"))
        self.sign.copy_(torch.sign(torch.dot(start.dec_hi, _alternating_flip(start.dec_lo))))

    @property
    def filter_bank(self) -> FilterBank:
        low = lattice_filter(whole(self.angles).to(compute_dtype(self.angles.dtype)))
        high = self.sign.to(low.dtype) * _alternating_flip(low)
        return FilterBank(low, high, low.flip(0), high.flip(0))


def _alternating_flip(low: Tensor) -> Tensor:
    """`(-1)^(k+1) low[L-1-k]`, PyWavelets' high-pass filter of an orthonormal low-pass filter."""
    return alternating(low.flip(0))


def lattice_filter(angles: Tensor) -> Tensor:
    """The orthonormal low-pass filter of `2 * len(angles)` taps."""
    cos, sin = angles.cos(), angles.sin()
    even, odd = cos[:1], sin[:1]  # the polyphase components, growing by one coefficient a stage
    zero = angles.new_zeros(1)
    for c, s in zip(cos[1:], sin[1:], strict=True):
        even, odd = torch.cat([even, zero]), torch.cat([zero, odd])
        even, odd = c * even - s * odd, s * even + c * odd
    return torch.stack([even, odd], dim=-1).flatten()


def lattice_angles(low: list[float]) -> list[float]:
    """The angles of an orthonormal filter, by undoing one rotation and one delay at a time.

    A rotation is right when it clears the last even and the first odd coefficient. Orthonormality makes the two
    conditions one; the end with the larger coefficients gives the angle with less rounding.
    """
    even, odd = low[0::2], low[1::2]
    angles = []
    while len(even) > 1:
        if math.hypot(even[0], odd[0]) >= math.hypot(even[-1], odd[-1]):
            angle = math.atan2(odd[0], even[0])
        else:
            angle = math.atan2(-even[-1], odd[-1])
        c, s = math.cos(angle), math.sin(angle)
        pairs = list(zip(even, odd, strict=True))
        even = [c * e + s * o for e, o in pairs][:-1]
        odd = [c * o - s * e for e, o in pairs][1:]
        angles.append(angle)
    angles.append(math.atan2(odd[0], even[0]))
    return angles[::-1]
