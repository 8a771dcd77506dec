"""Signal extension: the nine modes of PyWavelets as functions from positions outside the signal to samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Each function takes x of shape (..., n) and integer positions i outside it, and returns the extended signal there.


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
    """Reflect at the point of each end sample, and again at the ends of what that gives, every n - 1 positions.

    The near end stays the reference: a sample at the far end must neither cancel nor, if it is NaN, spread to this one.
    """
    n = x.shape[-1]
    if n == 1:
        return _constant(x, i)
    edge = i.clamp(0, n - 1)
    distance = (i - edge).abs()
    turns, inside = distance.div(n - 1, rounding_mode="floor"), distance % (n - 1)
    odd = turns % 2 == 1
    near, far = x.index_select(-1, edge), x.index_select(-1, n - 1 - edge)
    # from the near end inwards, and on odd turns from the far end back
    sample = x.index_select(-1, (edge - torch.where(odd, n - 1 - inside, inside)).abs())
    climbed = torch.where(turns > 0, turns.to(x.dtype) * (near - far), 0)
    return near + climbed + torch.where(odd, sample - far, near - sample)


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
    """Put `left` samples before and `right` samples after `x` on the last axis, by the rule of `mode`."""
    n = x.shape[-1]
    if left == right == 0:
        return x
    if mode == "zero":
        return torch.nn.functional.pad(x, (left, right))
    if mode in ("periodic", "periodization") and max(left, right) <= n:  # slices: no index to build or to gather by
        return torch.cat([x[..., n - left :], x, x[..., :right]], dim=-1)
    outside = torch.arange(-left, right, device=x.device)
    samples = _SAMPLES[mode](x, outside + n * (outside >= 0))
    return torch.cat([samples[..., :left], x, samples[..., left:]], dim=-1)
