"""Settings that every test shares."""

import gc
import os
from collections.abc import Iterator

if "PYTEST_XDIST_WORKER_COUNT" in os.environ:  # before torch is imported: the processes of `-n` share the cores
    share = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(share))

import pytest
import torch
from hypothesis import HealthCheck, settings

# The same examples on every machine, and no deadline on a busy one.
settings.register_profile(
    "ci", max_examples=60, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.register_profile("explore", parent=settings.get_profile("ci"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


# Warnings are errors here: those that torch gives once a process must not depend on which test comes first.
torch.set_warn_always(True)


# Many short tests that take long together: `-m "not slow"` leaves them out, and runs in about a minute.
SLOW = {
    "experiments/test_cli.py", "experiments/test_networks.py", "experiments/test_trainer.py",
    "filters/test_contract.py", "filters/test_exactness.py", "functional/test_dtypes.py",
    "functional/test_gradients.py", "functional/test_nd.py", "functional/test_pywt_suite.py",
    "nn/test_recurrent_contract.py",
}  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Start the files in their order: xdist would leave those of few tests, the longest among them, for the end."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.as_posix().endswith(f"tests/{name}") for name in SLOW):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Keep modules and tests, hundreds of thousands of objects, out of every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def uninitialised_is_nan() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)  # torch.empty then fills with NaN
    yield
    torch.use_deterministic_algorithms(False)
