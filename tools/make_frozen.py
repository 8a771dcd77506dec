"""Write the files of a release that every later version must load.

    python -m tools.make_frozen 0.1

Once for each release, into a new folder of `tests/frozen`; the checksums that it prints belong into
`tests/frozen/test_frozen.py`. Files that exist are never written again.
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tests.frozen import models
from torch import Tensor, nn

import learnable_wavelets as lw


def scrambled(model: nn.Module) -> nn.Module:
    """Return the model with a small random number added to every parameter."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) / 16)
    return model.eval()


def freeze(model: nn.Module, name: str, shape: tuple[int, ...], expected: dict[str, Tensor]) -> nn.Module:
    """Note an input and its output; return the model."""
    x = torch.randn(shape)
    with lw.kernels.use_backend("reference"):
        expected |= {f"{name}.input": x, f"{name}.output": models.output(model, x).contiguous()}
    return model


def write(folder: Path) -> None:
    """Write states, a converted model, an adapter, programs, a configuration, and what they compute."""
    expected: dict[str, Tensor] = {}
    layers = {name: freeze(scrambled(make()), name, shape, expected) for name, (make, shape) in models.LAYERS.items()}
    torch.save({name: layer.state_dict() for name, layer in layers.items()}, folder / "states.pt")
    tensors = {f"{name}/{key}": value for name, layer in layers.items() for key, value in layer.state_dict().items()}
    save_file(tensors, folder / "states.safetensors")
    for name in models.PROGRAM:
        program = torch.export.export(layers[name], (expected[f"{name}.input"],))
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # paths of this machine
        torch.export.save(program, folder / f"{name}.pt2")
    model = models.perceptron()
    lw.compress_(model, models.CONFIG)
    lw.save(freeze(scrambled(model), "model", (2, 16), expected), folder / "model.safetensors")
    torch.manual_seed(1)
    adapted = models.perceptron()
    torch.save(adapted.state_dict(), folder / "adapted.pt")
    lw.adapt_(adapted, models.ADAPTER)
    scrambled(adapted[0].update)
    lw.save_adapter(freeze(adapted, "adapter", (2, 16), expected), folder / "adapter.safetensors")
    (folder / "config.json").write_text(json.dumps(models.CONFIG.to_dict(), indent=1) + "\n")
    save_file(expected, folder / "expected.safetensors", {"torch": torch.__version__, "version": lw.__version__})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release")
    target = models.HERE / parser.parse_args().release
    if "cpu" not in lw.kernels.available_backends():
        parser.error("the programs must hold the operators of the kernels, which are missing here")
    target.mkdir()
    torch.manual_seed(0)
    write(target)
    for path in sorted(target.iterdir()):
        print(f'    "{path.name}": "{hashlib.sha256(path.read_bytes()).hexdigest()}",  # {path.stat().st_size:,} bytes')
