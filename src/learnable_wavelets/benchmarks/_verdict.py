"""The answer, and the cases in which a layer is no faster than the best dense product of the machine."""

from ._layers import PEERS, Record
from ._statistics import crossover

Group = dict[tuple[int, int], Record]  # by n and batch


def losses(rows: list[Record]) -> tuple[int, list[str]]:
    """Count the cases, and describe those in which a layer is no faster than the best dense product."""
    ours = [row for row in rows if row["layer"] not in PEERS]
    return len(ours), [_loss(row) for row in ours if not row["best"]["median"] > 1]


def _loss(row: Record) -> str:
    best = row["best"]
    tie = ", within the spread" if best["upper"] > 1 else ""
    return f"{row['layer']} {_pass(row)} n = {row['n']}, batch {row['batch']}: {factor(best['median'])}{tie}"


def verdict(rows: list[Record]) -> str:
    """Answer for each layer and pass: the n from which it is faster at every batch, the factors at the largest n."""
    groups: dict[str, dict[str, Group]] = {}
    for row in rows:
        if row["layer"] not in PEERS:
            passes = groups.setdefault(row["layer"], {})
            passes.setdefault(_pass(row), {})[row["n"], row["batch"]] = row
    answers = [f"{name}: {'; '.join(map(_answer, passes, passes.values()))}" for name, passes in groups.items()]
    return (
        f"Is the swap worth it on this machine, at these sizes? {_headline(rows)} "
        f"Speed against the best dense product: {'. '.join(answers)}."
    )


def _headline(rows: list[Record]) -> str:
    cases, lost = losses(rows)
    if not lost:
        return "Yes, in every case."
    return "No." if len(lost) == cases else f"Yes in {cases - len(lost)} of {cases} cases."


def _answer(step: str, group: Group) -> str:
    worst = {n: min(_ratios(group, n, "best")) for n, _ in group}
    start, largest = crossover(worst), max(worst)
    found = _ratios(group, largest, "best")
    best, linear = _range(found), _range(_ratios(group, largest, "speedup"))
    times = f"{best} at n = {largest}" + (f" ({linear} nn.Linear)" if linear != best else "")
    if start is not None:
        return f"{step} faster from n = {start}, {times}"
    return f"{step} {'slower' if max(found) <= 1 else 'not faster at every batch'}, {times}"


def _range(ratios: list[float]) -> str:
    low, high = factor(min(ratios)), factor(max(ratios))
    return low if low == high else f"{low} to {high}"


def _ratios(group: Group, n: int, key: str) -> list[float]:
    return [row[key]["median"] for (size, _), row in group.items() if size == n]


def _pass(row: Record) -> str:
    """Name the pass, with the precision if it is not float32."""
    return row["step"] if row["precision"] == "float32" else f"{row['step']} in {row['precision']}"


def factor(value: float) -> str:
    """Format a ratio, to two digits or more."""
    return f"{value:.0f}x" if value >= 9.95 else f"{value:.2g}x" if value < 0.995 else f"{value:.1f}x"
