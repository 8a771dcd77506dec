"""The tables of an experiment: a row for each layer and its settings, summarised over the seeds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from learnable_wavelets import _output
from learnable_wavelets.experiments.engine import GROUP, Record
from learnable_wavelets.experiments.report import METRICS, SEEDS_TO_COMPARE, ahead, paired, show, summarise

CONTROLS = ("dense", "removed")  # the rows with which others are compared
WHOLE = ("full", "sotu", "synthetic")  # the data of the whole experiment
PROTOCOLS = {"paper": "The published recipe", "ours": "Another recipe", "equal": ""}
CONSTANT = ("epochs", "seeds")  # columns that move into a line above the table where all rows agree


def published_row(row: Record, metrics: list[str], rest: int) -> list[str]:
    figures = [f"{row[metric]:{METRICS[metric].format}}" for metric in metrics]
    parameters = f"{row['parameters']:,}" if "parameters" in row else ""
    return [f"published: {row['model']}", parameters, *figures, *[""] * rest]


def missing_row(layer: str, metrics: list[str]) -> list[str]:
    return [layer, "", "not measured", *[""] * (len(metrics) - 1), "", "", "", ""]


def measured_row(row: Record, metrics: list[str], hidden: Sequence[str] = ()) -> list[str]:
    """Format a row of `summarise`; data and settings in `hidden` are in the title of the table."""
    settings = ", ".join(part for part in row["settings"].split(", ") if part and part not in hidden)
    title = f"{row['layer']} ({settings})" if settings else row["layer"]
    figures = [show(row["last"][metric], METRICS[metric].format) for metric in metrics]
    chosen = row["chosen"].get(metrics[0])
    at_chosen = "" if chosen is None else show(chosen, METRICS[metrics[0]].format)
    at_chosen = "" if at_chosen == figures[0] else at_chosen
    length = f"{row['epochs']}" + ("" if row["data"] in (*WHOLE, *hidden) else f", {row['data']}")
    seconds = show({**row["seconds"], "std": None}, ",.0f")
    size, seeds = f"{row['parameters']:,}", str(len(row["seeds"]))
    return [title, size, *figures, at_chosen, length, seeds, seconds]


def lines_of(protocol: str, family: Record, found: list[Record]) -> Iterator[list[str]]:
    """Yield the measured rows of each layer; where there is none a row says so, but for the layers in `if_measured`."""
    later = family.get("if_measured", [])
    for layer in (*family["layers"], *later):
        rows = [run for run in found if (run["layer"], run["protocol"]) == (layer, protocol)]
        if rows:
            ordered = summarise(rows)
            if family.get("by_size"):
                ordered.sort(key=lambda row: row["parameters"])
            yield from (measured_row(row, family["metrics"]) for row in ordered)
        elif layer not in later:
            yield missing_row(layer, family["metrics"])


def compared_lines(family: Record, part: Record, found: list[Record]) -> Iterator[list[str]]:
    """Yield the measured rows of one condition, the comparisons with dense beside them, the best row bold."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for run in found:
        if matches(run, part):
            groups.setdefault(tuple(run[key] for key in GROUP), []).append(run)
    metric, place = family["metrics"][0], family["layers"].index
    ordered = sorted(groups.values(), key=lambda group: (place(group[0]["layer"]), group[0]["settings"]))
    named = {layer: [run for group in ordered for run in group if run["layer"] == layer] for layer in CONTROLS}
    for group in ordered:
        line = measured_row(*summarise(group), family["metrics"], [part["data"], *part["hidden"]])
        if is_best(group, ordered, metric):
            line[2] = f"**{line[2]}**"
        yield [*line[:3], *comparison(group, named, metric), *line[3:]]


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


def marks_of(run: Record) -> set[str]:
    """Return the settings of a run, one by one."""
    return set(run["settings"].split(", "))


def matches(run: Record, wanted: Mapping[str, Any]) -> bool:
    """Return True for a run with these values, with the marks `with` among its settings and none of `without`."""
    marks = marks_of(run)
    same = all(run[key] == wanted[key] for key in ("layer", "protocol", "data", "epochs") if key in wanted)
    return same and marks.issuperset(wanted.get("with", ())) and marks.isdisjoint(wanted.get("without", ()))


def table(titles: Sequence[str], lines: list[list[str]]) -> str:
    """Format a table without empty columns; what all measured rows agree in stands above it."""
    columns = dict(zip(titles, zip(*lines, strict=True), strict=True))
    values = {title: {cell for cell in cells if cell} for title, cells in columns.items()}
    same = {title: values[title].pop() for title in CONSTANT if len(lines) > 1 and len(values[title]) == 1}
    kept = [title for title in titles if values[title] and title not in same]
    body = [list(line) for line in zip(*(columns[title] for title in kept), strict=True)]
    above = ", ".join(f"{title}: {value}" for title, value in same.items())
    return (f"{above.capitalize()}.\n\n" if above else "") + _output.markdown(_output.Table(kept, body))


def section(family: Record, found: list[Record]) -> str:
    """Format the tables of an experiment from its runs: one for each protocol, or one for each condition."""
    metrics = family["metrics"]
    titles = ["layer", "parameters", *(METRICS[metric].title for metric in metrics)]
    end = ["at chosen epoch", *CONSTANT, "seconds"]
    parts = []
    if "tables" not in family:
        for i, protocol in enumerate(family["protocols"]):
            lines = [published_row(row, metrics, 4) for row in (() if i else family["rows"])]
            lines += lines_of(protocol, family, found)
            parts.append((PROTOCOLS[protocol], table([*titles, *end], lines)))
    for part in family.get("tables", ()):
        lines = [published_row(row, metrics, 6) for row in part.get("rows", [])]
        lines += compared_lines(family, part, found)
        if lines:
            parts.append((part["title"], table([*titles[:3], "minus dense", "kept %", *titles[3:], *end], lines)))
    return "\n".join(f"## {title}\n\n{text}" if title else text for title, text in parts)
