"""`Adapter`: a frozen layer plus a trained update that starts at zero."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ._layer import SandwichLayer
from ._stack import Stack


class Adapter(nn.Module):
    r"""Add a trained update to a frozen layer: $y = W x + \text{bias} + A x$ with $A = 0$ at the start.

    A sandwich starts at zero through `diag_out`, a `Stack` through that of its last sandwich and U, as LoRA through B.
    `adapt_` makes adapters in a whole model.

    Args:
        layer: the layer to adapt; its parameters are frozen.
        update: a `WaveletLinear`, a `Fastfood` or a `Stack` without a bias, of the same sizes.

    Shape:
        That of `layer`.

    Attributes:
        layer: the frozen layer.
        update: the trained one.
        enabled: `False` leaves the frozen layer alone.

    Raises:
        ValueError: an update with a bias, of other sizes than the layer, or without a parameter that trains.
        TypeError: another kind of update, or a `layer` that is no module.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> dense = torch.nn.Linear(768, 768)
        >>> layer = lw.nn.Adapter(dense, lw.WaveletLinear(768, 768, bias=False))
        >>> x = torch.randn(8, 768)
        >>> torch.equal(layer(x), dense(x)), sum(p.numel() for p in layer.parameters() if p.requires_grad)
        (True, 2320)
    """

    def __init__(self, layer: nn.Module, update: nn.Module) -> None:
        super().__init__()
        if not isinstance(layer, nn.Module):
            raise TypeError(f"`layer` must be a torch.nn.Module, got {type(layer).__name__}")
        sizes, own = _sizes(_inner(update)), _sizes(layer)
        if None not in own and own != sizes:
            raise ValueError(f"`update` must have the sizes of `layer`, {own}, got {sizes}")
        if not any(parameter.requires_grad for parameter in update.parameters()):
            raise ValueError("`update` must have parameters that train, got none: it would stay at zero")
        self.layer: Any = layer.requires_grad_(False)
        self.update: Any = update
        self.enabled = True
        self._zero()

    def reset_parameters(self) -> None:
        """Start the update again, at zero; the frozen layer stays."""
        _inner(self.update).reset_parameters()
        self._zero()

    def _zero(self) -> None:
        inner = _inner(self.update)
        if inner.bias is not None:
            raise ValueError("`update` must have no bias, got one: make it with bias=False")
        last = inner.factors[-1:] if isinstance(inner, Stack) else [inner]
        started: list[Any] = [*(factor.diag_out for factor in last), getattr(inner, "up", None)]
        for tensor in started:
            if tensor is not None:
                nn.init.zeros_(tensor)

    def forward(self, input: Tensor) -> Tensor:
        """Return what the frozen layer does, plus the update."""
        result: Tensor = self.layer(input)
        return result + self.update(input) if self.enabled else result

    @torch.no_grad()
    def delta(self) -> Tensor:
        """Return the matrix `(out_features, in_features)` of the update, without dropout."""
        matrix: Tensor = _inner(self.update).to_dense()
        return matrix

    def extra_repr(self) -> str:
        return "" if self.enabled else "enabled=False"


def _sizes(layer: Any) -> tuple[Any, Any]:
    return getattr(layer, "in_features", None), getattr(layer, "out_features", None)


def _inner(update: Any) -> Any:
    """Return the layer in an update, which may be wrapped for a convolution."""
    inner = getattr(update, "layer", update) if not isinstance(update, Stack) else update
    if not isinstance(inner, (SandwichLayer, Stack)):
        raise TypeError(f"`update` must be a WaveletLinear, a Fastfood or a Stack, got {type(update).__name__}")
    return inner
