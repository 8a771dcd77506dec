"""Filters that `fully_shard` distributes over processes start and train as those of one."""

import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import distributed, nn

import learnable_wavelets as lw

KINDS = [lw.LearnableWaveletFilter, lw.OrthogonalWaveletFilter, lw.BiorthogonalWaveletFilter]


def trained(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The output after three steps."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (model(x).square().mean() + lw.wavelet_regularizer(model)).backward()
        optimizer.step()
    return model(x)


def start_from_meta(kind: type[lw.WaveletFilter], mesh: distributed.device_mesh.DeviceMesh) -> None:
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    filter = kind("db3", device="meta")
    expected = filter.start_bank()
    fully_shard(filter, mesh=mesh)
    filter.reset_parameters()  # nothing to fill yet
    filter.to_empty(device="cpu")
    filter.reset_parameters()
    assert all(isinstance(p, DTensor) for p in filter.parameters())
    for ours, theirs in zip(filter.filter_bank, expected, strict=True):
        assert torch.allclose(ours.double(), theirs, atol=1e-6)


def compare(rank: int, path: str) -> None:
    from torch.distributed.fsdp import fully_shard

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    mesh = distributed.device_mesh.init_device_mesh("cpu", (2,))
    for kind in KINDS:
        start_from_meta(kind, mesh)
        torch.manual_seed(0)
        model = nn.Sequential(lw.WaveletLinear(16, 16, wavelet=kind("db2")), nn.ReLU(), lw.WaveletLinear(16, 4))
        sharded, x = copy.deepcopy(model), torch.randn(8, 16)
        for part in (sharded[0], sharded[2], sharded):
            fully_shard(part, mesh=mesh)
        assert torch.allclose(trained(sharded, x), trained(model, x), atol=1e-6)
        for name, terms in lw.wavelet_losses(model).items():
            for term, value in terms.items():
                assert torch.allclose(lw.wavelet_losses(sharded)[name][term], value, atol=1e-6)
        assert torch.allclose(sharded[0].filter.filter_bank.dec_lo, model[0].filter.filter_bank.dec_lo, atol=1e-6)
    distributed.destroy_process_group()


@pytest.fixture
def mesh_of_one(tmp_path):
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield distributed.device_mesh.init_device_mesh("cpu", (1,))
    distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module .* returned a view tensor:UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_start_from_meta(kind, mesh_of_one):
    start_from_meta(kind, mesh_of_one)


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_available(), reason="torch without distributed")
def test_two_processes(tmp_path):
    command = [sys.executable, __file__, str(tmp_path / "meet")]
    processes = [subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE, text=True) for rank in (0, 1)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors


if __name__ == "__main__":
    compare(int(sys.argv[2]), sys.argv[1])
    os._exit(0)  # threads that torch leaves may free a tensor while the interpreter ends, which aborts (pytorch#190489)
