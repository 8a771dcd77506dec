"""The matrix that inference keeps where its product is faster: it is that of the layer, and never stale."""

import copy
import pickle
import sys
import threading

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrize, prune

import learnable_wavelets as lw
from learnable_wavelets.kernels import _prepared

from .prepared import below_crossover, check, close, kept, scrambled

pytestmark = pytest.mark.skipif(not _prepared.AVAILABLE, reason="no kernels, or a torch without DLPack's C protocol")


def step(layer, x):
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(x).square().mean().backward()
    optimizer.step()


def by_thread(layer, x):
    thread = threading.Thread(target=lambda: layer.diag_in.data.neg_())
    thread.start()
    thread.join()


def hook(layer, x):
    layer.filter.register_forward_hook(lambda module, args, bank: type(bank)(*[2 * f for f in bank]))


def parametrization(layer, x):
    parametrize.register_parametrization(layer, "diag_out", Doubled())


def filter_parametrization(layer, x):
    parametrize.register_parametrization(layer.filter, "dec_hi", Doubled())


def instance_forward(layer, x):
    bank = layer.filter.forward()
    layer.filter.forward = lambda: type(bank)(*[2 * f for f in bank])


class Doubled(nn.Module):
    def forward(self, value):
        return 2 * value


def scaled_state(layer, x):
    layer.load_state_dict({name: 3 * value for name, value in layer.state_dict().items()})


CHANGES = {
    "data.mul_": lambda layer, x: layer.diag_in.data.mul_(2),
    "data of another tensor": lambda layer, x: setattr(layer.diag_mid, "data", torch.randn(1, 32)),
    "in place": lambda layer, x: layer.diag_out.mul_(-1),
    "one bit": lambda layer, x: layer.diag_out.view(torch.int32)[0].bitwise_xor_(1 << 22),
    "numpy": lambda layer, x: layer.diag_in.detach().numpy().__imul__(0.5),
    "another parameter": lambda layer, x: setattr(layer, "diag_in", nn.Parameter(torch.randn(32))),
    "filter": lambda layer, x: layer.filter.rec_hi.add_(0.1),
    "another filter": lambda layer, x: setattr(layer, "filter", lw.LearnableWaveletFilter("db4")),
    "longer filter": lambda layer, x: setattr(layer, "filter", scrambled(lw.LearnableWaveletFilter("db8", taps=80))),
    "bias": lambda layer, x: layer.bias.add_(1),
    "no bias": lambda layer, x: setattr(layer, "bias", None),
    "level": lambda layer, x: setattr(layer, "level", 2),
    "optimizer": lambda layer, x: torch.enable_grad()(step)(layer, x),
    "state": scaled_state,
    "thread": by_thread,
    "hook": hook,
    "parametrization": parametrization,
    "filter's parametrization": filter_parametrization,
    "forward of the instance": instance_forward,
    "prune": lambda layer, x: prune.l1_unstructured(layer, "diag_out", 0.5),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_matrix_is_never_stale(name):
    layer, x = below_crossover()
    with torch.no_grad():
        before = layer(x)
        CHANGES[name](layer, x)
        after = layer(x)
    assert close(after, check(layer, x))
    assert not close(after, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"mode": "zero"}, {"seed": None}])
@pytest.mark.parametrize("sizes", [(32, 32), (24, 50), (50, 24), (8, 20)])
def test_the_matrix_is_that_of_the_layer(sizes, options, dtype, uninitialised_is_nan):
    filter = lw.LearnableWaveletFilter("haar", taps=64, dtype=dtype)
    layer = scrambled(lw.WaveletLinear(*sizes, wavelet=filter, level=1, dtype=dtype, **options))
    x = torch.randn(4, 30, sizes[0], dtype=dtype)
    for data in (x, x[1], x.transpose(0, 1), x[:, :1].expand(4, 100, sizes[0])):
        layer(x)
        check(layer, data)
        with torch.no_grad():
            layer(data)
        assert kept(layer)


def test_a_global_hook_sees_the_filter():
    layer, x = below_crossover()
    seen = []
    handle = nn.modules.module.register_module_forward_hook(lambda module, *_: seen.append(type(module)))
    with torch.no_grad():
        layer(x)
    handle.remove()
    assert seen == [lw.LearnableWaveletFilter, lw.WaveletLinear]


@pytest.mark.parametrize("layer", [lw.WaveletLinear(4096, 1), lw.WaveletLinear(4096, 3), lw.Fastfood(8192, 2)])
def test_no_matrix_that_takes_long_to_make(layer):
    x = torch.randn(1, layer.in_features)
    with torch.no_grad():
        layer(x), layer(x)
    assert layer._prepared.state is not None
    assert not kept(layer)


def test_dropout_and_functional_call():
    layer, x = below_crossover()
    other = {name: torch.randn_like(value) for name, value in layer.named_parameters()}
    twin = copy.deepcopy(layer)
    twin.load_state_dict(other)
    with torch.no_grad():
        assert close(functional_call(layer, other, (x,)), twin(x))
        layer.dropout = 0.5
        assert not torch.equal(layer(x), layer(x))
        layer.eval()
        assert torch.equal(layer(x), layer(x))


def test_equal_calls_are_equal_bit_by_bit():
    layer, x = below_crossover()
    fresh, other = copy.deepcopy(layer), copy.deepcopy(layer)
    other(x)
    with torch.no_grad():
        found = [*(layer(x) for _ in range(3)), fresh(x), fresh(x), other(x), layer.double().float()(x)]
    assert all(torch.equal(y, found[0]) for y in found)


def test_the_matrix_is_no_part_of_state_copies_or_pickles():
    layer, x = below_crossover()
    assert kept(layer) == 4 * (32 * 32 + 3 * 32 + 4 * 64)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert not kept(twin)
        with torch.no_grad():
            twin.diag_in.neg_()
        check(twin, x)
        check(layer, x)
    size = len(pickle.dumps(layer))
    layer(x)
    assert not kept(layer)  # training goes on
    assert len(pickle.dumps(layer)) == size
    assert set(layer.state_dict()) == {name for name, _ in layer.named_parameters()}


def test_conversions():
    layer, x = below_crossover()
    check(layer.double(), x.double())
    check(layer.float(), x)
    layer.bfloat16()
    with torch.no_grad():
        assert layer(x.bfloat16()).dtype == torch.bfloat16
    layer.float().to("meta")
    assert layer(x.to("meta")).is_meta
    layer.to_empty(device="cpu")
    layer.filter.reset_parameters()
    layer.reset_parameters()
    check(layer, x)


def test_inference_mode_and_training_after_it():
    layer, x = below_crossover()
    with torch.inference_mode():
        y = layer(x)
        assert kept(layer)
        scrambled(layer)
        layer(x)
    assert y.is_inference()
    with torch.no_grad():
        assert not layer(x).is_inference()
    layer(x).sum().backward()
    check(layer, x)


def test_compiled_after_eager():
    layer, x = below_crossover()
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    with torch.no_grad():
        assert close(compiled(x), layer(x))
        layer.diag_in.mul_(2)
        assert close(compiled(x), layer(x))


def test_eight_threads_at_once():
    """Two train, which frees the kept matrix, while six make it again and multiply by it."""
    layer, x = below_crossover()
    start, wrong, failed = threading.Barrier(8), [], []
    with torch.no_grad():
        expected = layer(x)

    def run(work):
        start.wait()
        try:
            for _ in range(300):
                work()
        except Exception as error:
            failed.append(error)

    @torch.no_grad()
    def infer():
        y = layer(x)
        if not close(y, expected):
            wrong.append(y)

    works = [infer] * 6 + [lambda: layer(x)] * 2
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
    assert not failed
