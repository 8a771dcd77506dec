"""`Pointwise`: a layer over the channels, in the place of a 1x1 convolution."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Pointwise(nn.Module):
    """Apply a layer to the channels of `(..., channels, *spatial)`, as a 1x1 convolution does.

    Attributes:
        layer: the layer.
        spatial: number of dimensions after the channels.
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, layer: nn.Module, spatial: int) -> None:
        super().__init__()
        self.layer: Any = layer
        self.spatial = spatial
        self.in_channels, self.out_channels = self.layer.in_features, self.layer.out_features

    def forward(self, input: Tensor) -> Tensor:
        """Return `(..., out_channels, *spatial)`."""
        if input.dim() not in (self.spatial + 1, self.spatial + 2):
            expected = f"{self.spatial + 1}-D (unbatched) or {self.spatial + 2}-D"
            raise ValueError(f"`input` must be {expected}, got shape {tuple(input.shape)}")
        channels = -self.spatial - 1
        result: Tensor = self.layer(input.movedim(channels, -1)).movedim(-1, channels)
        return result.contiguous()

    def extra_repr(self) -> str:
        return f"spatial={self.spatial}"
