"""The processes of a `torchrun`: each trains on a share of the batch, sums are over all, one writes files."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


class Ranks(NamedTuple):
    """One process among those that train one model; by default the only one."""

    rank: int = 0
    world: int = 1

    @property
    def writes(self) -> bool:
        """Return True for the first process, which alone prints and writes files."""
        return self.rank == 0

    def share(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the rows of this process in a global batch."""
        return rows.tensor_split(self.world)[self.rank]

    def sum_(self, values: torch.Tensor) -> torch.Tensor:
        """Sum `values` over the processes, in place."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.world > 1:
            distributed.barrier()

    def wrap(self, network: nn.Module) -> nn.Module:
        """Wrap `network` so that gradients are averaged over the processes."""
        return network if self.world == 1 else DistributedDataParallel(network)


SINGLE = Ranks()


@contextmanager
def process_group(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that `torchrun` started; without it, be the only one."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 or "RANK" not in os.environ:
        yield SINGLE
        return
    # Its default arguments keep the group that there is when something imports it, as an optimiser's first step does;
    # Gloo's threads then outlive the group, and one that frees a tensor while the interpreter ends aborts the process
    # (torch 2.13; pytorch/pytorch#190489).
    import torch.distributed.nn  # noqa: F401

    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), world)
    finally:
        gc.collect()  # wrapped networks hold the group too
        distributed.destroy_process_group()


def local_device(device: torch.device) -> torch.device:
    """Select a card, as dropout and NCCL use the current one; under `torchrun` `cuda` is that of this process."""
    if str(device) == "cuda" and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device
