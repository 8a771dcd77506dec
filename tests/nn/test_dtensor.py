"""Layers on DTensors: replicated parameters, data sharded over two processes, compute as one process does."""

import os
import subprocess
import sys

import pytest
import torch
from torch import distributed

import learnable_wavelets as lw

LAYERS = {
    "wavelet": lambda: lw.WaveletLinear(16, 24),
    "narrow": lambda: lw.WaveletLinear(16, 12, wavelet=lw.OrthogonalWaveletFilter("db2")),
    "fastfood": lambda: lw.Fastfood(16, 24),
}


def compare(rank: int, path: str) -> None:
    from torch.distributed.tensor import DTensor, Shard, distribute_module, distribute_tensor

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    mesh = distributed.device_mesh.init_device_mesh("cpu", (2,))
    for make in LAYERS.values():
        torch.manual_seed(0)
        layer, x = make(), torch.randn(4, 3, 16, requires_grad=True)
        y = layer(x)
        y.square().sum().backward()
        expected = [p.grad for p in layer.parameters()]
        layer.zero_grad()
        distribute_module(layer, mesh)
        for dim in (0, 1):
            layer.zero_grad()
            data = distribute_tensor(x.detach(), mesh, [Shard(dim)]).requires_grad_()
            sharded = layer(data)
            assert isinstance(sharded, DTensor)
            assert sharded.placements == (Shard(dim),)
            assert torch.allclose(sharded.full_tensor(), y, atol=1e-5)
            sharded.square().sum().backward()
            assert torch.allclose(data.grad.full_tensor(), x.grad, atol=1e-4)
            for parameter, gradient in zip(layer.parameters(), expected, strict=True):
                assert torch.allclose(parameter.grad.full_tensor(), gradient, atol=1e-4)
    distributed.destroy_process_group()


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
