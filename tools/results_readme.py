"""The table of README.md that compares layers, from the runs in `docs/results`.

`docs/results/readme.json` has the lines of the table, with places such as `{noise_wavelet[error]}`, and names the runs of
each place: experiment, layer, protocol, data, epochs, and the settings but the learning rate, which `--tune` chooses.
"""

import json
import re
from pathlib import Path

from learnable_wavelets.experiments.engine import Record
from learnable_wavelets.experiments.report import METRICS, show, summarise

ROOT = Path(__file__).parents[1]
README, RESULTS = ROOT / "README.md", ROOT / "docs" / "results"
BEGIN, END = "<!-- made by tools/make_results_page.py -->\n", "<!-- end -->\n"
RATE = re.compile(r"rate [\d.e-]+")


def filled(text: str) -> str:
    """Replace what stands between the two marks of README.md by the table."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END, 1)[1]


def table() -> str:
    """Make the table."""
    plan = json.loads((RESULTS / "readme.json").read_text(encoding="utf-8"))
    figures = {name: places(the_row(name, want)) for name, want in plan["runs"].items()}
    return "".join(f"{line.format(**figures)}\n" for line in plan["lines"])


def the_row(name: str, want: Record) -> Record:
    """Find the summarised runs of a place: there must be one row."""
    runs = json.loads((RESULTS / f"{want['experiment']}.json").read_text(encoding="utf-8"))
    found = [row for row in summarise(runs) if is_of(row, want)]
    if len(found) != 1:
        raise ValueError(f"{name} must name one row of {want['experiment']}.json, found {len(found)}")
    return found[0]


def is_of(row: Record, want: Record) -> bool:
    """Return True if a row has the keys of `want` and its settings, the learning rate aside."""
    settings = [part for part in row["settings"].split(", ") if part and not RATE.fullmatch(part)]
    return settings == want.get("settings", []) and all(row[key] == want[key] for key in want if key != "settings")


def places(row: Record) -> dict[str, str]:
    """Format what a line may name: each metric with and without its spread, accuracy in per cent, the size."""
    texts = {"parameters": f"{row['parameters']:,}"}
    for metric, spread in row["last"].items():
        texts[metric] = show(spread, METRICS[metric].format)
        texts[f"mean_{metric}"] = show({**spread, "std": None}, METRICS[metric].format)
    if "accuracy" in row["last"]:
        percent = {key: value if value is None else 100 * value for key, value in row["last"]["accuracy"].items()}
        texts["percent"] = show(percent, ".1f")
    return texts
