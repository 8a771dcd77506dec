"""Ways of PyTorch to call a module, to be combined: functions of `f(parameters, x)` that return such a function."""

import copy
import io
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu
from torch.func import functional_call, grad, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

import learnable_wavelets as lw
from learnable_wavelets.kernels import use_backend
from learnable_wavelets.kernels._precision import cat

from ..layers import LAYERS

# --- modules: a function of two sizes and a dtype; whether rows are the second dimension of the input


class Bands(nn.Module):
    """The coefficients of a transform in one tensor."""

    def __init__(self, transform):
        super().__init__()
        self.transform = transform

    def forward(self, x):
        return cat([t.flatten(1) for t in tensors_of(self.transform(x))], -1)


def tensors_of(found: Any) -> list[Tensor]:
    if isinstance(found, Tensor):
        return [found]
    parts = found.values() if isinstance(found, dict) else found
    return [t for part in parts if isinstance(part, tuple | list | dict | Tensor) for t in tensors_of(part)]


class First(nn.Module):
    """The outputs of a recurrent layer, and its last states added."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        outputs, states = self.layer(x)
        return outputs + sum(
            t.sum(0, keepdim=True).repeat(1, 1, outputs.shape[-1] // t.shape[-1]) for t in tensors_of(states)
        )


def long_filter(n_in, n_out, dtype):
    return lw.WaveletLinear(n_in, n_out, wavelet=lw.LearnableWaveletFilter("haar", taps=64, dtype=dtype), dtype=dtype)


MODULES: dict[str, Callable[..., nn.Module]] = {
    **{name: lambda a, b, dtype, make=make: make(a, b, dtype=dtype) for name, make in LAYERS.items()},
    "64 taps": long_filter,
    "stack": lambda a, b, dtype: lw.nn.Stack(a, b, depth=2, rank=1, dtype=dtype),
    "adapter": lambda a, b, dtype: lw.nn.Adapter(
        nn.Linear(a, b, dtype=dtype), lw.Fastfood(a, b, bias=False, dtype=dtype)
    ),
    "two layers": lambda a, b, dtype: nn.Sequential(
        lw.WaveletLinear(a, b, dtype=dtype), nn.Tanh(), lw.Fastfood(b, a, dtype=dtype)
    ),
    "GRU cell": lambda a, b, dtype: lw.nn.GRUCell(a, b, dtype=dtype),
    "GRU": lambda a, b, dtype: First(lw.nn.GRU(a, b, dtype=dtype)),
    "GRU paper": lambda a, b, dtype: First(lw.nn.GRU(a, b, reset_after=False, bidirectional=True, dtype=dtype)),
    "LSTM": lambda a, b, dtype: First(lw.nn.LSTM(a, b, gates=["input", "cell"], dtype=dtype)),
    "DWT": lambda a, b, dtype: Bands(lw.nn.DWT("bior2.2", level=2, dtype=dtype)),
    "DWT 2-D": lambda a, b, dtype: Bands(lw.nn.DWT("db2", level=1, dims=2, dtype=dtype)),
    "SWT": lambda a, b, dtype: Bands(lw.nn.SWT("db2", level=2, dtype=dtype)),
}
SEQUENCES = {"GRU", "GRU paper", "LSTM"}
IMAGES = {"DWT 2-D"}


def input_for(name: str, features: int, batch: int, dtype: torch.dtype) -> Tensor:
    shape = (3, batch, features) if name in SEQUENCES else (batch, 5, features) if name in IMAGES else (batch, features)
    return torch.randn(shape, dtype=dtype)


# --- what is done to a module first: a function of the module and an input, which returns the module to call


def loaded(module: nn.Module, x: Tensor) -> nn.Module:
    fresh = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in fresh.parameters():
            parameter.zero_()
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file))
    return fresh


def called_before(module: nn.Module, x: Tensor) -> nn.Module:
    """Call in inference, so that something may be kept, then change the parameters behind the version counters."""
    values = {name: p.detach().clone() for name, p in module.named_parameters()}
    for _, parameter in module.named_parameters():
        parameter.data.mul_(1.5)
    with torch.inference_mode():
        for _ in range(3):
            module(x)
    for name, parameter in module.named_parameters():
        parameter.data.copy_(values[name])
    return module


def hooked(module: nn.Module, x: Tensor) -> nn.Module:
    for part in module.modules():
        part.register_forward_hook(lambda *_: None)
        part.register_forward_pre_hook(lambda *_: None)
    return module


def cast(module: nn.Module, x: Tensor) -> nn.Module:
    dtype = next(module.parameters()).dtype
    return module.to(torch.float64).to(dtype)


PREPARATIONS = {
    "as made": lambda module, x: module,
    "deepcopy": lambda module, x: copy.deepcopy(module),
    "pickle": lambda module, x: pickle.loads(pickle.dumps(module)),
    "loaded": loaded,
    "called before": called_before,
    "hooked": hooked,
    "cast": cast,
    "wrapped": lambda module, x: nn.Sequential(module),
    "eval": lambda module, x: module.eval(),
}


# --- calls


class Subject(NamedTuple):
    module: nn.Module
    rows: int


Call = Callable[[dict[str, Tensor], Tensor], Tensor]


def by_function(subject: Subject) -> Call:
    return lambda parameters, x: functional_call(subject.module, parameters, (x,))


def by_module(subject: Subject) -> Call:
    return lambda parameters, x: subject.module(x)


def compiled(backend: str) -> Callable[[Call, Subject], Call]:
    return lambda f, subject: torch.compile(f, fullgraph=True, backend=backend)


def over_rows(f: Call, subject: Subject) -> Call:
    if subject.rows:  # a sequence of one row keeps its dimension
        return lambda p, x: vmap(lambda row: f(p, row.unsqueeze(1)).squeeze(1), 1, 1)(x)
    return lambda p, x: vmap(lambda row: f(p, row.unsqueeze(0)).squeeze(0))(x)


def over_parameters(f: Call, subject: Subject) -> Call:
    def call(parameters, x):
        stacked = {name: torch.stack([1.2 * value, value]) for name, value in parameters.items()}
        return vmap(f, (0, None))(stacked, x)[1]

    return call


def within(context: Callable[[], Any]) -> Callable[[Call, Subject], Call]:
    def wrap(f: Call, subject: Subject) -> Call:
        def call(parameters, x):
            with context():
                return f(parameters, x)

        return call

    return wrap


def another_size_first(f: Call, subject: Subject) -> Call:
    def call(parameters, x):
        f(parameters, torch.cat([x, x], subject.rows))
        return f(parameters, x)

    return call


def traced(f: Call, subject: Subject) -> Call:
    return lambda p, x: make_fx(f)(p, x)(p, x)


WAYS: dict[str, Callable[[Call, Subject], Call]] = {
    "compile eager": compiled("eager"),
    "compile aot": compiled("aot_eager"),
    "vmap rows": over_rows,
    "vmap parameters": over_parameters,
    "checkpoint": lambda f, subject: lambda p, x: checkpoint(f, p, x, use_reentrant=False),
    "reentrant": lambda f, subject: lambda p, x: checkpoint(f, p, x, use_reentrant=True),
    "save on cpu": within(save_on_cpu),
    "autocast": within(lambda: torch.autocast("cpu", torch.bfloat16)),
    "flop counter": within(lambda: FlopCounterMode(display=False)),
    "reference": within(lambda: use_backend("reference")),
    "another size": another_size_first,
    "make_fx": traced,
}
INSIDE = ("reference", "flop counter")
"""These stand inside of a checkpoint, which restores no context but that of autocast when it computes again."""
ON_PARAMETERS = {"vmap parameters", "make_fx"}


# --- derivatives: functions of a call, its parameters and its input, which return tensors


def weighted(y: Tensor) -> Tensor:
    """A scalar function with curvature in every entry."""
    y = y.to(torch.float64)
    weights = torch.arange(y.numel(), dtype=torch.float64).cos().reshape(y.shape)
    return (weights * y).sum() + y.square().sum() / 2


def wave(tensor: Tensor) -> Tensor:
    return torch.arange(tensor.numel()).sin().reshape(tensor.shape).to(tensor.dtype)


def leaves(parameters: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    return [t for t in (*parameters.values(), x) if t.requires_grad]


def value(f: Call, parameters, x, context=nullcontext) -> list[Tensor]:
    with context():
        return [f(parameters, x)]


def backward(f: Call, parameters, x) -> list[Tensor]:
    y = f(parameters, x)
    return [y, *torch.autograd.grad(weighted(y), leaves(parameters, x), materialize_grads=True)]


def twice(f: Call, parameters, x) -> list[Tensor]:
    wanted = leaves(parameters, x)
    first = torch.autograd.grad(weighted(f(parameters, x)), wanted, create_graph=True, materialize_grads=True)
    total = sum((wave(g) * g).to(torch.float64).sum() for g in first)
    return [*first, *torch.autograd.grad(total, wanted, materialize_grads=True)]


def batched(f: Call, parameters, x) -> list[Tensor]:
    y = f(parameters, x)
    directions = torch.stack([wave(y), wave(y).flip(0)])
    return [*torch.autograd.grad(y, leaves(parameters, x), directions, is_grads_batched=True, materialize_grads=True)]


def functional_gradient(f: Call, parameters, x) -> list[Tensor]:
    made, by_x = grad(lambda p, data: weighted(f(p, data)), (0, 1))(detached(parameters), x.detach())
    return [*made.values(), by_x]


def forward_mode(f: Call, parameters, x) -> list[Tensor]:
    inputs = detached(parameters), x.detach()
    tangents = {name: wave(p) for name, p in inputs[0].items()}, wave(inputs[1])
    return [*jvp(f, inputs, tangents)]


def forward_over_reverse(f: Call, parameters, x) -> list[Tensor]:
    parameters, x = detached(parameters), x.detach()
    gradient = grad(lambda p, data: weighted(f(p, data)))
    return [*jvp(lambda data: gradient(parameters, data), (x,), (wave(x),))[1].values()]


def detached(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in parameters.items()}


DERIVATIVES = {
    "value": value,
    "no_grad": lambda f, p, x: value(f, p, x, torch.no_grad),
    "inference": lambda f, p, x: value(f, p, x, torch.inference_mode),
    "backward": backward,
    "twice": twice,
    "batched": batched,
    "func.grad": functional_gradient,
    "jvp": forward_mode,
    "jvp of grad": forward_over_reverse,
}
SECOND = {"twice", "jvp of grad"}
OF_FUNCTIONS = {"func.grad", "jvp", "jvp of grad"}
