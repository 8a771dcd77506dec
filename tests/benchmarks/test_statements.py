"""Ratios, crossovers, exponents and the verdict from invented numbers."""

import pytest
from rich.console import Console
from tools.bench import memory, scaling

from learnable_wavelets import _output
from learnable_wavelets.benchmarks import _layers, _statistics, _tables, _verdict


def test_quartiles():
    assert _statistics.spread([5.0, 1.0, 2.0, 4.0, 3.0]) == {"median": 3.0, "lower": 2.0, "upper": 4.0}


def test_ratio_is_taken_round_by_round():
    # a machine that is ten times slower in the last rounds: the ratio is 2 all the same
    ours = [1.0, 1.0, 10.0, 10.0, 10.0]
    assert _statistics.ratio([2 * t for t in ours], ours) == dict.fromkeys(("median", "lower", "upper"), 2.0)
    assert _statistics.ratio([1.0, 9.0, 4.0], [1.0, 1.0, 1.0])["median"] == 4.0


@pytest.mark.parametrize(
    ("ratios", "found"),
    [
        ({256: 2.0, 1024: 3.0}, 256),
        ({1024: 3.0, 256: 0.5}, 1024),
        ({256: 2.0, 1024: 0.9, 4096: 1.1}, 4096),  # a win that does not last is none
        ({256: 2.0, 1024: 1.0}, None),
        ({256: float("nan")}, None),
    ],
)
def test_crossover(ratios, found):
    assert _statistics.crossover(ratios) == found


def test_exponent():
    assert scaling.exponent({n: 3e-9 * n**1.5 for n in (256, 1024, 4096)}) == pytest.approx(1.5)
    with pytest.raises(ValueError, match="at least two sizes, got 1"):
        scaling.exponent({256: 1.0})


def rows(times_by_point, step="forward"):
    found = []
    for (n, batch), (dense, ours) in times_by_point.items():
        times = {_layers.COPY: [1.0] * 3, _layers.DENSE: [dense] * 3, "haar": [ours] * 3}
        found += _layers.records(_layers.Case(step, "float32", n, batch), times)
    return found


def test_records():
    copy, dense, haar = rows({(256, 4): (6.0, 2.0)})
    assert (copy["layer"], dense["layer"], haar["layer"]) == ("x.clone()", "nn.Linear", "haar")
    assert haar["speedup"]["median"] == 3.0
    assert haar["copies"]["median"] == 2.0
    assert dense["speedup"]["median"] == 1.0
    assert (haar["n"], haar["batch"], haar["step"], haar["rounds"]) == (256, 4, "forward", 3)


def test_verdict_names_crossover_factors_and_losses():
    found = rows({(256, 1): (1.0, 2.0), (256, 64): (3.0, 1.0), (1024, 1): (12.0, 1.0), (1024, 64): (4.0, 2.0)})
    assert _verdict.verdict(found) == (
        "Is the swap worth it on this machine, at these sizes? Yes in 3 of 4 cases. "
        "Speed against the best dense product: haar: forward faster from n = 1024, 2.0x to 12x at n = 1024."
    )
    assert _verdict.losses(found) == (4, ["haar forward n = 256, batch 1: 0.5x"])


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (
            (4.0, 2.0),
            "Yes, in every case. Speed against the best dense product: haar: training faster from n = 256, "
            "2.0x at n = 256.",
        ),
        ((1.0, 4.0), "No. Speed against the best dense product: haar: training slower, 0.25x at n = 256."),
    ],
)
def test_verdict_of_one_case(times, words):
    assert _verdict.verdict(rows({(256, 8): times}, "training")).endswith(words)


def test_the_best_dense_product_decides():
    times = {_layers.DENSE: [4.0] * 3, _layers.PACKED: [1.0] * 3, "haar": [2.0] * 3}
    found = _layers.records(_layers.Case("forward", "float32", 64, 1), times)
    assert [row["best"]["median"] for row in found] == [0.25, 1.0, 0.5]
    assert _verdict.verdict(found).endswith("haar: forward slower, 0.5x at n = 64 (2.0x nn.Linear).")
    (table,) = _tables.layer_tables(found)
    assert table.rows[2][3:6] == ("2.00 s", "2.00", "0.50 [0.50, 0.50]")


def test_a_loss_within_the_spread_says_so():
    times = {_layers.DENSE: [0.9, 0.9, 2.0, 2.0, 0.8], "haar": [1.0] * 5}
    found = _layers.records(_layers.Case("forward", "float32", 64, 1), times)
    assert _verdict.losses(found)[1] == ["haar forward n = 64, batch 1: 0.9x, within the spread"]


def test_exponents_are_of_one_row():
    # 2^12 elements, whatever the n: n log n a row is log n an array
    found = []
    for k in (4, 6, 8):
        times = {_layers.COPY: [1.0], "fastfood": [float(k)], "haar": [1.0]}
        found += _layers.records(_layers.Case("forward", "float32", 2**k, 2 ** (12 - k)), times)
    fitted = {row["layer"]: (row["exponent"], row["expected"], row["law"]) for row in scaling.exponents(found)}
    assert fitted["haar"] == pytest.approx((1.0, 1.0, "n"))
    assert fitted["fastfood"][0] == pytest.approx(fitted["fastfood"][1])
    assert fitted["fastfood"][1] > 1.2


def test_cases_of_the_growth_hold_the_number_of_elements():
    cases = scaling.cases()
    assert {case.n * case.batch for case in cases} == {scaling.ELEMENTS}
    assert {case.n for case in cases} == {2**k for k in range(8, 17)}


@pytest.mark.parametrize(
    ("seconds", "words"), [(2.5e-7, "0.25"), (1.5, "1.50"), (12.34, "12.3"), (99.96, "100"), (1234.5, "1234")]
)
def test_digits(seconds, words):
    assert _tables.digits(seconds) == words or seconds < 1e-3


@pytest.mark.parametrize(("count", "words"), [(12, "12 B"), (1536, "1.5 KiB"), (3 * 2**20, "3.0 MiB")])
def test_size(count, words):
    assert memory.size(count) == words


def test_texts_are_no_markup():
    table = _output.Table(("[a]", "[b]"), [("[/c]", ":heart:")], "[d]", "[e]")
    for console in (_output.console(width=80), Console(width=80)):
        with console.capture() as shown:
            console.print(_output.screen(table))
        assert shown.get().split() == ["[d]", "[a]", "[b]", "─" * 13, "[/c]", ":heart:", "[e]"]


def test_markdown():
    table = _output.Table(("a", "b"), [("x", "1")], "T", "Note.")
    assert _output.markdown(table) == "## T\n\n| a | b |\n| --- | ---: |\n| x | 1 |\n\nNote.\n"
