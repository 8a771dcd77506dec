"""The fast path of torch's encoder layers, which reads the weights of its linear layers: off where they have none."""

from __future__ import annotations

from torch import nn

from ._dense import CONVERTED

_SWITCHES = (
    (nn.TransformerEncoderLayer, "activation_relu_or_gelu", 0),
    (nn.TransformerEncoder, "use_nested_tensor", False),
)
_KEPT = "_fast_path_of_dense"


def switch_fast_paths(model: nn.Module) -> None:
    """Turn the fast path off in what holds a compressed layer, and on again in what does no longer."""
    for module in model.modules():
        for kind, name, off in _SWITCHES:
            if not isinstance(module, kind):
                continue
            compressed = any(isinstance(part, CONVERTED) for part in module.modules())
            if compressed and not hasattr(module, _KEPT):
                setattr(module, _KEPT, getattr(module, name))
                setattr(module, name, off)
            elif not compressed and hasattr(module, _KEPT):
                setattr(module, name, getattr(module, _KEPT))
                delattr(module, _KEPT)
