"""The pages of results and their runs."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from learnable_wavelets.cli import build_parser
from learnable_wavelets.experiments.conversion import METHODS
from learnable_wavelets.experiments.paper import EXPERIMENTS
from learnable_wavelets.experiments.report import METRICS
from learnable_wavelets.experiments.spec import parse

from .test_results import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", sys.path[:])  # the script adds its folder
    spec = importlib.util.spec_from_file_location("make_results_page", ROOT / "tools" / "make_results_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_pages_are_those_of_the_committed_runs(tool: ModuleType) -> None:
    pages = tool.pages()
    assert {path: (ROOT / "docs" / path).read_text() for path in pages} == pages
    assert {path.stem for path in (ROOT / "docs" / "experiments").iterdir()} == {
        Path(path).stem for path in pages if path.startswith("experiments/")
    }


def test_the_pages_name_the_versions_of_the_record_and_not_those_of_this_environment(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.bench import _peers

    monkeypatch.setattr(_peers, "version", lambda package: "0.0.0")
    assert (ROOT / "docs" / "speed-record.md").read_text() == tool.pages()["speed-record.md"]


def test_the_tables_of_the_readme_are_those_of_the_committed_runs(tool: ModuleType) -> None:
    text = (ROOT / "README.md").read_text()
    assert tool.results_readme.filled(text) == text
    with pytest.raises(ValueError, match="must have 2 marks for tables, has 1"):
        tool.results_readme.filled(text.replace(tool.results_readme.BEGIN, "", 1))


def test_a_place_of_the_readme_names_one_row(tool: ModuleType) -> None:
    want = {"experiment": "shootout", "layer": "wavelet", "settings": ["db2", "periodization", "level 8", "1 hidden"]}
    row = tool.results_readme.the_row("name", want)
    assert row["parameters"] == 14_362
    places = tool.results_readme.places(row)
    assert places["error"].startswith(places["mean_error"])
    assert tool.results_readme.places({**row, "seeds": [0, 1]})["error"] == places["error"] + "\\*"
    with pytest.raises(ValueError, match=r"name must name one row of shootout\.json, found 0"):
        tool.results_readme.the_row("name", {**want, "settings": ["db2"]})


def test_every_experiment_has_a_command_and_an_answer(tool: ModuleType) -> None:
    """Commands are those of the parser: an option that it does not know is an error."""
    rows = json.loads((ROOT / "docs" / "results" / "commands.json").read_text())
    named = {experiment.name: experiment for experiment in EXPERIMENTS}
    assert {row["experiment"] for row in rows if "answer" in row} == {*named, "conversion"}
    parser = build_parser()
    for row in rows:
        values = vars(parser.parse_args(["reproduce", row["experiment"], *row["options"].split()]))
        if row["experiment"] in named:
            given = {name: values[name] for name in named[row["experiment"]].names if name in values}
            options = parse(named[row["experiment"]], given)
            assert options.preset == "paper"
            assert {which[0] for which in row.get("figures", tool.results_commands.FIGURES).values()} <= {
                *options.layer
            }
            assert len(options.seeds) == tool.results_commands.seeds_of(row["options"])
            assert row["runs"].get("protocol", options.protocol) == options.protocol
            assert row["runs"].get("epochs") in ((None, 20) if options.epochs is None else (options.epochs,))


def test_every_experiment_has_a_table_with_its_controls(tool: ModuleType) -> None:
    families = json.loads((ROOT / "docs" / "results" / "published.json").read_text())
    assert list(families) == [*(experiment.name for experiment in EXPERIMENTS), "conversion"]
    assert {*families["conversion"]["layers"], *families["conversion"]["if_measured"]} == {*METHODS}
    for experiment in EXPERIMENTS:
        family = families[experiment.name]
        assert (
            {"dense", "fastfood", "wavelet", "diagonal", "removed"} <= set(family["layers"]) <= set(experiment.layers)
        )
        assert set(family["metrics"]) <= set(METRICS)


def test_new_runs_are_taken_in(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    published = {
        "title": "T",
        "metrics": ["mse", "accuracy"],
        "layers": ["dense", "removed"],
        "protocols": ["ours"],
        "rows": [{"model": "theirs", "parameters": 9900, "mse": 1.02e-3, "accuracy": 0.9164}],
        "note": "[a](b.md#c), [d](https://e)",
    }
    page = "# T"
    theirs = "| published: theirs | 9,900 | 1.02e-03 | 0.9164 |"
    text = tool.page("adding", published, [])
    assert text.startswith(page)
    assert f"{theirs}\n| dense |  | not measured |  |\n| removed |  | not measured |  |" in text
    assert "[a](../b.md#c), [d](https://e)" in text
    for seed, error in ((0, 1e-3), (1, 3e-3), (1, 2e-3)):  # the last in the place of the one before
        record = run(None, seed, experiment="adding", protocol="ours", data="synthetic", run=f"r{seed} {error}")
        record |= {"last": {"mse": error, "accuracy": 0.5}, "chosen": {"epoch": 1, "mse": 5e-4, "accuracy": 0.5}}
        folder = tmp_path / "results" / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{seed}.json").write_text(json.dumps(record))
        tool.add(tmp_path / "results")
    text = tool.page("adding", published, [])
    assert "\nEpochs: 2, seeds: 2.\n" in text
    assert f"{theirs}  |  |" in text
    assert "| dense | 1,234 | 1.50e-03 ± 7.07e-04 | 0.5000 ± 0.0000 | 5.00e-04 ± 0.00e+00 | 3 |" in text


COMMAND = {
    "experiment": "adding",
    "options": "--tune --seeds 2",
    "runs": {"protocol": "ours", "with": ["a"]},
    "figures": {"ours": ["wavelet", "b"], "none": ["removed"]},
    "published": "theirs",
    "answer": "Yes.",
}


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_commands_show_figures_and_hours_of_their_runs(tool: ModuleType) -> None:
    same = {"experiment": "adding", "protocol": "ours", "last": {"mse": 1e-3, "accuracy": 0.5}, "seconds": 1800.0}
    found = [run(None, seed, "wavelet", settings="a, b", **same) for seed in (0, 1)]
    found += [run(None, 0, "wavelet", settings="a, b, c", **{**same, "last": {"mse": 1.0}})]  # fewer seeds
    found += [run(None, 0, "wavelet", settings="b", **{**same, "last": {"mse": 2.0}})]  # not of this command
    other = {**same, "last": {"mse": 3.0}}  # more seeds, but a weight of the loss that the command does not name
    found += [run(None, seed, "wavelet", settings="a, b, regularizer 0", **other) for seed in range(3)]
    family = {"title": "T", "metrics": ["mse", "accuracy"], "rows": [{"model": "theirs", "mse": 0.5}]}
    text = plain(tool.results_commands.commands([COMMAND], {"adding": family}, lambda name: found))
    trials = next(len(experiment.grid) for experiment in EXPERIMENTS if experiment.name == "adding")
    cells = f"ours 1.00e-03 ± 0.00e+00<br>published 5.00e-01 | {0.5 * (2 + trials):.1f} |"
    assert f"| <code>reproduce adding <span>--tune</span> <span>--seeds 2</span></code> | {cells}" in text
    text = plain(tool.results_commands.answers([COMMAND], {"adding": family}, lambda name: found))
    assert "| [T](experiments/adding.md): MSE | ours 1.00e-03 ± 0.00e+00 (1,234)<br>published 5.00e-01 | Yes. |" in text
    assert "not measured |  |" in tool.results_commands.commands(
        [{**COMMAND, "published": ""}], {"adding": family}, lambda name: []
    )


def test_rows_at_other_rates_are_named(tool: ModuleType) -> None:
    usual = tool.results_commands.usual
    faster = run(None, 0, "circulant", settings="rate multiplier 4, dropout 0.3")
    assert not usual(faster, ["circulant"])
    assert usual(faster, ["circulant", "rate multiplier 4"])
    ours = run(None, 0, "wavelet", settings="db2, rate multiplier 4, dropout 0.3")
    assert usual(ours, ["wavelet", "db2"])  # the default of the library
    assert not usual({**ours, "settings": "db2, rate multiplier 8"}, ["wavelet", "db2"])


def test_a_picture_with_two_schemes_is_shown_in_both(tool: ModuleType) -> None:
    family = {"title": "T", "metrics": ["mse"], "layers": ["dense"], "protocols": ["ours"], "rows": []}
    text = tool.page("adding", {**family, "note": "![a\nb](figures/memory-curves.png) ![c](figures/none.png)"}, [])
    for scheme in ("light", "dark"):
        assert f"![a\nb](../figures/memory-curves-{scheme}.svg#only-{scheme})" in text
    assert "![c](../figures/none.png)" in text


CONDITIONS = {
    "title": "T",
    "metrics": ["error"],
    "layers": ["dense", "wavelet", "removed"],
    "protocols": ["equal"],
    "tables": [
        {"title": "A", "data": "d", "epochs": 2, "with": ["dropout 0.3"], "without": [], "hidden": ["dropout 0.3"]},
        {
            "title": "B",
            "data": "d",
            "with": [],
            "without": ["dropout 0.3"],
            "hidden": [],
            "rows": [{"model": "theirs", "error": 9}],
        },
        {"title": "C", "data": "none", "with": [], "without": [], "hidden": []},
    ],
    "note": "N.",
}


def test_conditions_have_tables_of_their_own_with_comparisons(tool: ModuleType) -> None:
    found = []
    for layer, errors in (("dense", (4.0, 5.0, 6.0)), ("wavelet", (2.0, 3.1, 3.9)), ("removed", (8.0, 9.0, 10.0))):
        same = {"layer": layer, "experiment": "shl", "protocol": "equal", "data": "d"}
        settings = "4 taps, dropout 0.3" if layer == "wavelet" else "dropout 0.3"
        found += [run(error, seed, settings=settings, **same) for seed, error in enumerate(errors)]
    found.append(run(1.0, 0, experiment="shl", protocol="equal", data="d"))
    found.append(run(0.0, 0, experiment="shl", protocol="equal", data="d", settings="dropout 0.3", epochs=9))
    # one seed does not keep a row with three from being the best
    found.append(run(2.5, 0, "wavelet", experiment="shl", protocol="equal", data="d", settings="8 taps, dropout 0.3"))
    text = tool.results_tables.section(CONDITIONS, found)
    first = text[: text.index("## B")]
    assert first.startswith(
        "## A\n\nEpochs: 2.\n\n| layer | parameters | error % | minus dense | kept % | seeds | seconds |\n"
    )
    assert "| dense | 1,234 | 5.00 ± 1.00 |  |  | 3 | 3 |" in first
    assert "| wavelet (4 taps) | 1,234 | **3.00 ± 0.95** | -2.00 ± 0.10 | 150 | 3 | 3 |" in first
    assert "| removed | 1,234 | 9.00 ± 1.00 | +4.00 ± 0.00 |  | 3 | 3 |" in first
    second = text[text.index("## B") :]
    assert second.index("| published: theirs |  | 9.00 |") < second.index("| dense | 1,234 | 1.00 |")
    assert "## C" not in text


def test_nothing_is_bold_without_three_seeds(tool: ModuleType) -> None:
    same = {"experiment": "shl", "protocol": "equal", "data": "d", "settings": "dropout 0.3"}
    found = [run(5.0, seed, **same) for seed in range(3)] + [run(1.0, seed, "wavelet", **same) for seed in range(2)]
    assert "**" not in tool.results_tables.section(CONDITIONS, found)
