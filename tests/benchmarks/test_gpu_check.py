"""The script for whoever has a GPU: its arithmetic, and that it says so where there is none."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "tools" / "gpu_check.py"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(layer, step, precision, n, speedup, copies, batch=8192):
    point = {"layer": layer, "step": step, "precision": precision, "n": n, "batch": batch}
    return point | {"speedup": {"median": speedup}, "copies": {"median": copies}}


def test_targets_are_judged_layer_by_layer(script):
    records = [
        record("haar", "forward", "bfloat16", 4096, 3.9, 1.25),
        record("haar", "forward", "bfloat16", 4096, 9.0, 1.0, batch=64),
        record("nn.Linear", "forward", "bfloat16", 4096, 1.0, 4.0),
        record("x.clone()", "forward", "bfloat16", 4096, 5.0, 1.0),
        record("fastfood", "training", "tf32", 1024, 1.0, 9.0),
    ]
    found = script.table(records).splitlines()[2:]
    assert found == [
        "| haar | 4096 | forward | bfloat16 | part of the bandwidth of clone | 0.7 | 0.80 | yes |",
        "| haar | 4096 | forward | bfloat16 | times nn.Linear | 4 | 3.90 | no |",
        "| fastfood | 1024 | training | tf32 | times nn.Linear | 1 | 1.00 | yes |",
    ]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_without_a_gpu():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == "There is no CUDA device: nothing was checked or measured.\n"
