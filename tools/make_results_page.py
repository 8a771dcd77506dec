"""Make the pages of results and their figures from the records in `docs/results`; add runs.

    python tools/make_results_page.py                     # the pages, from what is committed
    python tools/make_results_page.py --add results/mnist  # first copy the finished runs of a results folder

`docs/results/NAME.json` holds the runs of experiment NAME, `docs/results/notes/NAME.md` the text of its page (links are
relative to `docs`), `docs/results/published.json` the figures of the paper's logs and the rows of each table,
`docs/results/commands.json` the answers and commands, `docs/results/readme.json` the tables of README.md,
`docs/results/bench*.json` the records of speed. A row without a run says so.
"""

import argparse
import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import results_commands  # noqa: E402
import results_readme  # noqa: E402
import results_speed  # noqa: E402
import results_tables  # noqa: E402

from learnable_wavelets.experiments.engine import GROUP, Record, read_runs  # noqa: E402
from learnable_wavelets.experiments.report import markdown, summarise  # noqa: E402

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results"
LINK = re.compile(r"\]\((?!https?:|#)")  # the start of a relative one, in notes from `docs`
PICTURE = re.compile(r"!\[([^\]]*)\]\((figures/[\w-]+)\.png\)")

HEAD = """# Experiments

The paper's experiments and four more, each by one command; every layer beside a dense one and beside four controls:
*no layer* (`removed`); *a diagonal* in its place; a dense network with *fewer hidden units* and as many parameters
(`narrow`); and the wavelet layer with *filters frozen* (`frozen`; `fixed`: its diagonals too). A compressed layer shows
something only where it beats the first three, a learned filter only where it beats the fourth.

## Answers { #answers }

Test figures, mean ± sample standard deviation over the seeds where there are several.

"""

COMMANDS = """
## Commands, expected figures, hours { #commands }

`pip install ".[experiments]"` in a checkout. `learnable-wavelets reproduce all` runs all but `conversion` in short, on
data in the package. These are the long runs. `--data full` downloads MNIST, or takes it from a
[folder](api/cli.md#environment-files-exit-status); `--resume` goes on after an interrupt; `--layer all` trains every
layer of the tables.

*Published* are the last figures in the logs of the authors' runs. Hours are the recorded seconds of a run of each
layer, times the seeds, in one thread of a machine that often did other work; each rate that `--tune` tries counts as a
run. The runs of `shl`, `transformer`, `conversion` and, with one hidden layer, of single wavelet and Fastfood layers in
`shootout` are of this version, and so are, but for permutations drawn in another way, all of recurrent networks. The
others were made before permutations came from a seed and diagonals started with signs: expect figures within the
spread, not to the last digit.

"""

READING = """
## Reading the tables { #reading }

*Published*: as above, with the [published slicing](differences.md#the-wavelet-layer), which drops coefficients. *The
published recipe* is run here with corrected slicing, *another recipe* (`--protocol ours`) has the same number of
parameters. Figures are those of the test set after the last epoch; where a validation split chose another epoch, the
first figure at that epoch stands beside it, if it differs.

*Minus dense* is the mean of the differences between runs of the same seed, ± their sample standard deviation; one seed
has none. *Kept* is the share of the gain of dense over no layer. Bold: the best of the rows with three seeds, where it
is ahead of each other one by more than the standard deviation of their paired differences. Seconds: those of the
median epoch, times the epochs, on one of two cores, the other of which did other work. *Not measured*: the run has not
been made yet.

These pages are made by `tools/make_results_page.py` from the records in `docs/results`.
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


def both_schemes(picture: re.Match[str]) -> str:
    """Show a picture of a note that has a version for each scheme by those two."""
    if not (DOCS / f"{picture[2]}-dark.svg").exists():
        return picture[0]
    return "\n".join(f"![{picture[1]}]({picture[2]}-{scheme}.svg#only-{scheme})" for scheme in ("light", "dark"))


def page(name: str, family: Record, rows: list[Record]) -> str:
    """Make the page of an experiment: commands, note, tables."""
    own = [row for row in rows if row["experiment"] == name]
    note = LINK.sub("](../", PICTURE.sub(both_schemes, family["note"]))
    text = f"""# {family["title"]}

[All experiments](../experiments.md), [how to read the tables](../experiments.md#reading),
[options](../api/cli.md#learnable-wavelets-reproduce-name).

{results_commands.commands(own, {name: family}, runs)}
{note}

{results_tables.section(family, runs(name))}"""
    return text.rstrip() + "\n"


def pages() -> dict[str, str]:
    """Make every page, by its path below `docs`."""
    families, rows = (
        json.loads((RESULTS / name).read_text(encoding="utf-8")) for name in ("published.json", "commands.json")
    )
    for name, family in families.items():
        family["note"] = (RESULTS / "notes" / f"{name}.md").read_text(encoding="utf-8").strip()
    first = [
        HEAD, results_commands.answers(rows, families, runs),
        COMMANDS, results_commands.commands(rows, families, runs), READING,
    ]  # fmt: skip
    return {
        "experiments.md": "".join(first),
        **{f"experiments/{name}.md": page(name, family, rows) for name, family in families.items()},
        "results/beside.md": results_commands.beside(runs),
        "results/mnist.md": mnist_table(),
        "speed-record.md": results_speed.page(RESULTS),
    }


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
    for path, text in pages().items():
        (DOCS / path).parent.mkdir(exist_ok=True)
        (DOCS / path).write_text(text, encoding="utf-8")
    readme = results_readme.README
    readme.write_text(results_readme.filled(readme.read_text(encoding="utf-8")), encoding="utf-8")
    sys.path.insert(0, str(DOCS / "figures"))
    for script in ("rivals.py", "records.py"):
        runpy.run_path(str(DOCS / "figures" / script), run_name="__main__")
