"""Run the tests under coverage, and count tests, examples, lines and branches."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coverage import Coverage

from . import record
from .selection import read_tests

PYWT_SUITE = Path("tests/functional/test_pywt_suite.py")
TOP = "(files at the top)"
SETTINGS = "tools/trust/coverage.ini"
ALL = ("all",)  # in the place of packages: every test, and the Triton kernels in the interpreter
COMMAND = "pip install coverage\npython -m tools.trust suite --rooms {}  # ten minutes of one free core"


def parts(rooms: tuple[str, ...]) -> dict[str, tuple[dict[str, str], list[str]]]:
    """Return the runs of pytest: what each has in the environment, and its arguments."""
    collect = {"collected": ({}, ["--collect-only", "-qq", "tests"])}
    if rooms == ALL:
        triton = {"TRITON_INTERPRET": "1"}
        return collect | {"all": ({}, ["tests"]), "triton": (triton, ["-m", "gpu", "tests/kernels"])}
    folders = [f"tests/{room}" if Path("tests", room).is_dir() else f"tests/test_{room}.py" for room in rooms]
    return collect | {"rooms": ({}, folders)}


def run(folder: Path, rooms: tuple[str, ...]) -> None:
    """Run the tests, each part in one process."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, (environment, words) in parts(rooms).items():
        files = {"COVERAGE_FILE": str(folder / f"data-{name}"), "TRUST_TESTS": str(folder / f"tests-{name}.jsonl")}
        pytest = ["-m", "pytest", "-q", "-p", "tools.trust.recorder", "-p", "no:cacheprovider", *words]
        measured = [] if "--collect-only" in words else ["-m", "coverage", "run", f"--rcfile={SETTINGS}"]
        subprocess.run([sys.executable, *measured, *pytest], env=os.environ | environment | files, check=False)


def packages(files: dict[str, Any], rooms: tuple[str, ...]) -> Iterator[tuple[str, list[dict[str, int]]]]:
    """Sort the files of the library by package, those of the kernels apart."""
    found: dict[str, list[dict[str, int]]] = {}
    for file, entry in files.items():
        parts = Path(file).parts
        inside = parts[parts.index("learnable_wavelets") + 1 : -1]
        own = Path(file).stem if Path(file).stem in rooms else TOP
        name = "/".join(inside[:2] if inside[:1] == ("kernels",) else inside[:1]) or own
        if name in rooms or rooms == ALL:
            found.setdefault(name, []).append(entry["summary"])
    yield from sorted(found.items())
    yield "all", [summary for entries in found.values() for summary in entries]


def share(entries: list[dict[str, int]], covered: str, total: str) -> list[str]:
    done, count = (sum(entry[key] for entry in entries) for key in (covered, total))
    return [f"{count:,}", f"{done / count:.1%}" if count else ""]


def coverage(folder: Path, rooms: tuple[str, ...]) -> None:
    """Write the table of lines and branches."""
    measured = Coverage(data_file=str(folder / "all"), config_file=SETTINGS)
    measured.combine([str(file) for file in folder.glob("data*")], keep=True)
    measured.json_report(outfile=str(folder / "coverage.json"))
    report = json.loads((folder / "coverage.json").read_text())
    lines, branches = ("covered_lines", "num_statements"), ("covered_branches", "num_branches")
    rows = [[name, *share(all_, *lines), *share(all_, *branches)] for name, all_ in packages(report["files"], rooms)]
    record.update(
        "coverage", ("torch", "coverage", "pytest"), command=COMMAND.format(",".join(rooms)),
        title="Lines and branches that the tests run",
        meaning="A line is run if a test of the listed packages runs it. An `if` has two branches, each to be taken.",
        header=["package", "lines", "run", "branches", "taken"], rows=rows,
        notes=[
            "Python only: the C sources are not in it. Processes that tests start are counted. Lines that only a "
            "compiler's tracer reads (`torch.compile`, `torch.export`) are not seen by coverage.py, and count as not "
            "run. `--rooms all` runs the whole suite, and the Triton kernels in Triton's interpreter."
        ],
    )  # fmt: skip


def folder_of(entry: dict[str, Any]) -> str:
    parts = Path(entry["id"].split("::")[0]).parts
    return parts[1] if len(parts) > 2 else TOP


def tests(folder: Path, rooms: tuple[str, ...]) -> None:
    """Write the table of tests and examples, and that of PyWavelets' own tests."""
    entries = [*read_tests(folder.glob("tests*.jsonl")).values()]
    rows = []
    for name in [*sorted({folder_of(e) for e in entries}), "all"]:
        of = [e for e in entries if name in ("all", folder_of(e))]
        numbers = (len({e["id"].split("[")[0] for e in of}), len(of), sum(e["examples"] for e in of))
        rows.append([name, *(f"{n:,}" for n in numbers)])
    ran = Counter(e["outcome"] for e in entries if e["outcome"] != "not run")
    failed = ", ".join(f"`{e['id']}`" for e in entries if e["outcome"] == "failed")
    note = f"For this record {sum(ran.values()):,} tests were run under coverage."
    record.update(
        "tests", ("torch", "pytest", "hypothesis"), command=COMMAND.format(",".join(rooms)), title="Tests",
        meaning="A test function with parameters is a test for each of its cases; an example is a random input that "
        "[Hypothesis](https://hypothesis.works) made for a property and that its test accepted.",
        header=["folder", "functions", "tests", "examples"], rows=rows,
        notes=[f"{note} Failed: {failed}." if failed else f"{note} None failed."],
    )  # fmt: skip
    pywt(entries)


def pywt(entries: list[Any]) -> None:
    """Write the table of PyWavelets' own tests."""
    theirs = Counter(e["outcome"] for e in entries if "test_pywt_suite.py::test_pywt[" in e["id"])
    counted = [theirs["passed"] + theirs["xfailed"], theirs["passed"], theirs["xfailed"], theirs["skipped"]]
    record.update(
        "pywt", ("torch", "PyWavelets"), command="python -m pytest tests/functional/test_pywt_suite.py",
        title="PyWavelets' own tests",
        meaning="The tests that PyWavelets brings for its discrete transforms, run on the functions of this library "
        "through a thin adapter of arrays and tensors.",
        header=["tests", "pass", "expected to fail", "left out"], rows=[[str(n) for n in counted]],
        folded={"The failing ones, and why": [f"`{name}`: {why}" for name, why in failing().items()]},
    )  # fmt: skip


def failing() -> dict[str, str]:
    """Read the table of the test module without running it."""
    for node in ast.parse(PYWT_SUITE.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FAILING":
            return dict(ast.literal_eval(node.value))
    raise LookupError(f"no `FAILING` in {PYWT_SUITE}")
