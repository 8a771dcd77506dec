"""Signal extension: the nine modes of PyWavelets as functions from positions outside the signal to samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Each function takes x of shape (..., n) and integer positions i of any sign, and returns the extended signal there.


def _constant(x: Tensor, i: Tensor) -> Tensor:
    return x.index_select(-1, i.clamp(0, x.shape[-1] - 1))


def _periodic(x: Tensor, i: Tensor) -> Tensor:
    return x.index_select(-1, i % x.shape[-1])


def _symmetric(x: Tensor, i: Tensor) -> Tensor:
    period = 2 * x.shape[-1]
    r = i % period
    return x.index_select(-1, torch.minimum(r, period - 1 - r))


def _antisymmetric(x: Tensor, i: Tensor) -> Tensor:
    sign = 1 - 2 * (i.div(x.shape[-1], rounding_mode="floor") % 2)
    return _symmetric(x, i) * sign.to(x.dtype)


def _reflect(x: Tensor, i: Tensor) -> Tensor:
    period = max(2 * (x.shape[-1] - 1), 1)  # a single sample repeats itself
    r = i % period
    return x.index_select(-1, torch.minimum(r, (period - r) % period))


def _smooth(x: Tensor, i: Tensor) -> Tensor:
    """Continue the straight line through the two samples at each end."""
    n = x.shape[-1]
    edge = i.clamp(0, n - 1)
    inner = torch.where(i < 0, min(1, n - 1), max(n - 2, 0))
    distance = (i - edge).abs().to(x.dtype)
    end = x.index_select(-1, edge)
    return end + distance * (end - x.index_select(-1, inner))


def _antireflect(x: Tensor, i: Tensor) -> Tensor:
    """Point reflection at each end sample; every period of 2(n-1) climbs by twice the end-to-end difference."""
    n = x.shape[-1]
    if n == 1:
        return _constant(x, i)
    period = 2 * (n - 1)
    r = i % period
    turned = r >= n
    first, last = x[..., :1], x[..., -1:]
    mirrored = x.index_select(-1, torch.where(turned, period - r, r))
    climbs = i.div(period, rounding_mode="floor").to(x.dtype)
    return torch.where(turned, 2 * last - mirrored, mirrored) + 2 * climbs * (last - first)


_SAMPLES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "constant": _constant,
    "symmetric": _symmetric,
    "periodic": _periodic,
    "smooth": _smooth,
    "periodization": _periodic,
    "reflect": _reflect,
    "antisymmetric": _antisymmetric,
    "antireflect": _antireflect,
}

MODES: tuple[str, ...] = ("zero", *_SAMPLES)  # zeros are padded, not sampled


def extend(x: Tensor, left: int, right: int, mode: str) -> Tensor:
    """`x` with `left` samples before and `right` samples after it on the last axis, by the rule of `mode`."""
    n = x.shape[-1]
    if left == right == 0:
        return x
    if mode == "zero":
        return torch.nn.functional.pad(x, (left, right))
    if mode in ("periodic", "periodization") and max(left, right) <= n:  # slices: no index to build or to gather by
        return torch.cat([x[..., n - left :], x, x[..., :right]], dim=-1)
    sample = _SAMPLES[mode]
    before = torch.arange(-left, 0, device=x.device)
    after = torch.arange(n, n + right, device=x.device)
    return torch.cat([sample(x, before), x, sample(x, after)], dim=-1)
