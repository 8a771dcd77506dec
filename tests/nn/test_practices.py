"""Contract 3: practices that `nn.Linear`, `nn.GRU` and `nn.LSTM` survive, beside the layers in their place."""

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch
from torch import distributed, nn

import learnable_wavelets as lw

from .practices import PRACTICES, output, train


def wavelet(kind, name):
    return lambda **kw: lw.WaveletLinear(16, 16, wavelet=kind(name, **kw), **kw)


TORCH = {"nn.Linear": nn.Linear, "nn.GRU": nn.GRU, "nn.LSTM": nn.LSTM}
MODULES = {
    **{name: lambda kind=kind, **kw: kind(16, 16, **kw) for name, kind in TORCH.items()},
    "WaveletLinear": lambda **kw: lw.WaveletLinear(16, 16, **kw),
    "WaveletLinear free": wavelet(lw.LearnableWaveletFilter, "bior2.2"),
    "WaveletLinear orthogonal": wavelet(lw.OrthogonalWaveletFilter, "db3"),
    "WaveletLinear biorthogonal": wavelet(lw.BiorthogonalWaveletFilter, "bior2.2"),
    "WaveletLinear symmetric": lambda **kw: lw.WaveletLinear(16, 16, mode="symmetric", **kw),
    "Fastfood": lambda **kw: lw.Fastfood(16, 16, **kw),
    "GRU": lambda **kw: lw.nn.GRU(16, 16, **kw),
    "LSTM": lambda **kw: lw.nn.LSTM(16, 16, gates=["input", "cell"], **kw),
}
NOT_IN_TORCH = {  # torch has no batching rule
    ("stacked_states", "nn.GRU"): "Batching rule not implemented for aten::gru",
    ("stacked_states", "nn.LSTM"): "Batching rule not implemented for aten::lstm",
    ("per_sample_gradients", "nn.GRU"): "doesn't match the broadcast shape",
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("practice", PRACTICES, ids=lambda practice: practice.__name__)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore:.*:torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.filterwarnings("ignore:`?torch.nn.utils.weight_norm:FutureWarning")
@pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")
def test_practice(practice, name):
    torch.manual_seed(3)
    why = NOT_IN_TORCH.get((practice.__name__, name))
    with pytest.raises(RuntimeError, match=why) if why else nullcontext():
        practice(MODULES[name], torch.randn(3, 4, 16))


# --- in a process group of one


def distributed_practices(path: str) -> None:
    from torch.distributed.fsdp import fully_shard

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{path}", rank=0, world_size=1)
    mesh = distributed.device_mesh.init_device_mesh("cpu", (1,))
    x = torch.randn(3, 4, 16)
    for name, make in MODULES.items():
        print(name, flush=True)
        reference = make()
        wrapped = nn.parallel.DistributedDataParallel(make())
        wrapped.module.load_state_dict(reference.state_dict())
        assert torch.allclose(output(train(wrapped, x), x), output(train(reference, x), x), atol=1e-6)
        first, second = output(wrapped, x), output(wrapped, 2 * x)  # two forwards, one backward
        (first.sum() + second.sum()).backward()

        sharded = make(device="meta")
        fully_shard(sharded, mesh=mesh)
        sharded.to_empty(device="cpu")
        for part in sharded.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
        assert output(train(sharded, x), x).isfinite().all()
        state = {key: value.full_tensor() for key, value in sharded.state_dict().items()}
        reference.load_state_dict(state)
        assert torch.allclose(output(sharded, x), output(reference, x), atol=1e-6)
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_available(), reason="torch without distributed")
def test_a_process_group(tmp_path):
    command = [
        sys.executable,
        "-m",
        f"{__package__}.test_practices" if __package__ else __file__,
        str(tmp_path / "meet"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    distributed_practices(sys.argv[1])
    os._exit(0)  # threads that torch leaves may free a tensor while the interpreter ends, which aborts (pytorch#190489)
