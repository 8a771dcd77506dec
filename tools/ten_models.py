"""Take ten models from configurations through the library; print a table, exit with 1 if one fails.

Each is planned, converted, trained for a step, saved, loaded in a new process (equal to 1e-6), merged (1e-5 of the
largest output) and exported to ONNX (1e-4); the plan of the full size is compared on the meta device. Needs
`pip install "learnable-wavelets[integrations]" timm onnx onnxscript onnxruntime`.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.integrations import flow
from tests.integrations.models import MODELS, make

import learnable_wavelets as lw


def plan_of_full_size(name: str) -> str:
    with torch.device("meta"):
        module = make(MODELS[name], full=True)
    planned, before = lw.plan(module, MODELS[name].config).parameters, flow.count(module)
    lw.compress_(module, MODELS[name].config)
    assert planned == (before, flow.count(module)), planned
    return " to ".join(f"{number / 1e6:.1f} M" for number in planned)


def take(name: str) -> list[str]:
    model = MODELS[name]
    with tempfile.TemporaryDirectory() as folder:
        module = flow.convert(model)
        flow.save_with_example(name, module, Path(folder))
        loaded = flow.load_in_a_new_process([name], Path(folder))[name]
        merged = flow.merge(model, module)
        exported = flow.export_to_onnx(model, module, Path(folder) / "model.onnx")
    assert loaded <= 1e-6, loaded
    assert merged <= 1e-5, merged
    assert exported <= 1e-4, exported
    return [f"{loaded:.1e}", f"{merged:.1e}", f"{exported:.1e}", plan_of_full_size(name)]


def main() -> int:
    failed = 0
    print(f"torch {torch.__version__}")
    print("| model | reloaded | merged | ONNX | parameters of the full size |\n|---|---|---|---|---|")
    for name in sys.argv[1:] or MODELS:
        torch.manual_seed(0)
        try:
            row = take(name)
        except Exception as error:
            failed, row = 1, [f"FAILED: {type(error).__name__}: {str(error)[:400]}"]
        print(f"| {name} | {' | '.join(row)} |", flush=True)
    return failed


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
