"""The kernel tests run where the extension was built, on every instruction set that the processor has."""

import pytest
import torch

from learnable_wavelets.kernels import available_backends

if "cpu" in available_backends():
    from learnable_wavelets.kernels import _cpu

    ISAS = _cpu.isas()
else:
    ISAS = []
    collect_ignore = ["test_cpu_kernels.py", "test_operators.py"]


@pytest.fixture(params=ISAS)
def isa(request):
    _cpu.isa(request.param)
    yield request.param
    _cpu.isa(None)


@pytest.fixture
def uninitialised_is_nan():
    torch.use_deterministic_algorithms(True)  # torch.empty then fills with NaN
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
