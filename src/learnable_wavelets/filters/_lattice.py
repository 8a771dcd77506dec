"""Orthonormal banks by construction: a lattice of rotations and delays."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn

from .._checks import check_dtype
from ..functional._bank import FilterBank, WaveletLike
from ..functional._conditions import alternating, orthogonality
from ..kernels._precision import compute_dtype
from ._base import WaveletFilter, copy_into, read_start, real_tensors, unsharded

_NEAR = 1e-4  # orthogonality losses: dmey 2e-5, the next wavelet (bior6.8) 5e-2
_ATTEMPTS = 12  # to project dmey, whose 62 taps leave the conditions almost dependent: the nearest result counts


class OrthogonalWaveletFilter(WaveletFilter):
    r"""A lattice of rotation angles: every value of the parameters is an orthonormal bank, at every optimiser step.

    The polyphase row of the low-pass filter is
    $\begin{pmatrix} \cos\theta_0 & \sin\theta_0 \end{pmatrix} \prod_{j=1}^{L/2-1}
    \begin{pmatrix} 1 & 0 \\ 0 & z^{-1} \end{pmatrix} R(\theta_j)$ with the plane rotation R, and conversely every
    orthonormal low-pass filter of L taps has such angles (Vaidyanathan and Hoang). The other three filters follow:
    $h_1[k] = \pm(-1)^k h_0[L-1-k]$, and the reconstruction filters are the reversed decomposition filters.
    So L/2 free numbers replace 4 L, and `regularizer()` is a true zero.

    Args:
        wavelet: the start: an orthonormal wavelet (haar, db, sym, coif), bank or filter. From a nearly orthonormal one
            (dmey, a truncated series) the filter starts at the nearest orthonormal bank, with a warning.
        taps: filter length; zeros are added on both sides.
        device: device of the parameters.
        dtype: dtype of the parameters.

    Attributes:
        angles: the rotation angles in radians, a parameter of shape `(taps / 2,)`. Their sum is $\pi/4$ (modulo
            $2\pi$) exactly when the low-pass filter passes a constant unchanged; training may leave that.
        sign: 1 or -1, the sign of the high-pass filter: a number, and so not in the keys of the state. A state that was
            saved with the other sign is refused.

    Raises:
        ValueError: the wavelet is not orthonormal, is unknown, or `taps` is odd or smaller than its length.
        TypeError: `wavelet` or `taps` of another type.

    Warns:
        UserWarning: the wavelet is only nearly orthonormal; the message has the largest difference of the taps.

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

    _CONFIGURATION = ("sign",)

    def __init__(
        self,
        wavelet: WaveletLike = "db2",
        *,
        taps: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_dtype(dtype)
        with real_tensors():
            start, label = _orthonormal_start(wavelet, taps)
            super().__init__(start, label)
            self.sign = _sign(start)
        self.angles = nn.Parameter(torch.empty(len(self) // 2, device=device, dtype=dtype))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        angles = lattice_angles([*self._start[0]])
        copy_into(self.angles, torch.tensor(angles, dtype=torch.float64, device="cpu"))

    def forward(self) -> FilterBank:
        low = lattice_filter(unsharded(self.angles).to(compute_dtype(self.angles.dtype)))
        return _bank(low, self.sign)


def _orthonormal_start(wavelet: WaveletLike, taps: int | None) -> tuple[FilterBank, str]:
    """Read the bank to start from; of one that is nearly orthonormal, the nearest that is."""
    start, label, rounding = read_start(wavelet, taps)
    loss = float(orthogonality(*start))
    if not loss <= _NEAR:  # NaN too
        raise ValueError(f"`wavelet` must be orthonormal, got {label} with an orthogonality loss of {loss:.1e}")
    if loss > rounding**2:
        given, start = start, nearest_bank(start)
        apart = max(float((a - b).abs().max()) for a, b in zip(given, start, strict=True))
        nearest = f"the nearest orthonormal bank is taken, whose taps differ by up to {apart:.1e}"
        warnings.warn(f"`wavelet` {label} is not orthonormal: {nearest}", stacklevel=3)
    return start, label


def _bank(low: Tensor, sign: float) -> FilterBank:
    high = sign * _alternating_flip(low)
    return FilterBank(low, high, low.flip(0), high.flip(0))


def _sign(bank: FilterBank) -> float:
    """Return -1 if the high-pass filter is the negative of PyWavelets' choice, else 1."""
    return math.copysign(1.0, float((bank.dec_hi * _alternating_flip(bank.dec_lo)).sum()))


def _alternating_flip(low: Tensor) -> Tensor:
    """Return `(-1)^(k+1) low[L-1-k]`, PyWavelets' high-pass filter of an orthonormal low-pass filter."""
    return alternating(low.flip(0))


def lattice_filter(angles: Tensor) -> Tensor:
    """Return the orthonormal low-pass filter of `2 * len(angles)` taps."""
    cos, sin = angles.cos(), angles.sin()
    even, odd = cos[:1], sin[:1]  # the polyphase components, growing by one coefficient a stage
    zero = angles.new_zeros(1)
    for c, s in zip(cos[1:], sin[1:], strict=True):
        even, odd = torch.cat([even, zero]), torch.cat([zero, odd])
        even, odd = c * even - s * odd, s * even + c * odd
    return torch.stack([even, odd], dim=-1).flatten()


def lattice_angles(low: list[float]) -> list[float]:
    """Find the angles of an orthonormal filter by undoing one rotation and one delay at a time.

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


@torch.no_grad()
def nearest_bank(bank: FilterBank) -> FilterBank:
    """Find an orthonormal bank as near as possible, by the sum of squared differences, to a nearly orthonormal one.

    The four filters of an orthonormal bank are copies of one, up to order and signs, so that the mean of the four given
    ones is all that counts.
    """
    sign = _sign(bank)
    highs = _alternating_flip(bank.dec_hi) + _alternating_flip(bank.rec_hi.flip(0))
    low = (bank.dec_lo + bank.rec_lo.flip(0) - sign * highs) / 4
    angles = [lattice_angles(_projected(low, steps).tolist()) for steps in range(_ATTEMPTS)]
    exact = [lattice_filter(torch.tensor(a, dtype=low.dtype, device=low.device)) for a in angles]
    return _bank(min(exact, key=lambda h: float((h - low).square().sum())), sign)


def _projected(low: Tensor, steps: int) -> Tensor:
    """Move `low` to where its inner products at even shifts are 0 and 1: `steps` towards the nearest, then Newton's."""
    taps, point = low.shape[0], low
    for step in range(steps + 10):
        shifted = torch.nn.functional.pad(point, (taps - 2, taps - 2)).unfold(0, taps, 2)  # by 2 - taps, ..., taps - 2
        right, left = shifted[taps // 2 - 1 :], shifted[: taps // 2].flip(0)
        defect = (right * point).sum(-1)
        defect[0] -= 1
        origin = low if step < steps else point
        gradient = right + left
        residual = defect + (gradient * (origin - point)).sum(-1)
        point = origin - (torch.linalg.pinv(gradient, rtol=1e-12) * residual).sum(-1)
    return point
