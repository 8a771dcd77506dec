"""Run the sampled mutants, and write their score."""

import difflib
import json
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from . import record
from .mutants import Mutant, population, sample
from .selection import Selection

EQUIVALENT = Path(__file__).with_name("equivalent.json")
MEANING = (
    "A mutant is the library with one small fault: another operator, a number that is off by one, a condition "
    "negated, a loop that never runs. It is killed if a test fails. The score is the share of mutants that are."
)
NOTE = (
    "*sites*: places that can be mutated, of which a random sample was drawn, and a mutant of each, by the operators "
    "of [cosmic-ray](https://cosmic-ray.readthedocs.io). *timeout*: tests that ran without end, which count as killed. "
    "*equivalent*: survivors that compute the same, as read one by one; *score* counts them as survivors, *without* "
    "leaves them out. *95 %*: the interval for all sites of the package, by Wilson's formula, around *score*. "
    "Annotations, docstrings and the texts of messages are no sites. The tests of a mutant are those that run its "
    "line, one case of each test function first, until one fails or their budget of processor time is spent: here 8 "
    "seconds, and for survivors the tests that were written for them."
)
HEADER = ["package", "sites", "mutants", "killed", "timeout", "survived", "equivalent", "score", "95 %", "without"]
COMMAND = (
    "pip install coverage cosmic-ray\npython -m tools.trust suite\n"
    "python -m tools.trust mutants --size {} --seed {}  # half an hour of one free core; then --again survived"
)


def change(mutant: Mutant) -> tuple[str, str]:
    """Return the changed line, before and after."""
    old, new = Path(mutant.file).read_text().splitlines(), mutant.source().splitlines()
    lines = list(difflib.unified_diff(old, new, n=0, lineterm=""))[3:]
    before, after = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return before, after


def key(mutant: Mutant) -> str:
    """Name a mutant by its change: line numbers move."""
    return " | ".join([mutant.file, mutant.operator, *change(mutant)])


def jobs(folder: Path, sizes: dict[str, int], seed: int, budget: float) -> list[dict[str, Any]]:
    selection = Selection(folder)
    found = []
    for room in sizes:
        for mutant in sample(room, sizes[room], seed):
            tests = selection.ordered(mutant, budget)
            found.append({"key": key(mutant), "room": room, "mutant": mutant._asdict(), "tests": tests})
    return found


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the last result of each mutant."""
    file = folder / "mutants.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return {entry["key"]: entry for entry in map(json.loads, lines)}


def run(folder: Path, todo: list[dict[str, Any]], again: str = "") -> None:
    """Run those without a result or with one of `again`: forks of one pytest, then those that an import must show."""
    known = {name: entry["outcome"] for name, entry in read_results(folder).items()}
    todo = [job for job in todo if known.get(job["key"], "") in again.split(",")]
    files = {"TRUST_JOBS": str(folder / f"jobs-{os.getpid()}.json"), "TRUST_RESULTS": str(folder / "mutants.jsonl")}
    tests = sorted({name.split("::")[0] for job in todo for name, _ in job["tests"]})
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "tools.trust.worker", "-p", "no:cacheprovider", *tests]
    Path(files["TRUST_JOBS"]).write_text(json.dumps(todo))
    subprocess.run(pytest, env=os.environ | {"OMP_NUM_THREADS": "1"} | files, check=False)
    imported = {name for name, entry in read_results(folder).items() if entry["outcome"] == "import"}
    Path(files["TRUST_JOBS"]).write_text(json.dumps([job for job in todo if job["key"] in imported]))
    subprocess.run([sys.executable, "-m", "tools.trust.fresh", *files.values()], check=False)


def interval(killed: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of 95 % for a share."""
    middle, width = killed + z * z / 2, z * math.sqrt(killed * (total - killed) / total + z * z / 4)
    return (middle - width) / (total + z * z), (middle + width) / (total + z * z)


def judged(folder: Path, sizes: dict[str, int], seed: int) -> list[tuple[str, str, str]]:
    """Return room, name and outcome of each mutant of the sample, survivors that are equivalent apart."""
    results, equivalent = read_results(folder), json.loads(EQUIVALENT.read_text())
    found = []
    for room in sizes:
        for name in map(key, sample(room, sizes[room], seed)):
            outcome = results[name]["outcome"]
            found.append((room, name, "equivalent" if outcome == "survived" and name in equivalent else outcome))
    return found


def row(room: str, sites: int, counts: Counter[str]) -> list[str]:
    dead = counts["killed"] + counts["crash"]
    numbers = (dead, counts["timeout"], counts["survived"], counts["equivalent"])
    total, seen = sum(numbers), dead + counts["timeout"]
    low, high = interval(seen, total)
    shares = (f"{seen / total:.0%}", f"{low:.0%} to {high:.0%}", f"{seen / (total - counts['equivalent']):.0%}")
    return [room, f"{sites:,}", *map(str, (total, *numbers)), *shares]


def report(folder: Path, sizes: dict[str, int], seed: int) -> None:
    found, why = judged(folder, sizes, seed), json.loads(EQUIVALENT.read_text())
    counts = {room: Counter(outcome for r, _, outcome in found if r == room) for room in sizes}
    sites = {room: population(room) for room in counts}
    rows = [row(room, sites[room], counts[room]) for room in counts]
    rows.append(row("all", sum(sites.values()), sum(counts.values(), Counter())))
    survivors = [f"`{name}`" for _, name, outcome in found if outcome == "survived"]
    same = [f"`{name}`: {why[name]}" for _, name, outcome in found if outcome == "equivalent"]
    record.update(
        "mutation", ("torch", "pytest", "cosmic-ray", "coverage"), title="Mutation score", rows=rows, left=0,
        command=COMMAND.format(max(sizes.values()), seed), meaning=MEANING, header=HEADER, notes=[NOTE],
        folded={"Survivors": survivors, "Equivalent mutants, and why": same},
    )  # fmt: skip
