"""Practices of users of `nn.Linear`: functions of `make`, which builds a module, and an input; each checks values."""

import copy
import io
import pickle
import tempfile
from multiprocessing.reduction import ForkingPickler

import safetensors.torch
import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn.utils import (
    clip_grad_norm_,
    parameters_to_vector,
    parametrizations,
    parametrize,
    prune,
    vector_to_parameters,
)
from torch.optim import SGD, Adam, AdamW, swa_utils
from torch.utils.checkpoint import checkpoint

from learnable_wavelets import WaveletFilter
from learnable_wavelets.functional import perfect_reconstruction_loss

DECAYS = (0.9, 0.95, 0.99, 0.995, 0.996, 0.999, 0.9995, 0.9997, 0.9998, 0.9999, 0.99995, 0.99998)


def output(module, *args, **kwargs):
    y = module(*args, **kwargs)
    return y if isinstance(y, torch.Tensor) else y[0]


def same(a, b, tolerance=1e-5):
    assert a.shape == b.shape
    assert torch.allclose(a.float(), b.float(), atol=tolerance, rtol=0), (a - b).abs().max()


def different(a, b):
    assert (a - b).abs().max() > 1e-4


def train(module, x, steps=3, optimizer=None):
    optimizer = optimizer or SGD(module.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        (output(module, x) - 1).square().mean().backward()
        optimizer.step()
    return module


def own_parameters(module):
    """Return every parameter that a module reads in its own `forward`, with the module."""
    parts = [part for part in module.modules() if not isinstance(part, nn.ParameterList)]
    return [(part, name) for part in parts for name, p in part.named_parameters(recurse=False) if p.dim()]


# --- averages


def ema_with_buffers(make, x):
    """The EMA of a model that never changed is that model."""
    model = nn.Sequential(make()).eval()
    for decay in DECAYS:
        ema = swa_utils.AveragedModel(model, avg_fn=swa_utils.get_ema_avg_fn(decay), use_buffers=True)
        for _ in range(5):
            ema.update_parameters(model)
        same(output(ema, x), output(model, x), 1e-4)


def ema_by_state_dict(make, x):
    """As timm's `ModelEmaV2`: every entry of the state is averaged."""
    model, decay = make(), 0.9999
    ema, start = copy.deepcopy(model), copy.deepcopy(model.state_dict())
    train(model, x)
    with torch.no_grad():
        for theirs, value in zip(ema.state_dict().values(), model.state_dict().values(), strict=True):
            theirs.copy_(decay * theirs + (1 - decay) * value)
    expected = {name: decay * start[name] + (1 - decay) * value for name, value in model.state_dict().items()}
    assert all(torch.allclose(value, expected[name]) for name, value in ema.state_dict().items())
    same(output(ema, x), output(functional(make, expected), x))


def functional(make, state):
    """A module of its own that loads the state."""
    module = make()
    module.load_state_dict(state)
    return module


def stochastic_weight_averaging(make, x):
    for options in ({}, {"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()}, {"use_buffers": True}):
        model = make()
        averaged, seen = swa_utils.AveragedModel(model, **options), []
        for _ in range(3):
            seen.append(copy.deepcopy(dict(train(model, x, 1).named_parameters())))
            averaged.update_parameters(model)
        mean = {name: sum(state[name] for state in seen) / 3 for name in seen[0]}
        for name, value in averaged.module.named_parameters():
            assert torch.allclose(value, mean[name], atol=1e-6)
        swa_utils.update_bn([x], averaged)
        same(output(averaged, x), output(functional(make, mean), x))


def model_soup(make, x):
    start = make()
    first, second = train(copy.deepcopy(start), x), train(copy.deepcopy(start), x.flip(0) - 1)
    soup = {name: (value + second.state_dict()[name]) / 2 for name, value in first.state_dict().items()}
    y = output(functional(make, soup), x)
    assert y.isfinite().all()
    different(y, output(first, x))
    task = {name: value - start.state_dict()[name] for name, value in first.state_dict().items()}  # task arithmetic
    back = {name: start.state_dict()[name] + value for name, value in task.items()}
    same(output(functional(make, back), x), output(first, x))


# --- dtypes and devices


def module_type(make, x):
    module = make()
    y = output(module, x)
    same(output(module.type(torch.float64), x.double()), y.double(), 1e-5)
    same(output(module.type(torch.FloatTensor), x), y)
    same(output(module.type("torch.DoubleTensor"), x.double()), y.double())
    assert all(t.dtype == torch.float64 for t in module.state_dict().values())


def moved(make, x):
    module = make()
    y = output(module, x)
    same(output(module.to("cpu", non_blocking=True).to(x), x), y)
    same(output(module.double().to(torch.float32).cpu(), x), y)
    same(output(module.to(torch.float64), x.double()), y.double())
    assert output(module.to("meta"), x.double().to("meta")).is_meta


def half_and_back(make, x):
    module = make()
    y = output(module, x)
    same(output(copy.deepcopy(module).half().float(), x), y, 0.02)
    same(output(copy.deepcopy(module).bfloat16().float(), x), y, 0.1)
    assert output(copy.deepcopy(module).bfloat16(), x.bfloat16()).dtype == torch.bfloat16


def emptied_and_reset(make, x):
    """Every `reset_parameters` in the model, as after `to_empty` under a sharded wrapper."""
    for module in (make().to_empty(device="cpu"), make(device="meta").to_empty(device="cpu")):
        with torch.no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                tensor.fill_(torch.nan)
        for part in module.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
        assert all(p.isfinite().all() for p in module.parameters())
        for part in module.modules():
            if isinstance(part, WaveletFilter):
                assert perfect_reconstruction_loss(part.filter_bank) < 1e-10
                assert torch.allclose(part.filter_bank.dec_lo.double(), torch.tensor(part._start[0]).double())
        y = output(train(module, x), x)
        assert y.isfinite().all()


def meta_takes_a_state(make, x):
    source, module = train(make(), x), make(device="meta")
    module.load_state_dict(source.state_dict(), assign=True)
    same(output(module, x), output(source, x), 0)
    train(module, x)


def skipped_start(make, x):
    """`skip_init`: built on meta, emptied, then loaded."""
    source = make()
    module = make(device="meta").to_empty(device="cpu")
    module.load_state_dict(source.state_dict())
    same(output(module, x), output(source, x), 0)


# --- copies and files


def deep_copy(make, x):
    module = train(make(), x)
    twin = copy.deepcopy(module)
    same(output(twin, x), output(module, x), 0)
    y = output(module, x)
    train(twin, x)
    same(output(module, x), y, 0)
    different(output(twin, x), y)


def pickled(make, x):
    module = train(make(), x)
    same(output(pickle.loads(pickle.dumps(module)), x), output(module, x), 0)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    same(output(torch.load(file, weights_only=False), x), output(module, x), 0)


def state_in_a_file(make, x):
    module, file = train(make(), x), io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    same(output(functional(make, torch.load(file, weights_only=True)), x), output(module, x), 0)


def through_safetensors(make, x):
    module = train(make(), x)
    state = safetensors.torch.load(safetensors.torch.save(module.state_dict()))
    assert state.keys() == dict(module.named_parameters()).keys()
    same(output(functional(make, state), x), output(module, x), 0)


def distributed_checkpoint(make, x):
    module, other = train(make(), x), make()
    with tempfile.TemporaryDirectory() as folder:
        dcp.save({"model": module.state_dict()}, checkpoint_id=folder, no_dist=True)
        state = {"model": other.state_dict()}
        dcp.load(state, checkpoint_id=folder, no_dist=True)
    other.load_state_dict(state["model"])
    same(output(other, x), output(module, x), 0)


def shared_with_processes(make, x):
    module = make()
    y = output(module, x)
    module.share_memory()
    assert all(p.is_shared() for p in module.parameters())
    twin = pickle.loads(ForkingPickler.dumps(module))
    same(output(twin, x), y, 0)
    with torch.no_grad():
        next(module.parameters()).mul_(2)  # one memory
    different(output(twin, x), y)


# --- functions of the parameters


def stacked_states(make, x):
    models = [make() for _ in range(3)]
    parameters, buffers = stack_module_state(models)
    assert not buffers
    base = copy.deepcopy(models[0]).to("meta")
    together = vmap(lambda p, b: output(lambda x: functional_call(base, (p, b), (x,)), x))(parameters, buffers)
    same(together, torch.stack([output(model, x) for model in models]))


def per_sample_gradients(make, x):
    module, x = make(), x[0]
    parameters = {name: p.detach() for name, p in module.named_parameters()}

    def loss(parameters, x):
        return output(lambda x: functional_call(module, parameters, (x,)), x[None]).square().sum()

    found = vmap(grad(loss), in_dims=(None, 0))(parameters, x)
    for i in range(len(x)):
        module.zero_grad()
        output(module, x[i][None]).square().sum().backward()
        for name, p in module.named_parameters():
            same(found[name][i], p.grad, 1e-4)


def parameter_vector(make, x):
    module = make()
    y, vector = output(module, x), parameters_to_vector(module.parameters())
    assert vector.numel() == sum(p.numel() for p in module.parameters())
    vector_to_parameters(torch.zeros_like(vector), module.parameters())
    different(output(module, x), y)
    vector_to_parameters(vector.detach(), module.parameters())
    same(output(module, x), y, 0)


def traced(make, x):
    module = make().eval()
    function = torch.jit.trace(module, x)
    same(output(function, x), output(module, x))
    same(output(function, 2 * x), output(module, 2 * x))


# --- training


def buffers_rewritten(make, x):
    """As `DistributedDataParallel` does before every forward: two forwards, one backward."""
    module = make()
    y = output(module, x)
    with torch.no_grad():
        for buffer in module.buffers():
            buffer.copy_(buffer.clone())
    (y.sum() + output(module, x).sum()).backward()
    assert all(p.grad.isfinite().all() for p in module.parameters())
    assert list(module.buffers()) == []


def pruned(make, x):
    module = make()
    for part, name in own_parameters(module):
        prune.l1_unstructured(part, name, amount=1)
    train(module, x)
    y = output(module, x)
    for part in module.modules():
        for name, mask in list(part.named_buffers(recurse=False)):
            if name.endswith("_mask"):
                assert (mask == 0).sum() == 1
                prune.remove(part, name.removesuffix("_mask"))
    assert sum(int((p == 0).sum()) for p in module.parameters()) >= len(list(own_parameters(module)))
    same(output(module, x), y)
    train(module, x)


def pruned_state(make, x):
    """A pruned checkpoint, loaded into a pruned module, for inference alone."""
    a, b = make(), make()
    for module in (a, b):
        for part, name in own_parameters(module):
            prune.identity(part, name)
    train(a, x)
    b.load_state_dict(a.state_dict())
    with torch.no_grad():
        same(output(b, x), output(a, x))


class Doubled(nn.Module):
    def forward(self, value):
        return 2 * value

    def right_inverse(self, value):
        return value / 2


def parametrised(make, x):
    module = make()
    y = output(module, x)
    for part, name in own_parameters(module):
        parametrize.register_parametrization(part, name, Doubled())
    same(output(module, x), y)
    train(module, x)
    different(output(module, x), y)
    y = output(module, x)
    for part in list(module.modules()):
        for name in list(getattr(part, "parametrizations", ())):
            parametrize.remove_parametrizations(part, name)
    same(output(module, x), y)


def weight_norm(make, x):
    for norm in (nn.utils.weight_norm, parametrizations.weight_norm):
        module = make()
        y = output(module, x)
        for part, name in own_parameters(module):
            if getattr(part, name).abs().max() > 0:
                norm(part, name, dim=None)
        same(output(module, x), y)
        train(module, x)
        different(output(module, x), y)


def optimizer_state(make, x):
    kinds = (lambda p: SGD(p, 0.01, momentum=0.9), lambda p: Adam(p, 0.01), lambda p: AdamW(p, 0.01, amsgrad=True))
    for kind in kinds:
        module = make()
        optimizer = kind(module.parameters())
        train(module, x, 2, optimizer)
        twin = functional(make, module.state_dict())
        other = kind(twin.parameters())
        other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        same(output(train(twin, x, 2, other), x), output(train(module, x, 2, optimizer), x), 0)


def frozen(make, x):
    module = make().requires_grad_(False)
    assert not output(module, x).requires_grad
    x = x.clone().requires_grad_()
    output(module, x).sum().backward()
    assert x.grad.abs().max() > 0
    assert all(p.grad is None for p in module.parameters())
    train(module.requires_grad_(True), x.detach())


def gradients_cleared(make, x):
    module = make()
    output(module, x).sum().backward()
    module.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in module.parameters())
    module.zero_grad()
    assert all(p.grad is None for p in module.parameters())


def accumulated(make, x):
    module = make()
    output(module, x).square().sum().backward()
    whole = [p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    for part in x.split(2, dim=1):
        output(module, part).square().sum().backward()
    for p, expected in zip(module.parameters(), whole, strict=True):
        same(p.grad, expected, 1e-5 * max(1, float(expected.abs().max())))


def clipped(make, x):
    module = make()
    (100 * output(module, x).square().sum()).backward()
    norm = clip_grad_norm_(module.parameters(), 1.0, error_if_nonfinite=True)
    assert norm > 1
    total = torch.stack([p.grad.norm() for p in module.parameters()]).norm()
    assert abs(float(total) - 1) < 1e-3


def checkpointed(make, x):
    module, x = make(), x.clone().requires_grad_()
    output(module, x).square().sum().backward()
    expected = [p.grad.clone() for p in module.parameters()]
    for reentrant in (True, False):
        for called in (copy.deepcopy(module), module):  # never called before, and called before
            called.zero_grad()
            checkpoint(lambda x, called=called: output(called, x), x, use_reentrant=reentrant).square().sum().backward()
            for p, grad_ in zip(called.parameters(), expected, strict=True):
                same(p.grad, grad_, 1e-4)


# --- calls


def keyword(make, x):
    module = make()
    same(output(module, input=x), output(module, x), 0)


def hooked(make, x):
    module, seen = make(), []
    y = output(module, x)
    module.register_forward_pre_hook(lambda module, args, kwargs: seen.append("pre"), with_kwargs=True)
    module.register_forward_hook(lambda module, args, y: seen.append("forward"))
    module.register_full_backward_hook(lambda module, inputs, outputs: seen.append("backward"))
    x = x.clone().requires_grad_()
    found = output(module, x)
    same(found, y, 0)
    found.sum().backward()
    assert seen == ["pre", "forward", "backward"]


def replaced_output(make, x):
    module = make()
    y = output(module, x)
    handle = module.register_forward_hook(
        lambda module, args, y: 2 * y if isinstance(y, torch.Tensor) else (2 * y[0], y[1])
    )
    same(output(module, x), 2 * y)
    handle.remove()
    same(output(module, x), y, 0)


def watched(make, x):
    """A hook on all modules: every module with parameters, but for containers, is called."""
    module, seen = make(), set()
    y = output(module, x)
    with nn.modules.module.register_module_forward_hook(lambda module, *_: seen.add(module)):
        same(output(module, x), y)
    assert seen == {part for part in module.modules() if not isinstance(part, nn.ParameterList)}


def replicated(make, x):
    """As `DataParallel` does on each device: parameters become plain attributes, not leaves."""
    module = make()
    copies = {part: part._replicate_for_data_parallel() for part in module.modules()}
    for part, replica in copies.items():
        for name, child in part._modules.items():
            setattr(replica, name, copies[child])
        for name, p in part._parameters.items():
            setattr(replica, name, None if p is None else p * 1)
    replica = copies[module]
    same(output(replica, x), output(module, x), 0)
    output(replica, x).square().sum().backward()
    found = [p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    output(module, x).square().sum().backward()
    for p, grad_ in zip(module.parameters(), found, strict=True):
        same(p.grad, grad_, 1e-4)


PRACTICES = [
    ema_with_buffers, ema_by_state_dict, stochastic_weight_averaging, model_soup, module_type, moved, half_and_back,
    emptied_and_reset, meta_takes_a_state, skipped_start, deep_copy, pickled, state_in_a_file, through_safetensors,
    distributed_checkpoint, shared_with_processes, stacked_states, per_sample_gradients, parameter_vector, traced,
    buffers_rewritten, pruned, pruned_state, parametrised, weight_norm, optimizer_state, frozen, gradients_cleared,
    accumulated, clipped, checkpointed, keyword, hooked, replaced_output, watched, replicated,
]  # fmt: skip
