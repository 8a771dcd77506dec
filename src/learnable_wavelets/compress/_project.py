r"""The fit of one layer to the outputs of a dense one on data.

With the mean and the covariance $C$ of the inputs the mean square of the difference of the outputs is
$\mathrm{tr}\, D C D^T$ with $D = W - \hat W$, once the bias has taken up the mean. So $C = X^T X$ gives rows $X$ that
stand for all data: the fit is that of $X \hat W^T$ to $X W^T$, and needs no activations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..nn import SandwichLayer, Stack
from ..regularize import wavelet_regularizer
from ._moments import Moments

STEPS = 600
_CHUNKS, _SMALLEST = 6, 32
_REFRESH = 30  # steps between two looks for the best residual
_EXACT, _MORE, _POWERS = 1024, 8, 4  # the width from which these looks are not exact; more columns, and steps
_RATE, _WARM_UP = 0.03, 20
_START = 0.1  # of the norm of the outputs: larger starts end at larger errors
FILTERS = 0.01  # weight of the wavelet loss
_RIDGE = 0.01  # of the mean variance, for directions that the data do not show


class Fit(NamedTuple):
    """Result of a fit: what to add to the bias, and the norm of the difference of outputs over that of the outputs."""

    shift: Tensor
    error: float


class _Target(NamedTuple):
    rows: Tensor
    outputs: Tensor
    matrix: Tensor

    def chunks(self) -> list[tuple[Tensor, Tensor]]:
        """Return rows and outputs in parts, each of which stands for all: of many small steps more come to the aim."""
        count = max(1, min(_CHUNKS, len(self.rows) // _SMALLEST))
        pairs = zip(self.rows.tensor_split(count), self.outputs.tensor_split(count), strict=True)
        return [*pairs]


def fit_layer(
    layer: nn.Module,
    matrix: Tensor,
    moments: Moments,
    has_bias: bool,
    fixed: frozenset[nn.Parameter] = frozenset(),
    on_step: Callable[[], None] = lambda: None,
) -> Fit:
    """Fit a sandwich or a stack, without its bias, to $W$ `(out_features, in_features)`; fixed parameters stay.

    A product starts at random and is optimised with the residual at its best (variable projection): for a product $A$
    that is $Q Q^T (W - A)$ with $Q$ the leading directions of $(W - A) C (W - A)^T$. At the end `diag_out` of the last
    sandwich and the residual have their closed forms.
    """
    covariance, mean = moments.covariance(), moments.mean()
    if not has_bias:
        covariance, mean = covariance + torch.outer(mean, mean), torch.zeros_like(mean)
    dtype = torch.promote_types(matrix.dtype, torch.float32)
    target = _target(matrix.to(dtype), covariance)
    factors = [layer] if isinstance(layer, SandwichLayer) else [*getattr(layer, "factors", ())]
    rank = layer.rank if isinstance(layer, Stack) else 0
    stored = next(layer.parameters()).dtype
    layer.to(dtype).eval()
    if factors:
        _optimise(factors, target, rank, fixed, on_step)
    with torch.no_grad():
        left = _close(layer, factors, target, rank)
    layer.to(stored)
    left = left.to(covariance)
    energy = float(((matrix.to(covariance) @ covariance) * matrix).sum())
    error = float(((left @ covariance) * left).sum().clamp_min(0))
    return Fit(left @ mean.to(left), math.sqrt(error / energy) if energy > 0 else 0.0)


def _target(matrix: Tensor, covariance: Tensor) -> _Target:
    mean_variance = covariance.diagonal().mean()
    if mean_variance > 0:
        ridged = covariance + _RIDGE * mean_variance * torch.eye(len(covariance)).to(covariance)
        rows = (_rotation(len(ridged)).to(ridged) @ torch.linalg.cholesky(ridged / mean_variance).mT).to(matrix)
    else:  # the same input always: any matrix serves
        rows = torch.eye(len(covariance)).to(matrix)
    return _Target(rows, rows @ matrix.T, matrix)


def _rotation(n: int) -> Tensor:
    """Return a random orthogonal matrix, the same always: rows are mixed, so that some of them stand for all."""
    mixed: Tensor = torch.linalg.qr(torch.randn(n, n, generator=torch.Generator().manual_seed(0)))[0]
    return mixed


def _apply(factors: list[Any], rows: Tensor) -> Tensor:
    result: Any = rows
    for factor in factors:
        result = factor(result)
    return cast(Tensor, result)


def _optimise(
    factors: list[Any], target: _Target, rank: int, fixed: frozenset[nn.Parameter], on_step: Callable[[], None]
) -> None:
    own, norm = nn.ModuleList(factors), target.outputs.norm()
    with torch.no_grad():
        scale = (_START * norm / _apply(factors, target.rows).norm()) ** (1 / len(factors))
        for factor in factors:
            factor.diag_out.mul_(scale)
    optimizer = torch.optim.Adam([p for p in own.parameters() if p not in fixed], _RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _rate)
    chunks = target.chunks()
    basis = None
    for step in range(STEPS):
        if rank and step % _REFRESH == 0:
            with torch.no_grad():
                basis = _leading(target.outputs - _apply(factors, target.rows), rank, exact=False)
        rows, outputs = chunks[step % len(chunks)]
        with torch.enable_grad():
            left = outputs - _apply(factors, rows)
            if basis is not None:
                left = left - _along(left, basis)
            share = left.square().sum() * len(chunks) / norm.square()
            own.zero_grad()
            (share + FILTERS * wavelet_regularizer(own)).backward()
        optimizer.step()
        schedule.step()
        on_step()
    own.zero_grad()


def _rate(step: int) -> float:
    """Rise in a line, fall along a cosine."""
    return min(1.0, (step + 1) / _WARM_UP) * (1 + math.cos(math.pi * step / STEPS)) / 2


def _leading(matrix: Tensor, rank: int, exact: bool = True) -> Tensor:
    """Return the leading right singular vectors, as columns; those of a wide matrix nearly, if that will do."""
    if not exact and matrix.shape[1] > _EXACT:
        return _nearly_leading(matrix, rank)
    double = matrix.to(torch.float32 if matrix.device.type == "mps" else torch.float64)
    vectors = torch.linalg.eigh(double.T @ double)[1][:, -rank:]
    return F.pad(vectors, (0, rank - vectors.shape[1])).to(matrix)


def _nearly_leading(matrix: Tensor, rank: int) -> Tensor:
    """Return the leading right singular vectors by some steps of the power method, on a few more columns."""
    count = min(rank + _MORE, matrix.shape[1])
    found = torch.randn(matrix.shape[1], count, generator=torch.Generator().manual_seed(0)).to(matrix)
    for _ in range(_POWERS):
        found = torch.linalg.qr(matrix.T @ (matrix @ torch.linalg.qr(found)[0]))[0]
    left, _, _ = torch.linalg.svd((matrix @ found).T, full_matrices=False)
    return cast(Tensor, found @ left[:, :rank])


def _close(layer: Any, factors: list[Any], target: _Target, rank: int) -> Tensor:
    """Put `diag_out` of the last sandwich and the residual at their best; return the difference of the matrices."""
    rows, outputs, matrix = target
    product = torch.zeros_like(matrix)
    if factors:
        product = _matrix(factors)
        made = rows @ product.T
        left = outputs - made
        wanted = outputs if not rank else outputs - _along(left, _leading(left, rank))
        gain = (made * wanted).sum(0) / made.square().sum(0).clamp_min(torch.finfo(made.dtype).tiny)
        factors[-1].diag_out.mul_(gain)
        product = gain[:, None] * product
    left = matrix - product
    if rank:
        basis = _leading(outputs - rows @ product.T, rank)
        layer.up.copy_(basis)
        layer.down.copy_(basis.T @ left)
        left = left - basis @ (basis.T @ left)
    return left


def _along(rows: Tensor, basis: Tensor) -> Tensor:
    return (rows @ basis) @ basis.T


def _matrix(factors: list[Any]) -> Tensor:
    matrix: Any = factors[0].to_dense()
    for factor in factors[1:]:
        matrix = factor.to_dense() @ matrix
    return cast(Tensor, matrix)
