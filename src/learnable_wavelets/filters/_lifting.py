"""Biorthogonal banks with perfect reconstruction by construction: lifting steps."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from .._checks import check_dtype
from ..functional._bank import FilterBank, WaveletLike
from ..functional._conditions import alternating
from ..kernels._precision import compute_dtype
from ._base import WaveletFilter, copy_into, read_start, real_tensors, unsharded
from ._laurent import UNFACTORED, Factorisation, factor


class BiorthogonalWaveletFilter(WaveletFilter):
    r"""Lifting steps: every value of the parameters is a bank with perfect reconstruction, orthogonal or not.

    The polyphase matrix of the decomposition is factored as
    $\begin{pmatrix} 1 & 0 \\ u(z) & 1 \end{pmatrix} \begin{pmatrix} K & 0 \\ 0 & c/K \end{pmatrix}
    \prod_i \begin{pmatrix} 1 & s_i(z) \\ 0 & 1 \end{pmatrix} \begin{pmatrix} 1 & 0 \\ t_i(z) & 1 \end{pmatrix}$
    up to delays, by the Euclidean algorithm. Its determinant is a delay for every $u, s_i, t_i$ and $K \neq 0$, so
    $f_0 = \pm m h_1$, $f_1 = \mp m h_0$ (m alternates in sign) reconstruct exactly, and `regularizer()` is a true zero.
    Unlike an orthonormal bank, this one may amplify: check `functional.orthogonality_loss` if that matters.

    Args:
        wavelet: the start: a biorthogonal or orthogonal wavelet (bior, rbio, db, sym, coif), bank or filter.
        device: device of the parameters.
        dtype: dtype of the parameters.

    Attributes:
        steps: the coefficients of $u$ (if the wavelet has it) and of each $s_i, t_i$, a `ParameterList`.
        log_scale: $\log |K|$, a parameter of shape `(1,)`: `fully_shard` takes no scalars.

    Notes:
        The state holds the coefficients, not the factors that they belong to: load it into a filter that was made from
        the same wavelet.

    Raises:
        ValueError: unknown wavelet, one that does not reconstruct (dmey, a truncated series), or one too long to be
            factored in double precision (db15, sym14, coif7 and most above: take `OrthogonalWaveletFilter`).
        TypeError: `wavelet` of another type.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> filter = lw.BiorthogonalWaveletFilter("bior2.2", dtype=torch.float64)
        >>> [step.detach().round(decimals=4).tolist() for step in filter.steps]  # the 5/3 wavelet of JPEG 2000
        [[-0.5, -0.5], [0.25, 0.25]]
        >>> _ = [torch.nn.init.normal_(p) for p in filter.parameters()]  # any steps at all
        >>> bool(lw.functional.perfect_reconstruction_loss(filter) < 1e-20)
        True

    References:
        Daubechies and Sweldens, *Factoring wavelet transforms into lifting steps*, J. Fourier Anal. Appl. 4(3), 1998,
        [doi 10.1007/BF02476026](https://doi.org/10.1007/BF02476026).
    """

    def __init__(
        self,
        wavelet: WaveletLike = "bior2.2",
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_dtype(dtype)
        with real_tensors():
            start, label, rounding = read_start(wavelet)
            try:
                plan = factor(start.dec_lo.tolist(), start.dec_hi.tolist(), rounding)
            except ValueError as error:
                raise ValueError(f"{error}, got {label}") from None
            first, last = _support(_columns(plan, *_initial(plan)))
            if first < 0 or last >= start.taps:  # rounding took a coefficient for a zero, or a zero for a coefficient
                raise ValueError(f"{UNFACTORED}, got {label}")
            super().__init__(start, label)
            self._rec_scale = _reconstruction_scale(start, rounding)
            self._plan = plan.with_determinant(1 / self._rec_scale)
            _check_reproduced(self._multiply_out(*_initial(plan)), start, label, rounding)
        self.steps = nn.ParameterList(
            torch.empty(len(values), device=device, dtype=dtype) for values in _step_values(self._plan)
        )
        self.log_scale = nn.Parameter(torch.empty(1, device=device, dtype=dtype))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        values, log_scale = _initial(self._plan)
        for step, value in zip(self.steps, values, strict=True):
            copy_into(step, value)
        copy_into(self.log_scale, log_scale)

    def forward(self) -> FilterBank:
        dtype = compute_dtype(self.log_scale.dtype)
        steps = [unsharded(step).to(dtype) for step in self.steps]
        return self._multiply_out(steps, unsharded(self.log_scale).to(dtype))

    def _multiply_out(self, steps: list[Tensor], log_scale: Tensor) -> FilterBank:
        even, odd = _columns(self._plan, steps, log_scale)
        low, high = _interleave(even, odd, len(self))
        return FilterBank(low, high, self._rec_scale * alternating(high), -self._rec_scale * alternating(low))


class _Column(NamedTuple):
    """One polyphase column: coefficients `(2, size)`, rows low and high, the first at z^-offset."""

    coeffs: Tensor
    offset: int

    @property
    def end(self) -> int:
        return self.offset + self.coeffs.shape[-1]


def _step_values(plan: Factorisation) -> list[tuple[float, ...]]:
    """Return the row step first, if there is one, then the column steps."""
    row = [plan.row_step.coeffs] if plan.row_step.coeffs else []
    return row + [step.factor.coeffs for step in plan.column_steps]


def _initial(plan: Factorisation) -> tuple[list[Tensor], Tensor]:
    values = [torch.tensor(v, dtype=torch.float64, device="cpu") for v in _step_values(plan)]
    return values, torch.tensor([math.log(abs(plan.scales[0]))], dtype=torch.float64, device="cpu")


def _columns(plan: Factorisation, steps: list[Tensor], log_scale: Tensor) -> tuple[_Column, _Column]:
    """Multiply the factors out."""
    scale = math.copysign(1.0, plan.scales[0]) * log_scale.exp()
    other = plan.scales[0] * plan.scales[1] / scale  # the determinant stays what it was
    zero = torch.zeros_like(scale)
    column_steps = list(steps)
    pivot = _Column(torch.stack([scale, zero]), plan.shifts[0])
    if plan.row_step.coeffs:
        row = scale * column_steps.pop(0)
        gain = _Column(torch.stack([torch.zeros_like(row), row]), plan.shifts[0] + plan.row_step.offset)
        pivot = _add(pivot, gain)
    columns = [pivot, _Column(torch.stack([zero, other]), plan.shifts[1])]
    if plan.column == 1:
        columns.reverse()
    for step, values in zip(reversed(plan.column_steps), reversed(column_steps), strict=True):
        source = columns[1 - step.target]
        gain = _Column(_convolve_rows(source.coeffs, values), source.offset + step.factor.offset)
        columns[step.target] = _add(columns[step.target], gain)
    return columns[0], columns[1]


def _add(a: _Column, b: _Column) -> _Column:
    first, end = min(a.offset, b.offset), max(a.end, b.end)
    return _Column(sum(pad(c.coeffs, (c.offset - first, end - c.end)) for c in (a, b)), first)  # type: ignore[arg-type]


def _convolve_rows(rows: Tensor, values: Tensor) -> Tensor:
    size = values.shape[0]
    # no matrix product: autocast would take it to half precision
    return (pad(rows, (size - 1, size - 1)).unfold(-1, size, 1) * values.flip(0)).sum(-1)


def _support(columns: tuple[_Column, _Column]) -> tuple[int, int]:
    """Return the first and the last tap that the interleaved columns may fill."""
    even, odd = columns
    return min(2 * even.offset, 2 * odd.offset + 1), max(2 * even.end - 2, 2 * odd.end - 1)


def _interleave(even: _Column, odd: _Column, taps: int) -> Tensor:
    """Interleave the columns to rows of `taps` taps."""
    start, end = min(even.offset, odd.offset), max(even.end, odd.end)
    both = [pad(c.coeffs, (c.offset - start, end - c.end)) for c in (even, odd)]
    taps_of = torch.stack(both, dim=-1).flatten(-2)
    return pad(taps_of, (2 * start, taps - 2 * end))


def _reconstruction_scale(start: FilterBank, rounding: float) -> float:
    """Return the ratio of rec_lo to the alternating dec_hi: 1 for PyWavelets' banks, -1 after an odd padding."""
    scale = float(torch.dot(start.rec_lo, alternating(start.dec_hi)) / start.dec_hi.square().sum())
    return round(scale) if abs(abs(scale) - 1) < 10 * rounding else scale  # free of the rounding of the tables


def _check_reproduced(bank: FilterBank, start: FilterBank, label: str, rounding: float) -> None:
    error = max(float((a - b).abs().max()) for a, b in zip(bank, start, strict=True))
    if not error < 10 * rounding:
        raise ValueError(f"{UNFACTORED}, got {label}, off by {error:.1e}")
