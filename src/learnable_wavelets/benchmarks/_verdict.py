"""The last line, and the cases in which a layer is no faster than `nn.Linear`."""

from ._layers import COPY, DENSE, Record
from ._statistics import crossover

Group = dict[tuple[int, int], Record]  # by n and batch


def losses(rows: list[Record]) -> tuple[int, list[str]]:
    """Count the cases, and describe those in which a layer is no faster than `nn.Linear`."""
    ours = [row for row in rows if row["layer"] not in (COPY, DENSE)]
    return len(ours), [_loss(row) for row in ours if not row["speedup"]["median"] > 1]


def _loss(row: Record) -> str:
    speedup = row["speedup"]
    tie = ", within the spread" if speedup["upper"] > 1 else ""
    return f"{row['layer']} {_pass(row)} n = {row['n']}, batch {row['batch']}: {factor(speedup['median'])}{tie}"


def verdict(rows: list[Record]) -> str:
    """Answer for each layer and pass: the n from which it is faster at every batch, the factor at the largest n."""
    groups: dict[str, dict[str, Group]] = {}
    for row in rows:
        if row["layer"] not in (COPY, DENSE):
            passes = groups.setdefault(row["layer"], {})
            passes.setdefault(_pass(row), {})[row["n"], row["batch"]] = row
    answers = [f"{name}: {'; '.join(map(_answer, passes, passes.values()))}" for name, passes in groups.items()]
    return (
        f"Is the swap worth it on this machine, at these sizes? {_headline(rows)} "
        f"Speed against nn.Linear: {'. '.join(answers)}."
    )


def _headline(rows: list[Record]) -> str:
    cases, lost = losses(rows)
    if not lost:
        return "Yes, in every case."
    return "No." if len(lost) == cases else f"Yes in {cases - len(lost)} of {cases} cases."


def _answer(step: str, group: Group) -> str:
    worst = {n: min(_speedups(group, n)) for n, _ in group}
    start, largest = crossover(worst), max(worst)
    found = _speedups(group, largest)
    low, high = factor(min(found)), factor(max(found))
    times = low if low == high else f"{low} to {high}"
    if start is not None:
        return f"{step} faster from n = {start}, {times} at n = {largest}"
    return f"{step} {'slower' if max(found) <= 1 else 'not faster at every batch'}, {times} at n = {largest}"


def _speedups(group: Group, n: int) -> list[float]:
    return [row["speedup"]["median"] for (size, _), row in group.items() if size == n]


def _pass(row: Record) -> str:
    """Name the pass, with the precision if it is not float32."""
    return row["step"] if row["precision"] == "float32" else f"{row['step']} in {row['precision']}"


def factor(value: float) -> str:
    """Format a ratio, to two digits or more."""
    return f"{value:.0f}x" if value >= 9.95 else f"{value:.2g}x" if value < 0.995 else f"{value:.1f}x"
