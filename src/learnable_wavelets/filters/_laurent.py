"""Laurent polynomials and the Euclidean algorithm that factors a filter bank into lifting steps.

Plain float arithmetic on short lists, run once when a filter is made; nothing here is differentiated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

# The search is pruned by its bound and ends after some hundred divisions; this guards against unusual user banks.
_MAX_DIVISIONS = 20_000
UNFACTORED = "`wavelet` must have perfect reconstruction and be short enough to be factored into lifting steps"


@dataclass(frozen=True)
class Laurent:
    r"""$\sum_k \mathrm{coeffs}[k]\, z^{-(\mathrm{offset} + k)}$."""

    coeffs: tuple[float, ...]
    offset: int
    zero: float
    """Coefficients up to this size are zeros with rounding errors."""

    @staticmethod
    def trimmed(coeffs: list[float], offset: int, zero: float) -> Laurent:
        """Drop the zeros at both ends."""
        nonzero = [k for k, c in enumerate(coeffs) if abs(c) > zero]
        if not nonzero:
            return Laurent((), 0, zero)
        return Laurent(tuple(coeffs[nonzero[0] : nonzero[-1] + 1]), offset + nonzero[0], zero)

    @property
    def end(self) -> int:
        return self.offset + len(self.coeffs)

    def minus_product(self, a: Laurent, b: Laurent) -> Laurent:
        """Return `self - a b`."""
        if not (a.coeffs and b.coeffs):
            return self
        first = min(self.offset, a.offset + b.offset) if self.coeffs else a.offset + b.offset
        last = max(self.end, a.end + b.end - 1) if self.coeffs else a.end + b.end - 1
        result = [0.0] * (last - first)
        for k, c in enumerate(self.coeffs):
            result[self.offset - first + k] += c
        for i, x in enumerate(a.coeffs):
            for j, y in enumerate(b.coeffs):
                result[a.offset + b.offset - first + i + j] -= x * y
        return Laurent.trimmed(result, first, self.zero)

    def divide(self, by: Laurent, from_left: int) -> tuple[Laurent, Laurent]:
        """Divide with remainder; `from_left` quotient terms clear the first coefficients, the others the last.

        Laurent division is not unique, and the choice decides how well conditioned the lifting steps are.
        """
        size = len(self.coeffs) - len(by.coeffs) + 1
        rest, quotient = list(self.coeffs), [0.0] * size
        for k in [*range(from_left), *range(size - 1, from_left - 1, -1)]:
            cleared = k if k < from_left else k + len(by.coeffs) - 1
            quotient[k] = rest[cleared] / (by.coeffs[0] if k < from_left else by.coeffs[-1])
            for j, b in enumerate(by.coeffs):
                rest[k + j] -= quotient[k] * b
            rest[cleared] = 0.0
        quotient_offset = self.offset - by.offset
        return Laurent(tuple(quotient), quotient_offset, self.zero), Laurent.trimmed(rest, self.offset, self.zero)


@dataclass(frozen=True)
class Step:
    """One lifting step: `target` gains `factor` times the other one."""

    target: int
    factor: Laurent


def euclid(even: Laurent, odd: Laurent) -> tuple[tuple[Step, ...], tuple[Laurent, Laurent]]:
    """Divide until one is zero and the other one term; of all choices, keep that with the smallest largest factor."""
    best: tuple[float, tuple[Step, ...], tuple[Laurent, Laurent]] | None = None
    divisions = 0

    def search(pair: tuple[Laurent, Laurent], steps: tuple[Step, ...], cost: float) -> None:
        nonlocal best, divisions
        if best is not None and cost >= best[0]:
            return
        sizes = len(pair[0].coeffs), len(pair[1].coeffs)
        if 0 in sizes:
            if sum(sizes) == 1:
                best = cost, steps, pair
            return
        target = 0 if sizes[0] >= sizes[1] else 1
        options = []
        for from_left in range(abs(sizes[0] - sizes[1]) + 2):
            quotient, rest = pair[target].divide(pair[1 - target], from_left)
            options.append((max(abs(c) for c in quotient.coeffs), quotient, rest))
        divisions += len(options)
        if divisions > _MAX_DIVISIONS:
            return
        for size, quotient, rest in sorted(options, key=lambda option: option[0]):
            after = (rest, pair[1]) if target == 0 else (pair[0], rest)
            search(after, (*steps, Step(target, quotient)), max(cost, size) + even.zero)  # a tie: the shorter one

    search((even, odd), (), 0.0)
    if best is None:
        raise ValueError(UNFACTORED)
    return best[1], best[2]


@dataclass(frozen=True)
class Factorisation:
    """Analysis polyphase matrix, rows (low, high), columns (even, odd), as a product of simple ones.

    Start with `scales[0] z^-shifts[0]` in the low row of column `column` and `scales[1] z^-shifts[1]` in the high row
    of the other column; add `row_step` times the low row to the high row; then undo `column_steps` from the last to
    the first: the target column gains `factor` times the other.
    """

    column: int
    scales: tuple[float, float]
    shifts: tuple[int, int]
    row_step: Laurent
    column_steps: tuple[Step, ...]

    def with_determinant(self, size: float) -> Factorisation:
        """Return the factorisation with the second scale changed so that both multiply to this `size` exactly."""
        product = self.scales[0] * self.scales[1]
        return replace(self, scales=(self.scales[0], self.scales[1] * abs(size / product)))


def factor(dec_lo: list[float], dec_hi: list[float], zero: float) -> Factorisation:
    """Factor an analysis bank, known up to errors well below `zero`, into lifting steps.

    Raises:
        ValueError: the polyphase determinant is no monomial, so the bank has no perfect reconstruction.
    """
    steps, low = euclid(*(Laurent.trimmed(dec_lo[parity::2], 0, zero) for parity in (0, 1)))
    high = [Laurent.trimmed(dec_hi[parity::2], 0, zero) for parity in (0, 1)]
    for step in steps:
        high[step.target] = high[step.target].minus_product(step.factor, high[1 - step.target])
    column = 0 if low[0].coeffs else 1
    pivot, other = low[column], high[1 - column]
    if len(other.coeffs) != 1:
        raise ValueError(UNFACTORED)
    scaled = tuple(c / pivot.coeffs[0] for c in high[column].coeffs)
    row = Laurent(scaled, high[column].offset - pivot.offset, zero)
    return Factorisation(column, (pivot.coeffs[0], other.coeffs[0]), (pivot.offset, other.offset), row, steps)
