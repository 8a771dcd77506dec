"""Memory of a training step: bytes kept for the backward pass, and the peak of the whole step."""

import torch
from torch import Tensor, nn

from ._device import PRECISIONS, peak_bytes
from ._layers import DENSE, Record, make_layer, training_step

COUNTED = (
    "Kept: storages that autograd saves in the forward pass, each once, without parameters and buffers; the input x is "
    "among them. Peak: the most that torch's allocator held during forward and backward above what was there before "
    "(x, parameters), gradients included; scratch memory that a C kernel takes for itself is not seen."
)


def kept_bytes(layer: nn.Module, x: Tensor) -> int:
    """Bytes of the distinct storages that the forward pass saves, other than the layer's own tensors."""
    own = {t.untyped_storage().data_ptr() for t in (*layer.parameters(), *layer.buffers())}
    saved: dict[int, Tensor] = {}  # the tensors too, lest an address is given out twice

    def pack(tensor: Tensor) -> Tensor:
        saved.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(x.detach().requires_grad_())
    return sum(tensor.untyped_storage().nbytes() for address, tensor in saved.items() if address not in own)


def run(names: tuple[str, ...], n: int, batch: int, precision: str, device: torch.device) -> list[Record]:
    """A record for each layer, with ratios to `nn.Linear`."""
    dtype = PRECISIONS[precision].dtype
    x = torch.randn(batch, n, device=device, dtype=dtype)
    rows: list[Record] = []
    for name in dict.fromkeys((DENSE, *names)):
        layer = make_layer(name, n, device, dtype)
        kept, peak = kept_bytes(layer, x), peak_bytes(training_step(layer, x), device)
        rows.append({"layer": name, "precision": precision, "n": n, "batch": batch, "kept": kept, "peak": peak})
    for row in rows:
        row["kept_ratio"], row["peak_ratio"] = row["kept"] / rows[0]["kept"], row["peak"] / rows[0]["peak"]
    return rows
