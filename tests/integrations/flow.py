"""The way of a model through the library: plan, convert, train, save, load in a new process, merge, export."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

import learnable_wavelets as lw

from .models import MODELS, Model, class_of, inputs_of, loss_of, make, output_of

ROOT = Path(__file__).parent.parent.parent


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def convert(model: Model) -> nn.Module:
    """A converted model after one training step, and `plan` is held to what came out."""
    module = make(model)
    before = count(module)
    planned = lw.plan(module, model.config)
    report = lw.compress_(module, model.config)
    assert planned == report
    assert report.parameters == (before, count(module))
    optimizer = torch.optim.AdamW(lw.parameter_groups(module, lr=1e-2, weight_decay=0.01))
    loss = loss_of(module.train(), inputs_of(model)) + lw.wavelet_regularizer(module)
    loss.backward()
    found = [p for part in module.modules() if isinstance(part, lw.nn.SandwichLayer) for p in part.parameters()]
    assert found
    start = [parameter.detach().clone() for parameter in found]
    optimizer.step()
    assert all(not torch.equal(parameter, old) for parameter, old in zip(found, start, strict=True))
    return module.eval()


def save(model: Model, module: nn.Module, folder: Path) -> None:
    if model.library == "transformers":
        module.save_pretrained(folder)
    else:
        lw.save(module, folder / "model.safetensors")


def load(model: Model, folder: Path) -> nn.Module:
    if model.library == "transformers":
        importlib.import_module("learnable_wavelets.integrations.transformers")
        return class_of(model).from_pretrained(folder)
    return lw.load(make(model), folder / "model.safetensors").eval()


def load_in_a_new_process(names: list[str], folder: Path) -> dict[str, float]:
    """The largest difference of each model, saved in `folder / name` with its example, in a fresh process."""
    code = f"from tests.integrations.flow import differences; differences({names!r}, {str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def differences(names: list[str], folder: str) -> None:
    found = {}
    for name in names:
        place = Path(folder) / name
        example = torch.load(place / "example.pt", weights_only=True)
        y = example.pop("output")
        with torch.no_grad():
            found[name] = float((output_of(load(MODELS[name], place), example) - y).abs().max())
    print(json.dumps(found))


@torch.no_grad()
def save_with_example(name: str, module: nn.Module, folder: Path) -> None:
    place = folder / name
    place.mkdir()
    save(MODELS[name], module, place)
    inputs = inputs_of(MODELS[name])
    torch.save({**inputs, "output": output_of(module, inputs)}, place / "example.pt")


@torch.no_grad()
def merge(model: Model, module: nn.Module) -> float:
    """The largest difference that `merge_` makes, over the largest output; nothing of the library is left."""
    inputs = inputs_of(model)
    y = output_of(module, inputs)
    lw.merge_(module)
    kinds = [type(part) for part in module.modules()]
    assert not any(kind.__module__.startswith("learnable_wavelets") for kind in kinds)
    assert kinds == [type(part) for part in make(model).modules()]
    return float((output_of(module, inputs) - y).abs().max() / y.abs().max())


@torch.no_grad()
def export_to_onnx(model: Model, module: nn.Module, path: Path) -> float:
    """The largest difference of the model in ONNX Runtime, over the largest output."""
    import onnxruntime

    class Positional(nn.Module):
        """ONNX has positions, and the first output alone."""

        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *values: torch.Tensor) -> torch.Tensor:
            return output_of(self.module, dict(zip(inputs, values, strict=True)))

    inputs = inputs_of(model)
    torch.onnx.export(Positional(), tuple(inputs.values()), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path)
    names = [value.name for value in session.get_inputs()]
    (y,) = session.run(None, {n: v.numpy() for n, v in zip(names, inputs.values(), strict=True)})
    expected = output_of(module, inputs)
    return float((torch.from_numpy(y) - expected).abs().max() / expected.abs().max())
