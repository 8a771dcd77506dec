"""Make `docs/experiments.md`, its figures and the table of `docs/mnist.md` from the runs in `docs/results`; add runs.

    python tools/make_results_page.py                     # the page, from what is committed
    python tools/make_results_page.py --add results/mnist  # first copy the finished runs of a results folder

`docs/results/NAME.json` holds the runs of experiment NAME, `docs/results/published.json` the figures of the paper's
logs and the rows of each table. A row without a run says so.
"""

import argparse
import json
import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from learnable_wavelets import _output
from learnable_wavelets.experiments.engine import GROUP, Record, read_runs
from learnable_wavelets.experiments.report import METRICS, SEEDS_TO_COMPARE, ahead, markdown, paired, show, summarise

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results"
CONTROLS = ("dense", "removed")  # the rows with which others are compared
WHOLE = ("full", "sotu", "synthetic")  # the data of the whole experiment

HEAD = """# Experiments

The paper's experiments, and three more, each by one command; every layer beside a dense one and beside three controls:
*no layer* (`removed`), *a diagonal* in its place, and the wavelet layer with *filters frozen* (`frozen`; `fixed`: its
diagonals too). A compressed layer shows something only where it beats the first two, a learned filter only where it
beats the third.

```sh
pip install ".[experiments]"  # from a checkout
learnable-wavelets reproduce all  # short runs on data in the package
learnable-wavelets reproduce adding --layer all --preset paper --seeds 3 --resume
```

*Published* are the last figures in the logs of the authors' runs, with the
[published slicing](differences.md#the-wavelet-layer), which drops coefficients. *paper* is the published recipe with
corrected slicing, *ours* another recipe at the same number of parameters. Figures are those of the test set after the
last epoch, mean ± sample standard deviation over the seeds; where a validation split chose an epoch, the first figure
of that epoch stands beside it. *Minus dense* is the mean of the differences between runs of the same seed, ± their
sample standard deviation; one seed has none. *Kept* is the share of the gain of dense over no layer. Bold: the best of
the rows with three seeds, where it is ahead of each other one by more than the standard deviation of their paired
differences. Seconds: those of the median epoch, times the epochs, on one of two cores, the other of which did other
work. *Not measured*: the run has not been made yet.
[Options](api/cli.md), [MNIST in detail](mnist.md).

This page is made by `tools/make_results_page.py` from the records in `docs/results`.
"""


def runs(name: str) -> list[Record]:
    """Read the committed runs of an experiment."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def add(folder: Path) -> None:
    """Copy the finished runs of a results folder into `docs/results`; a run of the same row and seed is replaced."""
    new = read_runs(folder)
    for name in sorted({run["experiment"] for run in new}):
        kept = {_identity(run): run for run in runs(name)}
        kept |= {_identity(run): run for run in new if run["experiment"] == name}
        # A line for each run; its filters, up to thousands of numbers that no table shows, stay in its own folder.
        lines = [json.dumps({key: value for key, value in run.items() if key != "filters"}) for run in kept.values()]
        text = "[\n" + ",\n".join(lines) + "\n]\n"
        (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")


def _identity(run: Record) -> tuple[Any, ...]:
    """Return the key of a run in its table; names of runs differ between versions."""
    return tuple(run[key] for key in (*GROUP, "seed"))


def published_row(row: Record, metrics: list[str], rest: int) -> list[str]:
    figures = [f"{row[metric]:{METRICS[metric].format}}" for metric in metrics]
    parameters = f"{row['parameters']:,}" if "parameters" in row else ""
    return [row["model"], "published", parameters, *figures, *[""] * rest]


def missing_row(layer: str, protocol: str, metrics: list[str]) -> list[str]:
    return [layer, protocol, "", "not measured", *[""] * (len(metrics) - 1), "", "", "", ""]


def measured_row(row: Record, metrics: list[str], hidden: Sequence[str] = ()) -> list[str]:
    """Format a row of `summarise`; data and settings in `hidden` are in the title of the table."""
    settings = ", ".join(part for part in row["settings"].split(", ") if part and part not in hidden)
    title = f"{row['layer']} ({settings})" if settings else row["layer"]
    figures = [show(row["last"][metric], METRICS[metric].format) for metric in metrics]
    chosen = row["chosen"].get(metrics[0])
    at_chosen = "" if chosen is None else show(chosen, METRICS[metrics[0]].format)
    length = f"{row['epochs']}" + ("" if row["data"] in (*WHOLE, *hidden) else f", {row['data']}")
    seconds = show({**row["seconds"], "std": None}, ",.0f")
    size, seeds = f"{row['parameters']:,}", str(len(row["seeds"]))
    return [title, row["protocol"], size, *figures, at_chosen, length, seeds, seconds]


def lines_of_all(family: Record, found: list[Record]) -> Iterator[list[str]]:
    """Yield the measured rows of each layer; where there is none a row says so, but for the layers in `if_measured`."""
    later = family.get("if_measured", [])
    for protocol in family["protocols"]:
        for layer in (*family["layers"], *later):
            rows = [run for run in found if (run["layer"], run["protocol"]) == (layer, protocol)]
            if rows:
                ordered = summarise(rows)
                if family.get("by_size"):
                    ordered.sort(key=lambda row: row["parameters"])
                yield from (measured_row(row, family["metrics"]) for row in ordered)
            elif layer not in later:
                yield missing_row(layer, protocol, family["metrics"])


def compared_lines(family: Record, part: Record, found: list[Record]) -> Iterator[list[str]]:
    """Yield the measured rows of one condition, the comparisons with dense beside them, the best row bold."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for run in found:
        if is_of(run, part):
            groups.setdefault(tuple(run[key] for key in GROUP), []).append(run)
    metric, place = family["metrics"][0], family["layers"].index
    ordered = sorted(groups.values(), key=lambda group: (place(group[0]["layer"]), group[0]["settings"]))
    named = {layer: [run for group in ordered for run in group if run["layer"] == layer] for layer in CONTROLS}
    for group in ordered:
        line = measured_row(*summarise(group), family["metrics"], [part["data"], *part["hidden"]])
        if is_best(group, ordered, metric):
            line[3] = f"**{line[3]}**"
        yield [*line[:4], *comparison(group, named, metric), *line[4:]]


def is_best(group: list[Record], groups: list[list[Record]], metric: str) -> bool:
    """Return True where the runs of a row are ahead of those of every other row with as many seeds as it takes."""
    others = [other for other in groups if other is not group and len(other) >= SEEDS_TO_COMPARE]
    return bool(others) and all(ahead(group, other, metric) for other in others)


def comparison(group: list[Record], named: dict[str, list[Record]], metric: str) -> list[str]:
    """Format the difference to dense, and the share of dense's gain over no layer that is kept, in per cent."""
    if group[0]["layer"] == "dense":
        return ["", ""]
    over_dense, over_none = (paired(group, named[layer], metric) for layer in CONTROLS)
    minus = "" if over_dense is None else show(over_dense, f"+{METRICS[metric].format}").replace("± +", "± ")
    gain = paired(named["dense"], named["removed"], metric)
    if group[0]["layer"] == "removed" or not over_none or not gain or not gain["mean"] or over_none["mean"] is None:
        return [minus, ""]
    return [minus, f"{100 * over_none['mean'] / gain['mean']:.0f}"]


def is_of(run: Record, part: Record) -> bool:
    """Return True for a run of the condition: its data, its marks among the settings, and none of other conditions."""
    marks = set(run["settings"].split(", "))
    if part.get("epochs", run["epochs"]) != run["epochs"]:
        return False
    return run["data"] == part["data"] and marks.issuperset(part["with"]) and marks.isdisjoint(part["without"])


def section(name: str, family: Record) -> str:
    """Format one experiment: one table, or one for each condition."""
    metrics, found = family["metrics"], runs(name)
    titles = ["layer", "protocol", "parameters", *(METRICS[metric].title for metric in metrics)]
    end = ["at chosen epoch", "epochs", "seeds", "seconds"]
    text = f"## {family['title']}\n\n`learnable-wavelets reproduce {name}`\n"
    if "tables" not in family:
        lines = [published_row(row, metrics, 4) for row in family["rows"]]
        table = _output.Table([*titles, *end], [*lines, *lines_of_all(family, found)], note=family["note"], left=1)
        return f"{text}\n{_output.markdown(table)}"
    for part in family["tables"]:
        lines = [published_row(row, metrics, 6) for row in part.get("rows", [])]
        lines += compared_lines(family, part, found)
        table = _output.Table([*titles[:4], "minus dense", "kept %", *titles[4:], *end], lines, left=1)
        text += f"\n### {part['title']}\n\n{_output.markdown(table)}" if lines else ""
    return f"{text}\n{family['note']}\n"


def page() -> str:
    families = json.loads((RESULTS / "published.json").read_text(encoding="utf-8"))
    return "\n".join([HEAD, *(section(name, family) for name, family in families.items())])


def mnist_table() -> str:
    """Make the table of the paper's protocol on MNIST, for the page about it."""
    layers = json.loads((RESULTS / "published.json").read_text(encoding="utf-8"))["mnist"]["layers"]
    rows = summarise(run for run in runs("mnist") if run["protocol"] == "paper")
    return markdown(sorted(rows, key=lambda row: layers.index(row["layer"])))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--add", type=Path, action="append", default=[], help="a results folder")
    for folder in parser.parse_args().add:
        add(folder)
    (DOCS / "experiments.md").write_text(page(), encoding="utf-8")
    (RESULTS / "mnist.md").write_text(mnist_table(), encoding="utf-8")
    sys.path.insert(0, str(DOCS / "figures"))
    runpy.run_path(str(DOCS / "figures" / "rivals.py"), run_name="__main__")
