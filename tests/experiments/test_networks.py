"""The networks of the experiments: parameter counts of the paper, shapes, controls, a few steps of each."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets.experiments.engine import Trainer
from learnable_wavelets.experiments.models._published import PublishedSlicing
from learnable_wavelets.experiments.paper import EXPERIMENTS
from learnable_wavelets.experiments.spec import (
    GATES,
    SANDWICHES,
    Case,
    Experiment,
    Options,
    PaperWavelet,
    Task,
    cases,
    count,
    parse,
)
from learnable_wavelets.experiments.tasks import (
    Adding,
    Characters,
    Images,
    Memory,
    Text,
    as_maps,
    as_pixels,
    as_short_sequences,
    as_vectors,
)

from .conftest import CPU

TEXT = Text("abcab" * 60, "cab" * 30, "bca" * 40, "toy", "a toy")
NO_TASK: Task = None  # type: ignore[assignment]  # most networks do not use it
MNIST, SHOOTOUT, SHL, ADDING, MEMORY, SEQUENTIAL_MNIST, CHAR_LM, TRANSFORMER = EXPERIMENTS


def network(experiment: Experiment, layer: str, gates: tuple[str, ...] = GATES, task: Task = NO_TASK) -> nn.Module:
    return experiment.build(layer, Options(gates=gates, paper=experiment.paper), task)


COUNTS = [
    (MNIST, "dense", GATES, 431_080),
    (MNIST, "wavelet", GATES, 35_996),
    (MNIST, "wavelet-paper", GATES, 36_030),
    (MNIST, "fastfood", GATES, 36_204),
    (MNIST, "removed", GATES, 33_580),
    (MNIST, "diagonal", GATES, 34_380),
    (ADDING, "dense", GATES, 791_553),
    (ADDING, "wavelet-paper", ("reset",), 531_002),
    (ADDING, "wavelet-paper", ("update",), 531_002),
    (ADDING, "wavelet-paper", ("reset", "state"), 270_451),
    (ADDING, "wavelet-paper", GATES, 9_900),
    (ADDING, "fastfood", GATES, 9_729),
    (MEMORY, "dense", GATES, 808_458),
    (MEMORY, "wavelet-paper", ("state",), 547_907),
    (MEMORY, "wavelet-paper", ("reset", "update"), 287_356),
    (MEMORY, "wavelet-paper", GATES, 26_805),
    (MEMORY, "fastfood", GATES, 26_634),
    (SEQUENTIAL_MNIST, "dense", GATES, 11_030),
    (SEQUENTIAL_MNIST, "wavelet-paper", ("reset",), 7_971),
    (SEQUENTIAL_MNIST, "wavelet-paper", ("reset", "state"), 4_912),
    (SEQUENTIAL_MNIST, "wavelet-paper", GATES, 1_853),
    (SHL, "dense", GATES, 623_290),  # the published network
    (SHL, "removed", GATES, 7_850),
    (SHL, "fixed", GATES, 784 + 7_850),
    (SHL, "butterfly", GATES, 8 * 1023 + 784 + 7_850),
    (ADDING, "frozen", GATES, 9_729),  # as Fastfood
    (ADDING, "fixed", GATES, 5_121),
    (SHOOTOUT, "removed", GATES, 10_250),
    (SHOOTOUT, "dense", GATES, 1_059_850),
    (SHOOTOUT, "low-rank", GATES, 15_370),
]


@pytest.mark.parametrize(("experiment", "layer", "gates", "expected"), COUNTS)
def test_parameter_counts(experiment: Experiment, layer: str, gates: tuple[str, ...], expected: int) -> None:
    assert count(network(experiment, layer, gates)) == expected


@pytest.mark.parametrize(("level", "expected"), [(4, 9_852), (8, 9_900)])
def test_parameter_counts_at_other_levels(level: int, expected: int) -> None:
    options = Options(paper=PaperWavelet("haar", 6, level))
    assert count(ADDING.build("wavelet-paper", options, NO_TASK)) == expected


@pytest.mark.parametrize(("experiment", "taps", "budget"), [(MEMORY, 14, 26_805), (SEQUENTIAL_MNIST, 28, 4_912)])
def test_ours_pads_a_start_that_is_not_chosen(experiment: Experiment, taps: int, budget: int, few) -> None:
    def options(**words: str | int) -> Options:
        return parse(experiment, {"layer": ["wavelet"], **words})

    assert options(protocol="ours").taps == taps
    built = experiment.build("wavelet", options(protocol="ours"), tasks(few)[experiment.name])
    assert budget - 40 < count(built) <= budget
    for choice in ({"wavelet": "db2"}, {"level": 1}, {"constraint": "biorthogonal"}, {"protocol": "paper"}):
        assert options(**{"protocol": "ours", **choice}).taps is None
    assert options(protocol="ours", taps=6).taps == 6


@pytest.mark.parametrize(
    ("layer", "gates", "expected"),
    [
        ("dense", GATES, 971_605),
        ("wavelet-paper", ("state",), 711_038),
        ("wavelet-paper", ("reset", "state"), 450_471),
        ("wavelet-paper", GATES, 189_904),
        ("fastfood", GATES, 189_781),
    ],
)
def test_parameter_counts_of_penn_treebank(layer: str, gates: tuple[str, ...], expected: int) -> None:
    letters = "".join(map(chr, range(32, 32 + 49)))  # an alphabet of 49, as its
    task = Characters(Text(letters * 9, letters, letters, "", ""), 2, 20, 5, CPU)
    assert count(network(CHAR_LM, layer, gates, task)) == expected


def tasks(few) -> dict[str, Task]:
    return {
        "mnist": Images(few, as_maps, 50, 50, CPU),
        "shootout": Images(few, as_vectors, 50, 50, CPU),
        "shl": Images(few, as_pixels, 50, 50, CPU),
        "transformer": Characters(TEXT, 4, 20, 0, CPU),
        "adding": Adding(12, 20, 30, CPU),
        "memory": Memory(7, 20, 30, CPU),
        "sequential-mnist": Images(few._replace(name="x"), as_short_sequences, 100, 50, CPU),
        "char-lm": Characters(TEXT, 4, 20, 5, CPU),
    }


FEW_LAYERS = {"sequential-mnist": ("wavelet",), "char-lm": ("dense", "wavelet")}


@pytest.mark.parametrize(
    ("experiment", "protocol"),
    [(experiment, protocol) for experiment in EXPERIMENTS for protocol in experiment.protocols],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_few_steps_of_every_layer(experiment: Experiment, protocol: str, few) -> None:
    task = tasks(few)[experiment.name]
    layers = FEW_LAYERS.get(experiment.name, experiment.layers)
    values = {"layer": list(layers), "protocol": protocol}
    for case in cases(experiment, parse(experiment, values), task):
        model = case.network(0)
        trainer = Trainer(model, task, replace(case.recipe(), epochs=1, interval=2), 0)
        record = [trainer.advance(), trainer.advance()][-1]
        assert record is not None
        assert math.isfinite(record["train_loss"])
        assert set(trainer.test()[0]) == set(task.metrics)
        gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
        assert all(g is not None and g.any() for g in gradients.values()), (case.layer, case.settings())


def narrow(experiment: Experiment, task: Task, **given: object) -> Case:
    (case,) = cases(experiment, parse(experiment, {"layer": ["narrow"], **given}), task)
    return case


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.name)
def test_a_narrow_network_has_the_parameters_of_the_wavelet_one(experiment: Experiment, few) -> None:
    task = tasks(few)[experiment.name]
    case = narrow(experiment, task)
    model, units = case.network(0), case.options.units
    assert not any(isinstance(module, lw.nn.SandwichLayer) for module in model.modules())
    (other,) = cases(experiment, parse(experiment, {"layer": ["wavelet"]}), task)
    fewer = replace(case, options=replace(case.options, units=units - 1))
    assert count(fewer.network(0)) < count(other.network(0)) <= count(model)
    assert case.settings().startswith(f"{units} units")
    assert narrow(experiment, task, units=units).run(0) == case.run(0)
    chosen = narrow(experiment, task, units=2)
    assert count(chosen.network(0)) < count(fewer.network(0))
    assert chosen.run(0).name != case.run(0).name


def test_a_narrow_network_follows_the_budget(few) -> None:
    task = tasks(few)["shootout"]
    plain, product, deep = (narrow(SHOOTOUT, task, **given) for given in ({}, {"blocks": "4"}, {"depth": "3"}))
    assert [case.options.units for case in (plain, product, deep)] == [14, 23, 21]
    sizes = [tuple(p.shape) for p in deep.network(0).parameters() if p.ndim == 2]
    assert sizes == [(21, 1024), (21, 21), (21, 21), (10, 21)]
    assert narrow(MEMORY, tasks(few)["memory"], protocol="ours").options.units == 88


def test_a_narrow_attention_does_not_exist(few) -> None:
    task = tasks(few)["transformer"]
    with pytest.raises(ValueError, match=r"the layer narrow is for the place feed-forward, .* got both"):
        narrow(TRANSFORMER, task, place="both").settings()


def test_own_filters_are_for_layers_that_are_not_square(few) -> None:
    (case,) = cases(
        TRANSFORMER,
        parse(TRANSFORMER, {"layer": ["wavelet"], "own_filters": True, "place": "attention"}),
        tasks(few)["transformer"],
    )
    with pytest.raises(ValueError, match="`own_filters` is for the places feed-forward and both"):
        case.settings()


def multipliers(experiment: Experiment, task: Task, **given: object) -> dict[str, float | None]:
    planned = cases(experiment, parse(experiment, {"layer": ["all"], **given}), task)
    return {case.layer: case.options.lr_multiplier for case in planned}


def test_multipliers_go_by_layer(few) -> None:
    found = multipliers(TRANSFORMER, tasks(few)["transformer"])
    assert {name for name, value in found.items() if value == 4} == set(SANDWICHES) & set(found)
    assert {found[name] for name in found if name not in SANDWICHES} == {1}
    assert set(multipliers(SHOOTOUT, tasks(few)["shootout"]).values()) == {1}
    assert set(multipliers(TRANSFORMER, tasks(few)["transformer"], lr_multiplier=8).values()) == {8}
    with pytest.raises(ValueError, match=r"--lr-multiplier is for the layers .*, got --layer dense,removed"):
        parse(SHOOTOUT, {"layer": ["dense,removed"], "lr_multiplier": 8})


def test_weight_of_the_wavelet_loss(few) -> None:
    planned = cases(
        TRANSFORMER,
        parse(TRANSFORMER, {"layer": ["wavelet,stack,frozen,fastfood,dense"], "regularizer": 0}),
        tasks(few)["transformer"],
    )
    weights = {case.layer: case.recipe().regularizer for case in planned}
    assert weights == {"wavelet": 0, "stack": 0, "frozen": 1, "fastfood": 1, "dense": 1}
    named = {case.layer for case in planned if "regularizer 0" in case.settings()}
    assert named == {"wavelet", "stack"}
    with pytest.raises(ValueError, match=r"--regularizer is for the layers wavelet, stack.*, got --layer frozen"):
        parse(TRANSFORMER, {"layer": ["frozen"], "regularizer": 0})
    with pytest.raises(ValueError, match="--regularizer is for --constraint soft: orthogonal filters"):
        parse(TRANSFORMER, {"layer": ["wavelet"], "regularizer": 0, "constraint": "orthogonal"})


def test_wider_feed_forwards(few) -> None:
    task = tasks(few)["transformer"]

    def plan(layer: str, **given: object) -> Case:
        (case,) = cases(TRANSFORMER, parse(TRANSFORMER, {"layer": [layer], "expansion": 8, **given}), task)
        return case

    inner, outer = (
        plan("circulant").network(0).blocks[0].feed_forward.get_submodule(part) for part in ("inner", "outer")
    )
    assert (inner.out_features, outer.in_features) == (8 * 192, 8 * 192)
    assert plan("circulant").settings() == "feed-forward, expansion 8"
    assert plan("removed").settings() == plan("removed", expansion=4).settings() == "feed-forward"
    assert plan("removed", place="attention").settings() == "attention, expansion 8"
    assert plan("narrow", units=5).settings() == "5 units, feed-forward"


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [ADDING, MEMORY], ids=lambda e: e.name)
def test_recurrent_networks_learn(experiment: Experiment) -> None:
    """A loss that falls: what twelve steps can show."""
    task = {"adding": Adding(6, 50, 30, CPU), "memory": Memory(2, 50, 30, CPU)}[experiment.name]
    (case,) = cases(experiment, parse(experiment, {"layer": ["wavelet"], "protocol": "ours"}), task)
    trainer = Trainer(case.network(0), task, replace(case.recipe(), epochs=4, interval=6), 0)
    while not trainer.done:
        trainer.advance()
    assert trainer.history[-1]["train_loss"] < 0.7 * trainer.history[0]["train_loss"]


@pytest.mark.parametrize("experiment", [ADDING, MEMORY, SEQUENTIAL_MNIST], ids=lambda e: e.name)
def test_ours_starts_with_the_memory_of_a_sequence(experiment: Experiment, few) -> None:
    task = tasks(few)[experiment.name]
    steps = task.batch(0, 0)[0].shape[1]
    forget = {}
    for protocol in experiment.protocols:
        torch.manual_seed(0)
        model = experiment.build("diagonal", Options(protocol=protocol), task)
        reset, update, state = model.gru.bias_ih_l0.detach().chunk(3)
        assert max(reset.abs().max(), state.abs().max()) <= model.gru.hidden_size**-0.5
        forget[protocol] = 1 / update.sigmoid()  # steps over which a unit forgets
    assert forget["paper"].sub(2).abs().max() < 0.3
    assert 2 <= forget["ours"].min() < 0.3 * steps
    assert 0.7 * steps < forget["ours"].max() <= steps


def test_replaced_gates() -> None:
    model = network(ADDING, "wavelet", ("update",))
    assert isinstance(model.gru, lw.nn.GRU)
    assert model.gru.gates == ("update",)
    assert [type(layer) for layer in model.layers] == [lw.WaveletLinear]  # type: ignore[union-attr]
    assert network(ADDING, "dense").layers == []
    settings = ADDING.settings
    assert settings("fastfood", Options(gates=("reset", "state"))) == ("gates reset+state",)
    assert settings("wavelet", Options())[-1] == "level 7"
    assert settings("dense", Options(gates=("reset",))) == ()


def test_the_no_layer_control_sees_the_input_alone() -> None:
    model = network(ADDING, "removed")
    assert count(model) == 3 * (2 * 512 + 512) + 513
    diagonal = network(ADDING, "diagonal")
    assert count(diagonal) == count(model) + 3 * 512


def test_published_slicing_inside_a_gru() -> None:
    """Applied as a matrix that is computed once per sequence, it is the layer applied at each step."""
    torch.manual_seed(0)
    options = Options(published_slicing=True, paper=PaperWavelet("haar", 6, 4))
    model = ADDING.build("wavelet-paper", options, NO_TASK)
    assert count(model) == 9_852
    inner = [layer.layer for layer in model.layers]  # type: ignore[union-attr]
    assert {type(layer) for layer in inner} == {PublishedSlicing}
    reset, update, state = inner
    x = torch.rand(2, 3, 2)
    h = torch.zeros(2, 512)
    gru = model.gru
    with torch.no_grad():
        for step in range(3):
            from_x = nn.functional.linear(x[:, step], gru.weight_ih_l0, gru.bias_ih_l0).chunk(3, dim=-1)
            r, z = torch.sigmoid(from_x[0] + reset(h)), torch.sigmoid(from_x[1] + update(h))
            h = (1 - z) * h + z * torch.tanh(from_x[2] + state(r * h))
    torch.testing.assert_close(model(x), model.projection(h), atol=1e-5, rtol=1e-5)


def test_published_dropout_is_that_of_the_dense_networks_alone() -> None:
    def rates(protocol: str) -> dict[str, list[float]]:
        options = Options(protocol=protocol, units=9)
        return {
            name: [m.p for m in MNIST.build(name, options, NO_TASK).modules() if "Dropout" in type(m).__name__]
            for name in MNIST.layers
        }

    published = rates("paper")
    assert published.pop("dense") == published.pop("narrow") == [0.25, 0.5]
    assert not any(map(sum, published.values()))
    ours = list(rates("ours").values())
    assert sum(ours[0]) > 0
    assert all(rate == ours[0] for rate in ours)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_quick_is_short_and_paper_is_the_published_length(experiment: Experiment, few) -> None:
    task = tasks(few)[experiment.name]
    quick, paper = (experiment.recipe("wavelet", Options(preset=preset), task) for preset in ("quick", "paper"))
    assert quick.steps <= 3000
    published = {"adding": 12_000, "memory": 12_000}
    assert paper.steps == published.get(experiment.name, paper.epochs * task.interval)
    assert paper.interval == task.interval
