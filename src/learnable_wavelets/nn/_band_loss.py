"""The loss of `WaveletLoss` on pieces of a batch: no coefficient outlives its piece, and none is kept for backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..functional._axes import read_plan
from ..functional._bank import FilterBank
from ..functional._dwt2 import DETAILS
from ..functional._separable import decompose_levels, widen
from ..functional._swtn import decompose_undecimated, pad_to
from ..functional._undecimated import MODE
from ..kernels import _dispatch_planes as kernels
from ..kernels._autograd import is_batched, is_plain_eager
from ..kernels.reference import gradients

_CHARBONNIER = 1e-3
_PIECES, _LEAST = 32, 2**15  # of a batch, at most; samples of a piece, at least

_ALL = slice(None)


class Norm(NamedTuple):
    """The size of a coefficient, and its derivative, which overwrites the coefficients."""

    size: Callable[[Tensor], Tensor]
    slope_: Callable[[Tensor], Tensor]


NORMS = {
    "l1": Norm(Tensor.abs, Tensor.sign_),
    "l2": Norm(Tensor.square, lambda x: x.mul_(2)),
    "charbonnier": Norm(
        lambda x: (x.square() + _CHARBONNIER**2).sqrt(), lambda x: x.div_((x.square() + _CHARBONNIER**2).sqrt())
    ),
}


class BandLoss(NamedTuple):
    """The loss as a function of a difference and of two filters; `weights` as `WaveletLoss` has them."""

    transform: str
    dims: int
    mode: str
    norm: str
    weights: tuple[tuple[float, ...], ...]

    @property
    def level(self) -> int:
        return len(self.weights) - 1

    @property
    def axes(self) -> tuple[int, ...]:
        return tuple(range(-self.dims, 0))

    def keys(self) -> tuple[str, ...]:
        """Return the keys of the details of a level, in the order of their weights."""
        return DETAILS if self.dims == 2 else tuple(map("".join, product("ad", repeat=self.dims)))[1:]

    def coeffs(self, x: Tensor, lo: Tensor, hi: Tensor) -> list[Any]:
        """Return `[cA_n, {details_n}, ..., {details_1}]`."""
        bank = FilterBank(lo, hi, lo, hi)
        if self.transform == "swt":
            return decompose_undecimated(x, [read_plan(x, bank, MODE, self.axes)], self.level, 0, True, False)
        return decompose_levels(x, [read_plan(x, bank, self.mode, self.axes)] * self.level)

    def value(self, x: Tensor, lo: Tensor, hi: Tensor) -> Tensor:
        """Return the loss of a difference; differentiable, and the definition of all else here."""
        cA, *details = self.coeffs(widen(x), lo, hi)
        size, keys = NORMS[self.norm].size, self.keys()
        bands = [[cA], *[[entry[key] for key in keys] for entry in details]]
        pairs = [pair for entry in zip(self.weights, bands, strict=True) for pair in zip(*entry, strict=True)]
        terms = [weight * size(band).mean() for weight, band in pairs if weight]
        return torch.stack(terms).sum() if terms else x.new_zeros(())

    def gradients(
        self, x: Tensor, lo: Tensor, hi: Tensor, grad: Tensor, needs: Sequence[bool], inside: slice = _ALL
    ) -> list[Tensor]:
        """Return the gradients of `grad * value` for the three tensors; empty ones where none is needed."""
        if self.transform == "swt":
            return undecimated_gradients(self, x, lo, hi, grad, needs, inside)
        return [*gradients(self.value, (x, lo, hi), grad, needs)]

    def value_inside(self, x: Tensor, lo: Tensor, hi: Tensor, inside: slice = _ALL) -> Tensor:
        """Return the value of a piece, without a graph; of `swt`, counting the coefficients `inside` alone."""
        if self.transform == "swt":
            return undecimated_value(self, x, lo, hi, inside)
        return self.value(x, lo, hi)

    def weights_of(self, level: int) -> dict[tuple[int, ...], float]:
        """Return the weights of one level of `swt` by the place of the band in `stacks`; the finest level is 0."""
        weights = dict(zip(self.keys(), self.weights[self.level - level], strict=True))
        if level == self.level - 1:
            weights["a" * self.dims] = self.weights[0][0]
        return {tuple(int(letter == "d") for letter in reversed(key)): weight for key, weight in weights.items()}

    def halo(self, taps: int) -> tuple[int, int]:
        """Return how many samples before and after it a coefficient of `swt` sees along an axis."""
        steps = (1 << self.level) - 1
        return (taps // 2 - 1) * steps, taps // 2 * steps


def undecimated_value(loss: BandLoss, x: Tensor, lo: Tensor, hi: Tensor, inside: slice) -> Tensor:
    x, terms = pad_to(x, loss.axes[1:], 1 << loss.level), []
    for level in range(loss.level):
        top = _stacks(loss, x, lo, hi, level)[-1]
        for place, weight in loss.weights_of(level).items():
            if weight:
                terms.append(weight * NORMS[loss.norm].size(_narrow(loss, top[place], inside)).mean())
        x = top[(0,) * loss.dims].clone()
    return torch.stack(terms).sum()


def undecimated_gradients(
    loss: BandLoss, x: Tensor, lo: Tensor, hi: Tensor, grad: Tensor, needs: Sequence[bool], inside: slice
) -> list[Tensor]:
    """Compute them level by level: the approximations are kept, the bands of one level made once more."""
    leaf = x.detach().requires_grad_()
    with torch.enable_grad():
        padded = pad_to(leaf, loss.axes[1:], 1 << loss.level)
    chain, deepest = [padded.detach()], (0,) * loss.dims
    for level in range(loss.level - 1):
        chain.append(_stacks(loss, chain[-1], lo, hi, level)[-1][deepest].clone())
    above, filters = padded.detach(), [torch.zeros_like(lo), torch.zeros_like(hi)]
    for level in reversed(range(loss.level)):
        stacks = _stacks(loss, chain.pop(), lo, hi, level)
        top = stacks.pop()
        if level < loss.level - 1:
            top[deepest].copy_(above)
        for place, weight in loss.weights_of(level).items():
            _slope_(loss, top[place], inside, grad * weight)
        for axis in reversed(loss.axes):
            top, *found = kernels.swt_pullback(top, stacks.pop(), (lo, hi), axis, level, [True, *needs[1:]])
            filters = [t + f if needed else t for t, f, needed in zip(filters, found, needs[1:], strict=True)]
        above = top
    if padded is not leaf:
        (above,) = torch.autograd.grad(padded, leaf, above)
    return [above, *filters]


def _stacks(loss: BandLoss, x: Tensor, lo: Tensor, hi: Tensor, level: int) -> list[Tensor]:
    """Return x, and what each axis makes of the one before, with one leading dimension of two bands more."""
    stacks = [x]
    for axis in loss.axes:
        stacks.append(kernels.swt_stack(stacks[-1], (lo, hi), axis, level))
    return stacks


def _narrow(loss: BandLoss, band: Tensor, inside: slice) -> Tensor:
    first, stop, _ = inside.indices(band.shape[-loss.dims])
    return band.narrow(-loss.dims, first, stop - first)


def _slope_(loss: BandLoss, band: Tensor, inside: slice, factor: Tensor) -> None:
    """Overwrite a band by its gradient: zero outside of `inside`."""
    kept = _narrow(loss, band, inside)
    if inside != _ALL:
        _narrow(loss, band, slice(0, inside.start)).zero_()
        _narrow(loss, band, slice(inside.stop, None)).zero_()
    NORMS[loss.norm].slope_(kept).mul_(factor / kept.numel())


def takes_pieces(input: Tensor, target: Tensor, lo: Tensor, hi: Tensor) -> bool:
    """Return whether the kernels take the call, so that it can go piece by piece."""
    plain = is_plain_eager((input, target, lo, hi)) and input.dtype == target.dtype == lo.dtype
    return plain and lo.dim() == 1 and input.numel() > 0 and kernels.choose_planes(input) is not None


class Piece(NamedTuple):
    """Some planes of a batch, all of each or a strip of it."""

    planes: slice
    share: float
    """Of all the coefficients of a band."""
    rows: Tensor | None = None
    """Of the strip, with those around it that its coefficients see, along the first transformed axis."""
    inside: slice = _ALL
    """The coefficients of the strip among `rows`."""

    def of(self, planes: Tensor) -> Tensor:
        return planes[self.planes] if self.rows is None else planes[self.planes].index_select(1, self.rows)

    def add_(self, planes: Tensor, found: Tensor) -> None:
        """Add what was found for `of(planes)` to it."""
        if self.rows is None:
            planes[self.planes] = found
        else:
            planes[self.planes].index_add_(1, self.rows, found)


class InPieces(torch.autograd.Function):
    """`BandLoss.value` of `input - target`, by pieces; keeps the four tensors alone."""

    @staticmethod
    def forward(ctx: Any, loss: BandLoss, input: Tensor, target: Tensor, lo: Tensor, hi: Tensor) -> Tensor:
        ctx.loss = loss
        ctx.save_for_backward(input, target, lo, hi)
        x, y = (t.reshape(-1, *t.shape[-loss.dims :]) for t in (input, target))
        pieces = _pieces(loss, x, lo.shape[0])
        values = [loss.value_inside(p.of(x) - p.of(y), lo, hi, p.inside) * p.share for p in pieces]
        return torch.stack(values).sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        loss, tensors, needs = ctx.loss, ctx.saved_tensors, ctx.needs_input_grad[1:]
        if torch.is_grad_enabled() or not is_plain_eager((grad,)) or is_batched(grad):
            found = gradients(lambda x, y, lo, hi: loss.value(x - y, lo, hi), tensors, grad, needs)
            return None, *[t if needed else None for t, needed in zip(found, needs, strict=True)]
        input, target, lo, hi = tensors
        x, y = (t.reshape(-1, *t.shape[-loss.dims :]) for t in (input, target))
        result, of_x = torch.zeros_like(x) if needs[0] or needs[1] else None, needs[0] or needs[1]
        filters = [torch.zeros_like(lo), torch.zeros_like(hi)]
        for piece in _pieces(loss, x, lo.shape[0]):
            args = (piece.of(x) - piece.of(y), lo, hi, grad * piece.share, (of_x, *needs[2:]), piece.inside)
            of_piece, *found = loss.gradients(*args)
            filters = [t + f if needed else t for t, f, needed in zip(filters, found, needs[2:], strict=True)]
            if result is not None:
                piece.add_(result, of_piece)
        whole = None if result is None else result.view(input.shape)
        return None, whole if needs[0] else None, None if whole is None or not needs[1] else -whole, *filters


def _pieces(loss: BandLoss, planes: Tensor, taps: int) -> list[Piece]:
    """Cut a batch into planes, and the planes of `swt`, where there are few, into strips of rows."""
    count, n = planes.shape[:2]
    least = _LEAST * count // planes.numel()
    if loss.transform == "dwt":
        return _runs(count, max(count // _PIECES, least, 1))
    before, after = loss.halo(taps)
    multiple = 1 << loss.level
    padded = n + -n % multiple
    parts = max(1, _PIECES // count)
    height = max(-(-padded // parts), 2 * (before + after), _LEAST * n * count // planes.numel())
    if parts > 1 and height + before + after < padded:
        starts, pieces = range(0, padded, height), []
        for plane, start in product(range(count), starts):
            stop = min(start + height, padded)
            rows = torch.arange(start - before, stop + after, device=planes.device).remainder(padded).clamp(max=n - 1)
            share = (stop - start) / (padded * count)
            pieces.append(Piece(slice(plane, plane + 1), share, rows, slice(before, before + stop - start)))
        return pieces
    whole = _runs(count, max(count // _PIECES, least, 1))
    if padded == n:
        return whole
    rows = torch.arange(padded, device=planes.device).clamp(max=n - 1)
    return [piece._replace(rows=rows) for piece in whole]


def _runs(count: int, size: int) -> list[Piece]:
    stops = [(start, min(start + size, count)) for start in range(0, count, size)]
    return [Piece(slice(start, stop), (stop - start) / count) for start, stop in stops]
