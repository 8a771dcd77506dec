"""The short tables of the results pages: what each experiment shows; its command, the expected figures, the hours.

`docs/results/commands.json` has a row for each command: the runs that it repeats (`runs`: protocol, data, epochs, and
marks among the settings), the figures to show, each by its layer and marks, and the answer in words. Figures and hours
come from the records.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from results_tables import marks_of, matches

from learnable_wavelets import _output
from learnable_wavelets.experiments.engine import GROUP, Record
from learnable_wavelets.experiments.paper import EXPERIMENTS
from learnable_wavelets.experiments.report import METRICS, show, summarise
from learnable_wavelets.experiments.spec import SANDWICHES

Runs = Callable[[str], list[Record]]  # the committed runs of an experiment, by its name
FIGURES = {"wavelet": ["wavelet"], "dense": ["dense"], "no layer": ["removed"]}
FASTER = "rate multiplier 8"  # than the rest of the network: rows of their own
BESIDE = {
    "`WaveletLinear`, 256 taps, 1 level": ["wavelet", "haar in 256 taps"],
    "`WaveletLinear`, 368 taps, 1 level": ["wavelet", "haar in 368 taps"],
    "`WaveletLinear`, 256 taps, no wavelet loss": ["wavelet", "haar in 256 taps", "regularizer 0"],
    "`WaveletLinear`, 368 taps, no wavelet loss": ["wavelet", "haar in 368 taps", "regularizer 0"],
    "`WaveletLinear`, db2": ["wavelet", "db2"],
    "`Fastfood`": ["fastfood"],
    "circulant": ["circulant"],
    "circulant, twice the rate": ["circulant", "rate multiplier 2"],
    "Monarch, 28 blocks": ["monarch", "28 groups"],
    "Monarch, 28 blocks, eight times the rate": ["monarch", "28 groups", FASTER],
    "Monarch, 196 blocks": ["monarch", "196 groups"],
    "butterfly (BPBP)": ["butterfly"],
    "butterfly, four times the rate": ["butterfly", "rate multiplier 4"],
    "Toeplitz-like": ["toeplitz-like"],
    "block tensor train": ["btt"],
    "block tensor train, eight times the rate": ["btt", FASTER],
    "low rank": ["low-rank"],
    "diagonal": ["diagonal"],
    "no layer": ["removed"],
    "`nn.Linear`, fewer units": ["narrow"],
    "`nn.Linear`": ["dense"],
}
SHL = {"epochs": 20, "with": ["dropout 0.3"]}
TASKS = {  # by the title of the column of errors
    "pixels": ("shootout", {"with": ["1 hidden"], "without": ["rate multiplier 4"]}),
    "noise": ("shl", {"data": "full-noise", **SHL}),
    "bg-rot": ("shl", {"data": "full-bg-rot", **SHL}),
}
SEVERAL = ("product of", "sum of", "orthogonal")  # beginnings of marks of rows that are no single plain layer
UNUSUAL = ("rate multiplier", "regularizer")  # beginnings of marks of rows of their own, to be named
GRIDS = {experiment.name: len(experiment.grid) for experiment in EXPERIMENTS}


def usual(run: Record, named: Iterable[str]) -> bool:
    """Return True if each mark with a beginning in `UNUSUAL` is named, or is what the layers of the library have."""
    marks = {mark for mark in marks_of(run) if mark.startswith(UNUSUAL)}
    return marks <= {*named} | ({"rate multiplier 4"} if run["layer"] in SANDWICHES else set())


def chosen(found: list[Record], layer: str, *marks: str) -> list[Record]:
    """Return the runs of one row of a table: of several that fit, that with most seeds, and of these the latest."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for run in found:
        if matches(run, {"layer": layer, "with": marks}) and usual(run, marks):
            groups.setdefault(tuple(run[key] for key in GROUP), []).append(run)
    ordered = sorted(enumerate(groups.values()), key=lambda pair: (len(pair[1]), pair[0]))
    return ordered[-1][1] if ordered else []


def measured(row: Record, runs: Runs) -> dict[str, list[Record]]:
    """Return the runs of each figure of a command, by the name of the figure."""
    found = [run for run in runs(row["experiment"]) if matches(run, row["runs"])]
    marks = row["runs"].get("with", ())
    return {name: chosen(found, *which, *marks) for name, which in row.get("figures", FIGURES).items()}


def expected(row: Record, family: Record, runs: Runs, sizes: bool = False) -> str:
    """Format the figures of a command, a line for each; with the parameters of the networks where `sizes` is true."""
    metric = row.get("metric", family["metrics"][0])
    lines = []
    for name, group in measured(row, runs).items():
        if group:
            summary = summarise(group)[0]
            size = f" ({summary['parameters']:,})" if sizes else ""
            lines.append(f"{name} {show(summary['last'][metric], METRICS[metric].format)}{size}")
    published = [line for line in family.get("rows", []) if line["model"] == row.get("published")]
    lines += [f"published {line[metric]:{METRICS[metric].format}}" for line in published]
    return "<br>".join(line.replace(" ", "\N{NO-BREAK SPACE}") for line in lines) or "not measured"


def seeds_of(options: str) -> int:
    """Return the number of seeds of a command."""
    words = options.split()
    return int(words[words.index("--seeds") + 1]) if "--seeds" in words else 1


def hours(row: Record, runs: Runs) -> str:
    """Format the hours of a command, from the mean seconds of a run of each layer; a trial of `--tune` is a run."""
    if row.get("whole"):
        seconds = sum(run["seconds"] for run in runs(row["experiment"]))
    else:
        each = [statistics.fmean(run["seconds"] for run in group) for group in measured(row, runs).values() if group]
        trials = GRIDS[row["experiment"]] if "--tune" in row["options"] else 0
        seconds = sum(each) * (seeds_of(row["options"]) + trials)
    return f"{seconds / 3600:.1f}" if seconds else ""


def unit(row: Record, family: Record) -> str:
    """Return the title of the metric of a command."""
    return METRICS[row.get("metric", family["metrics"][0])].title


def answers(rows: list[Record], families: Mapping[str, Record], runs: Runs) -> str:
    """Make the table of what the experiments show."""
    lines = []
    for row in rows:
        if "answer" in row:
            family = families[row["experiment"]]
            kind = "".join(f", {word}" for word in variant(row["options"]))
            title = f"[{family['title']}](experiments/{row['experiment']}.md){kind}: {unit(row, family)}"
            lines.append([title, expected(row, family, runs, sizes=True), row["answer"]])
    return _output.markdown(_output.Table(["experiment", "measured (parameters)", "answer"], lines, left=2))


def variant(options: str) -> Iterator[str]:
    """Yield what tells two commands of one experiment apart, if anything does."""
    words = options.split()
    for option in ("--variant", "--protocol"):
        if option in words:
            yield words[words.index(option) + 1]


def command(row: Record) -> str:
    """Format a command so that a line breaks only before an option."""
    first, *options = f"reproduce {row['experiment']} {row['options']}".split(" --")
    return f"<code>{' '.join([first, *(f'<span>--{option}</span>' for option in options)])}</code>"


def commands(rows: list[Record], families: Mapping[str, Record], runs: Runs) -> str:
    """Make the table of commands, expected figures and hours."""
    lines = [
        [command(row), expected(row, families[row["experiment"]], runs),
         hours(row, runs)]
        for row in rows
    ]  # fmt: skip
    return _output.markdown(_output.Table(["`learnable-wavelets ...`", "expected", "hours"], lines, left=1))


def beside(runs: Runs) -> str:
    """Make the table of single layers beside each other: parameters of the network and test error by task."""
    plain = {
        name: [run for run in runs(name) if not any(mark.startswith(SEVERAL) for mark in marks_of(run))]
        for name, _ in TASKS.values()
    }
    lines = []
    for title, which in BESIDE.items():
        cells: dict[str, str] = {}
        for task, (name, wanted) in TASKS.items():
            group = chosen([run for run in plain[name] if matches(run, wanted)], *which)
            if group:
                row = summarise(group)[0]
                cells[name], cells[task] = f"{row['parameters']:,}", show(row["last"]["error"], ".2f")
        if cells:
            lines.append([title, *(cells.get(key, "") for key in ("shootout", "pixels", "shl", "noise", "bg-rot"))])
    header = [
        "in place of the matrix",
        "parameters",
        "pixels, error %",
        "parameters",
        "noise, error %",
        "bg-rot, error %",
    ]
    return _output.markdown(_output.Table(header, lines))
