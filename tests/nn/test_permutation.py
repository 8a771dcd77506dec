"""Contract 2: P is a function of (seed, block, n), defined for ever, and no trace of a first call is left in it."""

import copy
import gc
import pickle
import random
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call, functionalize, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from learnable_wavelets import Fastfood, WaveletLinear
from learnable_wavelets.nn import GRU, _permutation
from learnable_wavelets.nn._permutation import mix, permutation_rows, shared_permutation

from ..layers import dense

MASK = 2**64 - 1


def splitmix64(state: int) -> int:
    """Return the output of the published generator after one step from `state`."""
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def by_hand(seed: int, block: int, n: int) -> list[int]:
    """Return the row of the definition, with Python's integers."""
    gamma = 0x9E3779B97F4A7C15
    state = splitmix64(seed & MASK)
    state = splitmix64((state + block * gamma) & MASK)
    state = splitmix64((state + (n - 1) * gamma) & MASK)
    hashes = [splitmix64((state + i * gamma) & MASK) for i in range(n)]
    return sorted(range(n), key=lambda i: (hashes[i], i))


# --- the definition


def test_published_outputs_of_splitmix64():
    gamma = 0x9E3779B97F4A7C15 - 2**64
    states = np.arange(1, 5, dtype=np.int64) * gamma
    found = [int(value) & MASK for value in mix(states)]
    assert found == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    assert splitmix64(0) == found[0]


FROZEN = {
    (0, 0, 2): [1, 0],
    (0, 0, 4): [1, 0, 3, 2],
    (0, 0, 8): [3, 2, 4, 5, 1, 0, 6, 7],
    (0, 0, 16): [7, 9, 15, 13, 12, 1, 11, 2],
    (0, 1, 16): [7, 10, 0, 9, 13, 5, 8, 1],
    (0, 0, 1024): [535, 510, 626, 465, 396, 854, 550, 471],
    (0, 5, 1024): [743, 288, 771, 407, 147, 554, 843, 446],
    (1, 0, 16): [10, 11, 15, 0, 14, 2, 4, 9],
    (7, 2, 64): [1, 60, 40, 39, 51, 36, 12, 42],
    (-1, 0, 64): [51, 18, 20, 21, 47, 17, 33, 42],
    (1099511627779, 0, 4096): [2239, 1102, 3219, 1770, 685, 1999, 3374, 1229],
    (0, 0, 65536): [47113, 53788, 57760, 2110, 10533, 51892, 50791, 10542],
}


@pytest.mark.parametrize(("seed", "block", "n"), FROZEN)
def test_frozen_vectors(seed, block, n):
    row = permutation_rows(seed, block + 1, n)[block]
    assert row.dtype == np.int64
    assert row[:8].tolist() == FROZEN[seed, block, n]
    layer = Fastfood(n, n * (block + 1), seed=seed, bias=False)
    assert layer.permutation[block, :8].tolist() == FROZEN[seed, block, n]


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**70) + 5, 10**40])
@pytest.mark.parametrize("n", [1, 2, 3, 63, 64, 1000])
def test_the_definition_with_pythons_integers(seed, n):
    rows = permutation_rows(seed, 3, n)
    assert rows.tolist() == [by_hand(seed, block, n) for block in range(3)]
    assert (np.sort(rows) == np.arange(n)).all()


@pytest.mark.parametrize("seed", [-(2**63), -5, 2**64 + 7, 10**30])
def test_negative_and_huge_seeds_are_taken(seed):
    layer = WaveletLinear(16, 16, seed=seed)
    assert layer.seed == seed
    assert layer.permutation.tolist() == [by_hand(seed, 0, 16)]
    twin = WaveletLinear(16, 16, seed=seed)
    twin.load_state_dict(layer.state_dict())
    x = torch.randn(2, 16)
    assert torch.equal(twin(x), layer(x))


@pytest.mark.parametrize("seed", [1.0, "0", True, torch.tensor(1)], ids=repr)
def test_other_seeds_are_refused(seed):
    for kind in (WaveletLinear, Fastfood):
        with pytest.raises(TypeError, match=f"`seed` must be an int, got {type(seed).__name__}"):
            kind(8, 8, seed=seed)


def test_numpys_integers_are_seeds():
    layer = Fastfood(16, 16, seed=np.int64(3))
    assert type(layer.seed) is int
    assert torch.equal(layer.permutation, Fastfood(16, 16, seed=3).permutation)


def test_no_seed_is_the_identity():
    for layer in (WaveletLinear(16, 40, seed=None), Fastfood(16, 40, seed=None)):
        blocks, m = layer.diag_mid.shape
        assert torch.equal(layer.permutation, torch.arange(m).expand(blocks, m))
        assert "seed=None" in repr(layer)


def test_blocks_seeds_and_sizes_differ():
    """A row of n is not the order that a longer one induces."""
    rows = permutation_rows(0, 4, 64)
    assert len({tuple(row) for row in rows.tolist()}) == 4
    assert not (rows[0] == permutation_rows(1, 1, 64)[0]).all()
    longer = permutation_rows(0, 1, 128)[0]
    assert longer[longer < 64].tolist() != rows[0].tolist()
    assert (permutation_rows(0, 2, 64) == rows[:2]).all()  # the number of blocks is not mixed in


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_short_rows_take_every_order(n):
    rows = np.concatenate([permutation_rows(seed, 20, n) for seed in range(40)])
    orders, counts = np.unique(rows, axis=0, return_counts=True)
    assert len(orders) == np.prod(np.arange(1, n + 1))
    expected = len(rows) / len(orders)
    assert ((counts - expected) ** 2 / expected).sum() < 3 * len(orders)


def test_rows_look_random():
    """Entries are spread evenly, and few stay where they are (one on average)."""
    rows = np.concatenate([permutation_rows(seed, 4, 64) for seed in range(100)])
    assert (rows == np.arange(64)).sum(1).mean() == pytest.approx(1, abs=0.2)
    counts = np.stack([np.bincount(column, minlength=64) for column in rows.T])
    assert ((counts - 6.25) ** 2 / 6.25).sum() / 63**2 == pytest.approx(1, abs=0.1)


def test_no_generator_decides():
    rows = []
    for number in range(2):
        torch.manual_seed(number)
        np.random.seed(number)  # noqa: NPY002
        random.seed(number)
        states = torch.get_rng_state(), np.random.get_state()[2], random.getstate()  # noqa: NPY002
        rows.append(permutation_rows(3, 2, 99).tolist())
        assert torch.equal(states[0], torch.get_rng_state())
        assert states[1:] == (np.random.get_state()[2], random.getstate())  # noqa: NPY002
    assert rows[0] == rows[1]


@pytest.mark.slow
def test_another_process_finds_the_same():
    code = "import learnable_wavelets as lw; print(lw.Fastfood(16, 16, seed=7).permutation.tolist())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(Fastfood(16, 16, seed=7).permutation.tolist())


# --- one object


def test_layers_that_agree_share_one_object():
    a, b, c = WaveletLinear(16, 16), Fastfood(16, 16), WaveletLinear(16, 16, seed=1)
    assert a._permutation is b._permutation
    assert a._permutation is not c._permutation
    assert a._permutation is copy.deepcopy(a)._permutation
    assert a._permutation is pickle.loads(pickle.dumps(a))._permutation
    assert a._permutation is shared_permutation(0, 1, 16)


def test_a_pickle_holds_the_numbers_alone():
    layer = Fastfood(2**14, 2**14)
    parameters = sum(p.numel() * p.element_size() for p in layer.parameters())
    assert len(pickle.dumps(layer)) < parameters + 4096
    assert pickle.loads(pickle.dumps(shared_permutation(5, 2, 8))) is not None


def test_a_pickle_makes_it_again():
    data = pickle.dumps(Fastfood(24, 24, seed=123))
    gc.collect()
    assert (123, 1, 32) not in _permutation._SHARED
    layer = pickle.loads(data)
    assert layer.permutation.tolist() == [by_hand(123, 0, 32)]


def test_memory_goes_with_the_last_layer():
    layer = Fastfood(64, 64, seed=987)
    other = copy.deepcopy(layer)
    seen = weakref.ref(layer._permutation)
    del layer
    gc.collect()
    assert seen() is not None
    del other
    gc.collect()
    assert seen() is None
    assert (987, 1, 64) not in _permutation._SHARED


def test_the_public_property_is_a_copy():
    layer, twin = Fastfood(16, 16), Fastfood(16, 16)
    before = layer.permutation
    layer.permutation.zero_()
    assert torch.equal(layer.permutation, before)
    assert torch.equal(twin.permutation, before)
    assert before.data_ptr() != layer._permutation.on(torch.device("cpu")).data_ptr()


def test_no_module_lists_it():
    for module in (WaveletLinear(16, 16), Fastfood(16, 40), GRU(3, 16)):
        assert list(module.buffers()) == []
        assert not any("permutation" in name for name in module.state_dict())
        assert all(t.is_floating_point() for t in module.state_dict().values())


def test_an_object_of_the_users_own_is_used():
    class Reverse(_permutation.Permutation):
        def __init__(self, n):
            self.array, self.tensors = np.arange(n)[::-1].copy()[None], {}

    layer = Fastfood(8, 8, dtype=torch.float64)
    layer._permutation = Reverse(8)
    assert layer.permutation.tolist() == [list(range(8))[::-1]]
    x = torch.randn(3, 8, dtype=torch.float64)
    assert torch.allclose(layer(x), x @ torch.from_numpy(dense(layer)).T + layer.bias)


# --- first calls under every mode, then train eagerly: each with a seed of its own, which nobody has made before

SEEDS = iter(range(10_000, 20_000))


def inference(make):
    with torch.inference_mode():
        make()(torch.randn(2, 16))


def inference_call(make):
    layer = make()
    with torch.inference_mode():
        layer(torch.randn(2, 16))


def fake_mode(make):
    layer = make()
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert layer(torch.empty(2, 16)).shape == (2, 24)


def strict_fake_mode(make):
    """No real tensor at all is let in: the index must be one of the mode's own."""
    layer, mode = make(), FakeTensorMode()
    state = {name: mode.from_tensor(value) for name, value in layer.state_dict().items()}
    with mode:
        assert functional_call(layer, state, (torch.empty(2, 16),)).shape == (2, 24)


def made_in_fake_mode(make):
    with FakeTensorMode():
        make()


def fx(mode):
    def first_call(make):
        layer = make()
        x = torch.randn(2, 16)

        def function(x):
            return layer(x)

        graph = make_fx(function, tracing_mode=mode, _allow_non_fake_inputs=True)(x)
        assert torch.allclose(graph(x), layer(x), atol=1e-6)

    return first_call


def export(strict):
    def first_call(make):
        layer, x = make(), torch.randn(2, 16)
        program = torch.export.export(layer, (x,), strict=strict)
        assert torch.allclose(program.module()(x), layer(x), atol=1e-6)

    return first_call


def compiled(make):
    torch.compiler.reset()
    layer, x = make(), torch.randn(2, 16)
    assert torch.allclose(torch.compile(layer, fullgraph=True, backend="eager")(x), layer(x), atol=1e-6)


def made_in_a_compiled_function(make):
    torch.compiler.reset()
    counter = CompileCounter()

    @torch.compile(backend=counter)
    def function(x):
        return make()(x)

    assert function(torch.randn(2, 16)).shape == (2, 24)


def batched(make):
    layer, x = make(), torch.randn(3, 2, 16)
    assert torch.allclose(vmap(layer)(x), layer(x), atol=1e-6)


def functionalized(make):
    layer, x = make(), torch.randn(2, 16)
    assert torch.allclose(functionalize(layer)(x), layer(x), atol=1e-6)


def meta_default(make):
    with torch.device("meta"):
        assert make()(torch.randn(2, 16)).is_meta
    layer = make(device="cpu")
    with torch.device("meta"):
        assert layer(torch.ones(2, 16, device="cpu")).device.type == "cpu"


def eight_threads(make):
    barrier, layers = threading.Barrier(8), []

    def run():
        barrier.wait()
        layer = make()
        layer(torch.randn(2, 16)).sum().backward()
        layers.append(layer)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(layers) == 8
    assert all(torch.equal(layer.permutation, layers[0].permutation) for layer in layers)


FIRST = {
    "inference mode": inference, "inference mode, made before": inference_call, "fake": fake_mode,
    "strict fake": strict_fake_mode, "made under fake": made_in_fake_mode, "make_fx real": fx("real"),
    "make_fx fake": fx("fake"), "make_fx symbolic": fx("symbolic"), "export strict": export(True),
    "export": export(False), "compile": compiled, "made under compile": made_in_a_compiled_function, "vmap": batched,
    "functionalize": functionalized, "meta default": meta_default, "eight threads": eight_threads,
}  # fmt: skip
SLOW = ("export strict", "made under compile")


CALLS = [
    pytest.param(kind, name, marks=[pytest.mark.slow] if name in SLOW else [], id=f"{name}-{kind.__name__}")
    for name in FIRST
    for kind in (WaveletLinear, Fastfood)
]


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize(("kind", "name"), CALLS)
def test_a_first_call_leaves_nothing_behind(kind, name):
    seed = next(SEEDS)

    kept = []  # or the object would go with the first layer, and its faults with it

    def make(**keywords):
        layer = kind(16, 24, seed=seed, **keywords)
        if not torch.compiler.is_compiling():
            kept.append(layer._permutation)
        return layer

    keeper = _permutation._SHARED.get((seed, 2, 16))
    assert keeper is None  # the first of its numbers
    FIRST[name](make)
    layer = make()
    assert name == "eight threads" or all(permutation is layer._permutation for permutation in kept)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        layer(torch.randn(4, 16)).square().mean().backward()
        optimizer.step()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())
    index = layer._permutation.on(torch.device("cpu"))
    assert type(index) is torch.Tensor
    assert not index.is_inference()
    assert layer.permutation.tolist() == [by_hand(seed, block, 16) for block in range(2)]
    exact = copy.deepcopy(layer).double()
    x = torch.randn(3, 16, dtype=torch.float64)
    assert torch.allclose(exact(x), x @ torch.from_numpy(dense(exact)).T + exact.bias)


# --- compilation


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_layers_of_many_seeds_share_one_graph(kind):
    """`forward` reads a tensor and never the seed, on which dynamo would specialise."""
    torch.compiler.reset()
    counter = CompileCounter()

    @torch.compile(backend=counter, fullgraph=True)
    def function(layer, x):
        return layer(x)

    x = torch.randn(2, 16)
    for seed in (*range(7), None):
        layer = kind(16, 16, seed=seed)
        assert torch.allclose(function(layer, x), layer(x), atol=1e-6)
    assert counter.frame_count == 1


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_a_model_of_many_seeds_is_one_graph(kind):
    torch.compiler.reset()
    counter = CompileCounter()
    model = nn.Sequential(*(kind(16, 16, seed=seed) for seed in range(5)))
    compiled, x = torch.compile(model, backend=counter, fullgraph=True), torch.randn(2, 16)
    for _ in range(3):
        assert torch.allclose(compiled(x), model(x), atol=1e-6)
    assert counter.frame_count == 1


def test_the_index_is_no_operation_of_the_graph():
    """It is not derived in `forward`: no sort, no hash."""
    layer, x = WaveletLinear(16, 16), torch.randn(2, 16)
    graph = make_fx(lambda x: layer(x), tracing_mode="fake", _allow_non_fake_inputs=True)(x)
    names = {str(node.target) for node in graph.graph.nodes if node.op == "call_function"}
    assert not any("sort" in name or "bitwise" in name for name in names)


@pytest.mark.slow
def test_import_does_not_import_dynamo():
    code = "import sys, learnable_wavelets as lw; lw.Fastfood(8, 8); print('torch._dynamo' in sys.modules)"
    had = "import sys, torch; print('torch._dynamo' in sys.modules)"
    found = [
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
        for text in (had, code)
    ]
    assert found[0] == found[1]


# --- devices


def test_it_follows_the_input():
    layer = Fastfood(16, 16, device="meta")
    assert layer.permutation.is_meta
    layer.load_state_dict(Fastfood(16, 16).state_dict(), assign=True)  # not through `_apply`
    assert layer.permutation.device.type == "cpu"
    assert layer(torch.randn(2, 16)).device.type == "cpu"


@pytest.mark.parametrize("kind", [WaveletLinear, Fastfood])
def test_taken_off_meta_and_compiled(kind):
    layer, twin = kind(16, 16, device="meta", seed=2**40 + 1), kind(16, 16)
    layer.load_state_dict({name: torch.randn(t.shape) for name, t in twin.state_dict().items()}, assign=True)
    x = torch.randn(2, 16)
    y = torch.compile(layer, backend="eager", fullgraph=True)(x)
    assert torch.allclose(y, layer(x), atol=1e-5)
