"""Make `docs/experiments.md` and the table of `docs/mnist.md` from the runs in `docs/results`; add new runs.

    python tools/make_results_page.py                     # the page, from what is committed
    python tools/make_results_page.py --add results/mnist  # first copy the finished runs of a results folder

`docs/results/NAME.json` holds the runs of experiment NAME, `docs/results/published.json` the figures of the paper's
logs and the rows of each table. A row without a run says so.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from learnable_wavelets import _output
from learnable_wavelets.experiments.engine import GROUP, Record, read_runs
from learnable_wavelets.experiments.report import METRICS, markdown, show, summarise

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results"

HEAD = """# Experiments

The paper's experiments, and one more, each by one command; every layer beside a dense one and beside two controls: *no
layer* (`removed`) and *a diagonal* in its place. A compressed layer shows something only where it beats both.

```sh
pip install ".[experiments]"  # from a checkout
learnable-wavelets reproduce all  # short runs on data in the package
learnable-wavelets reproduce adding --layer all --preset paper --seeds 3 --resume
```

*Published* are the last figures in the logs of the authors' runs, with the
[published slicing](differences.md#the-wavelet-layer), which drops coefficients. *paper* is the published recipe with
corrected slicing, *ours* another recipe at the same number of parameters. Figures are those of the test set after the
last epoch, mean ± sample standard deviation over the seeds; where a validation split chose an epoch, the first figure
of that epoch stands beside it. Seconds: those of the median epoch, times the epochs, on one of two cores, the other of
which did other work. *Not measured*: the run has not been made yet.
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


def published_row(row: Record, metrics: list[str]) -> list[str]:
    figures = [f"{row[metric]:{METRICS[metric].format}}" for metric in metrics]
    return [row["model"], "published", f"{row['parameters']:,}", *figures, "", "", "", ""]


def measured_row(row: Record, metrics: list[str]) -> list[str]:
    title = f"{row['layer']} ({row['settings']})" if row["settings"] else row["layer"]
    figures = [show(row["last"][metric], METRICS[metric].format) for metric in metrics]
    chosen = row["chosen"].get(metrics[0])
    at_chosen = "" if chosen is None else show(chosen, METRICS[metrics[0]].format)
    length = f"{row['epochs']}" + ("" if row["data"] in ("full", "sotu", "synthetic") else f", {row['data']}")
    seconds = show({**row["seconds"], "std": None}, ",.0f")
    return [
        title,
        row["protocol"],
        f"{row['parameters']:,}",
        *figures,
        at_chosen,
        length,
        str(len(row["seeds"])),
        seconds,
    ]


def missing_row(layer: str, protocol: str, metrics: list[str]) -> list[str]:
    return [layer, protocol, "", "not measured", *[""] * (len(metrics) - 1), "", "", "", ""]


def section(name: str, family: Record) -> str:
    """Format one experiment."""
    metrics = family["metrics"]
    rows = summarise(runs(name))
    titles = ["layer", "protocol", "parameters", *(METRICS[metric].title for metric in metrics)]
    lines = [published_row(row, metrics) for row in family["rows"]]
    for protocol in family["protocols"]:
        for layer in family["layers"]:
            found = [row for row in rows if (row["layer"], row["protocol"]) == (layer, protocol)]
            lines += [measured_row(row, metrics) for row in found] or [missing_row(layer, protocol, metrics)]
    table = _output.Table(
        [*titles, "at chosen epoch", "epochs", "seeds", "seconds"], lines, note=family["note"], left=1
    )
    return f"## {family['title']}\n\n`learnable-wavelets reproduce {name}`\n\n{_output.markdown(table)}"


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
