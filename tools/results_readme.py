"""The tables of README.md that compare layers, from the runs in `docs/results`.

`docs/results/readme.json` has the lines of the tables, with places such as `{noise_long[error]}`, and names the runs of
each place: experiment, layer, protocol, data, epochs, and the settings but the learning rate, which `--tune` chooses.
A figure of fewer than three seeds has a star.
"""

import json
import re
from pathlib import Path

from learnable_wavelets.experiments.engine import Record
from learnable_wavelets.experiments.report import METRICS, SEEDS_TO_COMPARE, show, summarise

ROOT = Path(__file__).parents[1]
README, RESULTS = ROOT / "README.md", ROOT / "docs" / "results"
BEGIN, END = "<!-- made by tools/make_results_page.py -->\n", "<!-- end -->\n"
RATE = re.compile(r"rate [\d.e-]+")


def filled(text: str) -> str:
    """Replace what stands between each two marks of README.md by its table, in their order."""
    found = tables()
    first, *rest = text.split(BEGIN)
    if len(rest) != len(found):
        raise ValueError(f"README.md must have {len(found)} marks for tables, has {len(rest)}")
    parts = (BEGIN + table + END + part.split(END, 1)[1] for table, part in zip(found, rest, strict=True))
    return first + "".join(parts)


def tables() -> list[str]:
    """Make the tables."""
    plan = json.loads((RESULTS / "readme.json").read_text(encoding="utf-8"))
    figures = {name: places(the_row(name, want)) for name, want in plan["runs"].items()}
    return ["".join(f"{line.format(**figures)}\n" for line in lines) for lines in plan["tables"]]


def the_row(name: str, want: Record) -> Record:
    """Find the summarised runs of a place: there must be one row."""
    runs = json.loads((RESULTS / f"{want['experiment']}.json").read_text(encoding="utf-8"))
    found = [row for row in summarise(runs) if is_of(row, want)]
    if len(found) != 1:
        raise ValueError(f"{name} must name one row of {want['experiment']}.json, found {len(found)}")
    return found[0]


def is_of(row: Record, want: Record) -> bool:
    """Return True if a row has the keys of `want`, and its settings with the learning rate or without."""
    marks = [mark for mark in row["settings"].split(", ") if mark]
    settings = (marks, [mark for mark in marks if not RATE.fullmatch(mark)])
    return want.get("settings", []) in settings and all(row[key] == want[key] for key in want if key != "settings")


def places(row: Record) -> dict[str, str]:
    """Format what a line may name: each metric with and without its spread, accuracy in per cent, the size."""
    texts = {"parameters": f"{row['parameters']:,}"}
    star = "" if len(row["seeds"]) >= SEEDS_TO_COMPARE else "\\*"
    for metric, spread in row["last"].items():
        texts[metric] = show(spread, METRICS[metric].format) + star
        texts[f"mean_{metric}"] = show({**spread, "std": None}, METRICS[metric].format) + star
    if "accuracy" in row["last"]:
        percent = {key: value if value is None else 100 * value for key, value in row["last"]["accuracy"].items()}
        texts["percent"] = show(percent, ".1f") + star
    return texts
