"""Exported programs in a new process: with the library, without it, and those that do not need it."""

import subprocess
import sys

import pytest
import torch

import learnable_wavelets as lw

LOAD = """
import sys, torch
{start}
x, y = torch.load(sys.argv[2])
print((torch.export.load(sys.argv[1]).module()(x) - y).abs().max().item() < 1e-5)
"""


def load_in_a_new_process(folder, start=""):
    files = [folder / name for name in ("program.pt2", "expected.pt")]
    return subprocess.run([sys.executable, "-c", LOAD.format(start=start), *files], capture_output=True, text=True)


@pytest.fixture
def save(tmp_path):
    model, x = lw.WaveletLinear(32, 32).eval(), torch.randn(2, 32)

    def run():
        torch.export.save(torch.export.export(model, (x,)), tmp_path / "program.pt2")
        torch.save((x, model(x).detach()), tmp_path / "expected.pt")
        return tmp_path

    return run


@pytest.mark.slow
@pytest.mark.skipif("cpu" not in lw.kernels.available_backends(), reason="the extension was not built")
def test_a_program_with_kernels_needs_the_library(save):
    folder = save()
    assert load_in_a_new_process(folder, "import learnable_wavelets").stdout == "True\n"
    without = load_in_a_new_process(folder)
    assert without.returncode == 1
    assert "deserializing" in without.stderr


@pytest.mark.slow
def test_a_program_of_the_reference_needs_torch_alone(save):
    with lw.kernels.use_backend("reference"):
        folder = save()
    done = load_in_a_new_process(folder, "assert 'learnable_wavelets' not in sys.modules")
    assert done.stdout == "True\n", done.stderr
