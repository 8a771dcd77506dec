"""The operators for planes and axes on DTensors, sharded over what they do not transform, compute as one process."""

import os
import subprocess
import sys

import pytest
import torch
from torch import distributed

OPS = torch.ops.learnable_wavelets


def cases():
    """Each operator with its tensors of data, its filters, its constants, and the axes that may be sharded."""
    from .test_planes import filters

    planes, bands = torch.randn(2, 4, 6, 8), [torch.randn(2, 4, 4, 5) for _ in range(4)]
    bank = filters(4, 4, torch.float32)
    yield OPS.dwt2, [planes], bank, ("symmetric", "zero"), (0, 1)
    yield OPS.idwt2, bands, bank, (6, 8, "zero", "zero"), (0, 1)
    yield OPS.swt, [planes], bank[:2], (-2, 0, 1, False), (0, 1, 3)
    yield OPS.iswt, [planes, planes.flip(0)], bank[:2], (-1, 1), (0, 1, 2)


def compare(rank: int, path: str) -> None:
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    from learnable_wavelets.kernels._library import call_operator

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    mesh = distributed.device_mesh.init_device_mesh("cpu", (2,))
    torch.manual_seed(0)
    for operator, data, bank, constants, dims in cases():
        leaves = [t.detach().clone().requires_grad_() for t in (*data, *bank)]
        y = operator(*leaves, *constants)
        grad = torch.randn_like(y)
        expected = torch.autograd.grad(y, leaves, grad)
        moved = y.dim() - data[0].dim()
        for dim in dims:
            kinds = [[Shard(dim)]] * len(data) + [[Replicate()]] * len(bank)
            given = [
                distribute_tensor(t.detach(), mesh, kind).requires_grad_()
                for t, kind in zip(leaves, kinds, strict=True)
            ]
            sharded = call_operator(operator.__name__, *given, *constants)
            assert sharded.placements == (Shard(dim + moved),), (operator, dim, sharded.placements)
            assert torch.allclose(sharded.full_tensor(), y, atol=1e-5), (operator, dim)
            found = torch.autograd.grad(sharded, given, distribute_tensor(grad, mesh, sharded.placements))
            for ours, exact in zip(found, expected, strict=True):
                assert torch.allclose(ours.full_tensor(), exact, atol=1e-4), (operator, dim)
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_available(), reason="torch without distributed")
def test_two_processes(tmp_path):
    command = [sys.executable, "-m", "tests.kernels.test_sharding"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "store")], env=environment, stderr=subprocess.PIPE)
        for rank in range(2)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=240)
        assert worker.returncode == 0, errors.decode()


if __name__ == "__main__":
    compare(int(sys.argv[1]), sys.argv[2])
    os._exit(0)  # threads that torch leaves may free a tensor while the interpreter ends, which aborts (pytorch#190489)
