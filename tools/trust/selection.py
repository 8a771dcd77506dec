"""The tests that reach a mutant, the quick ones first, no more than a budget of seconds."""

import functools
import json
from collections import defaultdict
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import Any

from coverage import CoverageData

from .mutants import Mutant


def read_tests(files: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Read the last entry of each test."""
    entries = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["outcome"] != "not run" or entry["id"] not in found:  # collected in one file, run in another
            found[entry["id"]] = entry
    return found


class Selection:
    def __init__(self, folder: Path) -> None:
        self.tests = read_tests(folder.glob("tests*.jsonl"))
        self.contexts = functools.cache(self.read_contexts)
        self.data = CoverageData(no_disk=True)
        for file in sorted(folder.glob("data*")):
            part = CoverageData(str(file))
            part.read()
            self.data.update(part)

    def read_contexts(self, file: str) -> dict[int, list[str]]:
        return self.data.contexts_by_lineno(str(Path(file).resolve()))

    def reaching(self, mutant: Mutant) -> set[str]:
        by_line = self.contexts(mutant.file)
        found = {name for line in range(mutant.first, mutant.last + 1) for name in by_line.get(line, ())}
        return {name for name in found if name in self.tests and self.tests[name]["outcome"] == "passed"}

    def ordered(self, mutant: Mutant, budget: float) -> list[tuple[str, float]]:
        """Choose one case of each test function, then a second of each, and so on."""
        functions = defaultdict(list)
        for name in self.reaching(mutant):
            functions[name.split("[")[0]].append((float(self.tests[name]["seconds"]), name))
        rounds = zip_longest(*(sorted(cases) for cases in functions.values()))
        chosen, total = [], 0.0
        for one in rounds:
            for seconds, name in sorted(case for case in one if case is not None):
                if total + seconds <= budget or not chosen:
                    chosen.append((name, seconds))
                    total += seconds
        return chosen
