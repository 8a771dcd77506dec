"""With dense matrices the recurrent layers are torch's: values and every gradient, for all options."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence

from learnable_wavelets import nn as lwnn

from ..banks import assert_same, signal

LAYERS = {"GRU": (lwnn.GRU, nn.GRU), "LSTM": (lwnn.LSTM, nn.LSTM)}
CELLS = {"GRUCell": (lwnn.GRUCell, nn.GRUCell), "LSTMCell": (lwnn.LSTMCell, nn.LSTMCell)}
INPUT, HIDDEN = 3, 5
# dense rows of one matrix, modules for some gates, modules for all
GATES = {
    "GRU": [(), ("update",), ("reset", "state"), ("reset", "update", "state")],
    "LSTM": [(), ("forget",), ("input", "cell"), ("input", "forget", "cell", "output")],
}


def copy_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Those of torch's layer or cell; the rows of a gate with a module of its own go there."""
    state = theirs.state_dict()
    for name in [name for name in state if "_hh" in name]:
        kind, _, suffix = name.partition("_hh")
        rows = dict(zip(ours.GATES, state.pop(name).chunk(len(ours.GATES)), strict=True))
        for gate in ours.gates:
            state[f"{gate}{suffix}.{kind}"] = rows.pop(gate)
        if rows:
            state[name] = torch.cat(list(rows.values()))
    ours.load_state_dict(state)


def gradients(module: nn.Module) -> dict[str, torch.Tensor]:
    """By torch's names: the gradients of modules put back into the rows of their gate."""
    found = {name: p.grad for name, p in module.named_parameters()}
    if not hasattr(module, "GATES"):
        return found
    joined = {name: grad for name, grad in found.items() if "_ih" in name}
    for name in joined.copy():
        kind, _, suffix = name.partition("_ih")
        dense = found.get(f"{kind}_hh{suffix}")
        rows = iter(() if dense is None else dense.chunk(len(module.GATES) - len(module.gates)))
        joined[f"{kind}_hh{suffix}"] = torch.cat(
            [found[f"{gate}{suffix}.{kind}"] if gate in module.gates else next(rows) for gate in module.GATES]
        )
    return joined


def flat(result) -> list[torch.Tensor]:
    """The tensors in a nest of tuples."""
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, PackedSequence):
        return [result.data]
    return [tensor for part in result for tensor in flat(part)]


def compare(ours, theirs, x, hx):
    """Values, and gradients of a loss that sees every entry of every output differently."""
    copy_weights(ours, theirs)
    grads = []
    results = [flat(module(x, hx)) for module in (ours, theirs)]
    for module, result in zip((ours, theirs), results, strict=True):
        leaves = flat((x,) if hx is None else (x, hx))
        loss = sum((signal(*y.shape, seed=i + 1) * y).sum() for i, y in enumerate(result))
        module.zero_grad()
        loss.backward()
        grads.append(gradients(module) | {f"leaf {i}": leaf.grad for i, leaf in enumerate(leaves)})
        for leaf in leaves:
            leaf.grad = None
    assert len(results[0]) == len(results[1])
    for a, b in zip(*results, strict=True):
        assert_same(a, b)
    assert grads[0].keys() == grads[1].keys()
    for name, grad in grads[1].items():
        assert grad.abs().max() > 0
        assert_same(grads[0][name], grad)


def states(kind: str, *shape: int):
    h, c = (signal(*shape, seed=seed).requires_grad_() for seed in (7, 8))
    return h if kind.startswith("GRU") else (h, c)


def pair(kind: str, gates, **options):
    ours, theirs = LAYERS[kind]
    keywords = {"recurrent_layer": nn.Linear, "gates": gates}
    return (
        ours(INPUT, HIDDEN, dtype=torch.float64, **options, **keywords),
        theirs(INPUT, HIDDEN, dtype=torch.float64, **options),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "gates"), [(kind, gates) for kind in LAYERS for gates in GATES[kind]])
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (1, True), (3, False), (2, True)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_layer(kind, gates, layers, bidirectional, bias, batch_first):
    options = {"num_layers": layers, "bidirectional": bidirectional, "bias": bias, "batch_first": batch_first}
    ours, theirs = pair(kind, gates, **options)
    cells = layers * (1 + bidirectional)
    batch = 4
    x = signal(*((batch, 6) if batch_first else (6, batch)), INPUT).requires_grad_()
    compare(ours, theirs, x, states(kind, cells, batch, HIDDEN))
    compare(ours, theirs, x, None)
    unbatched = signal(6, INPUT).requires_grad_()
    compare(ours, theirs, unbatched, states(kind, cells, HIDDEN))
    compare(ours, theirs, unbatched, None)


@pytest.mark.parametrize(("kind", "gates"), [(kind, gates) for kind in LAYERS for gates in GATES[kind][::3]])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [(4, 6, 1, 6, 3), (2,), (5, 5), (6, 3, 3, 1)])
@pytest.mark.parametrize("start", [True, False])
def test_packed_sequence(kind, gates, bidirectional, lengths, start):
    ours, theirs = pair(kind, gates, num_layers=2, bidirectional=bidirectional)
    x = pack_sequence([signal(length, INPUT, seed=length) for length in lengths], enforce_sorted=False)
    x.data.requires_grad_()
    compare(ours, theirs, x, states(kind, 2 * (1 + bidirectional), len(lengths), HIDDEN) if start else None)
    mine, expected = (pad_packed_sequence(module(x)[0]) for module in (ours, theirs))
    assert_same(mine[0], expected[0])
    assert torch.equal(mine[1], expected[1])


@pytest.mark.parametrize("kind", LAYERS)
def test_packed_sequence_in_order(kind):
    """`enforce_sorted=True` keeps no permutation."""
    ours, theirs = pair(kind, ())
    x = pack_sequence([signal(length, INPUT, seed=length) for length in (5, 2, 1)])
    x.data.requires_grad_()
    assert x.sorted_indices is None
    compare(ours, theirs, x, states(kind, 1, 3, HIDDEN))


@pytest.mark.parametrize(("kind", "gates"), [(kind, gates) for kind in CELLS for gates in GATES[kind[:-4]]])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [(), (1,), (4,)])
def test_cell(kind, gates, bias, batch):
    ours, theirs = CELLS[kind]
    options = {"bias": bias, "dtype": torch.float64}
    ours = ours(INPUT, HIDDEN, recurrent_layer=nn.Linear, gates=gates, **options)
    theirs = theirs(INPUT, HIDDEN, **options)
    compare(ours, theirs, signal(*batch, INPUT).requires_grad_(), states(kind, *batch, HIDDEN))
    for a, b in zip(flat(ours(signal(*batch, INPUT))), flat(theirs(signal(*batch, INPUT))), strict=True):
        assert_same(a, b)


@pytest.mark.parametrize("kind", LAYERS)
def test_parameters_have_the_names_of_torch(kind):
    ours, theirs = pair(kind, (), num_layers=2, bidirectional=True)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    x = signal(6, 4, INPUT)
    assert_same(ours(x)[0], theirs(x)[0])


@pytest.mark.parametrize("kind", CELLS)
def test_parameters_of_cells_have_the_names_of_torch(kind):
    ours, theirs = CELLS[kind]
    ours, theirs = ours(INPUT, HIDDEN, gates=()), theirs(INPUT, HIDDEN)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("kind", [*LAYERS, *CELLS])
def test_dense_matrices_start_as_in_torch(kind):
    ours, theirs = (LAYERS | CELLS)[kind]
    torch.manual_seed(5)
    mine = ours(INPUT, HIDDEN, gates=())
    torch.manual_seed(5)
    expected = theirs(INPUT, HIDDEN).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in mine.state_dict().items())
    some = ours(INPUT, 64, gates=GATES[kind.removesuffix("Cell")][1])
    bound = 64**-0.5
    dense = [p for name, p in some.named_parameters() if "." not in name]
    assert len(dense) == 4
    assert all(0.8 * bound < p.abs().max() <= bound for p in dense)


@pytest.mark.parametrize("kind", LAYERS)
def test_dropout_acts_between_layers(kind):
    options = {"num_layers": 3, "dropout": 0.4}
    ours, theirs = pair(kind, (), **options)
    copy_weights(ours, theirs)
    x = signal(6, 4, INPUT)
    results = []
    for module in (ours, theirs):
        torch.manual_seed(3)
        results.append(module(x)[0])
    assert_same(*results)  # torch draws its masks in the same order
    assert not torch.equal(ours(x)[0], ours(x)[0])
    assert torch.equal(ours.eval()(x)[0], ours(x)[0])
    assert_same(ours(x)[0], theirs.eval()(x)[0])


@pytest.mark.parametrize("kind", LAYERS)
def test_dropout_of_a_single_layer_warns(kind):
    with pytest.warns(UserWarning, match="`dropout` acts between layers: 0.4 has no effect with num_layers=1"):
        LAYERS[kind][0](INPUT, HIDDEN, dropout=0.4)


@pytest.mark.parametrize("kind", LAYERS)
def test_empty_batch(kind):
    ours, theirs = pair(kind, GATES[kind][1], num_layers=2)
    x = signal(6, 0, INPUT)
    assert [y.shape for y in flat(ours(x))] == [y.shape for y in flat(theirs(x))]


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("layers", [1, 2])
def test_positions_of_the_arguments(kind, layers):
    arguments = (INPUT, HIDDEN, layers, False, True)
    ours, theirs = LAYERS[kind][0](*arguments, gates=()), LAYERS[kind][1](*arguments)
    copy_weights(ours, theirs)
    x = signal(4, 6, INPUT).float()
    assert_same(ours(x)[0], theirs(x)[0], 1e-6)


def test_a_layer_is_its_cell_in_a_loop():
    layer = lwnn.GRU(INPUT, 16, dtype=torch.float64, gates=("reset", "state"))
    cell = lwnn.GRUCell(INPUT, 16, dtype=torch.float64, gates=("reset", "state"))
    cell.load_state_dict({name.replace("_l0", ""): value for name, value in layer.state_dict().items()})
    x, h = signal(6, 4, INPUT), signal(4, 16, seed=2)
    output, last = layer(x, h[None])
    for t in range(6):
        h = cell(x[t], h)
        assert_same(output[t], h)
    assert_same(last[0], h)


def by_the_paper(cell: nn.Module, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """Wolter, Lin and Yao: z = s(Whz h + Wxz x), r likewise, c = tanh(Whh (r h) + Wxh x), h' = (1 - z) h + z c."""
    from_x = (x @ cell.weight_ih.T + cell.bias_ih).chunk(3, dim=-1)
    dense = iter(() if cell.weight_hh is None else cell.weight_hh.chunk(3 - len(cell.gates)))
    matrices = [getattr(cell, gate).to_dense() if gate in cell.gates else next(dense) for gate in cell.GATES]
    r, z = (torch.sigmoid(from_x[i] + h @ matrices[i].T) for i in (0, 1))
    c = torch.tanh(from_x[2] + (r * h) @ matrices[2].T)
    return (1 - z) * h + z * c


@pytest.mark.parametrize("gates", [None, (), ("reset",), ("update",), ("state",), ("reset", "state")])
def test_the_form_of_the_paper(gates):
    cell = lwnn.GRUCell(INPUT, 16, dtype=torch.float64, gates=gates, reset_after=False)
    assert cell.bias_hh is None
    assert all(getattr(cell, gate).bias is None for gate in cell.gates)
    x, h = signal(4, INPUT), signal(4, 16, seed=2)
    found, expected = cell(x, h), by_the_paper(cell, x, h)
    assert_same(found, expected)
    grads = [torch.autograd.grad((signal(4, 16, seed=3) * y).sum(), list(cell.parameters())) for y in (found, expected)]
    for a, b in zip(*grads, strict=True):
        assert_same(a, b)
    layer = lwnn.GRU(INPUT, 16, dtype=torch.float64, gates=gates, reset_after=False)
    layer.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items() if "." not in name} | {
        name.replace(".", "_l0.", 1): value for name, value in cell.state_dict().items() if "." in name
    })  # fmt: skip
    assert_same(layer(x[None], h[None])[0][0], expected)


def test_factories_may_be_partial():
    layer = lwnn.GRU(INPUT, 16, recurrent_layer=partial(lwnn.WaveletLinear, wavelet="db6"), gates=["update"])
    assert layer.gates == ("update",)
    assert len(layer.update_l0.filter) == 12


def test_gates_in_any_order():
    ours, theirs = pair("GRU", ["state", "reset", "state"])
    assert ours.gates == ("reset", "state")
    copy_weights(ours, theirs)
    x = signal(6, 4, INPUT)
    assert_same(ours(x)[0], theirs(x)[0])


@pytest.mark.parametrize("kind", [lwnn.GRU, lwnn.LSTM])
def test_programs_may_flatten_the_parameters(kind):
    layer, x = kind(INPUT, 16), torch.randn(6, 4, INPUT)
    before = layer(x)[0]
    layer.flatten_parameters()
    assert torch.equal(layer(x)[0], before)
