"""The kernel tests run where the extension was built; instruction sets but the best one count as slow."""

from importlib.util import find_spec

import pytest
import torch

from learnable_wavelets.kernels import available_backends, triton

collect_ignore = []
if "cpu" in available_backends():
    from learnable_wavelets.kernels.cpu import _cpu

    ISAS = _cpu.isas()
else:
    ISAS = []
    collect_ignore += ["test_cpu_kernels.py", "test_operators.py", "test_recurrent_kernels.py"]
if find_spec("triton") is None:
    collect_ignore += ["test_triton_compiles.py", "test_triton_kernels.py", "test_triton_layers.py"]


@pytest.fixture(params=[*ISAS[:1], *(pytest.param(name, marks=pytest.mark.slow) for name in ISAS[1:])])
def isa(request):
    _cpu.isa(request.param)
    yield request.param
    _cpu.isa(None)


@pytest.fixture
def device():
    """Where Triton's kernels run: a GPU, or a CPU under the interpreter."""
    missing = triton.missing()
    if missing is not None:
        pytest.skip(missing)
    return torch.device("cpu" if triton.INTERPRETED else "cuda")


@pytest.fixture
def small_chip(monkeypatch):
    """Rows of more than 16 values (8 backward) are worked in passes."""
    from learnable_wavelets.kernels.triton import _launch, _tiles

    monkeypatch.setattr(_tiles, "WIDEST", {"forward": 16, "backward": 8})
    monkeypatch.setattr(_launch, "CHUNK", 32)  # several to a row
    monkeypatch.setattr(_launch, "COLUMNS", 4)
    monkeypatch.setattr(_launch, "TALLEST", 4)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
