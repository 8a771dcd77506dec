"""A pytest plugin (`-p tools.trust.recorder`): one line of JSON a test, and a context of coverage for each.

The file is that of the environment variable `TRUST_TESTS`.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import coverage
import pytest
from hypothesis.statistics import collector

COUNTED = ("valid", "interesting")  # examples that the test accepted


def count_examples(statistics: Any) -> int:
    phases = [value for name, value in statistics.items() if name.endswith("-phase")]
    return sum(case["status"] in COUNTED for phase in phases for case in phase["test-cases"])


def processor_seconds() -> float:
    """Of this process and of those that it started: a busy machine does not count."""
    return sum(os.times()[:4])


def write(path: str, entry: dict[str, Any]) -> None:
    with open(path, "a") as file:
        file.write(json.dumps(entry) + "\n")


class Recorder:
    def __init__(self, path: str) -> None:
        self.path, self.examples, self.start = path, 0, 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        current = coverage.Coverage.current()
        if current is not None:
            current.switch_context(item.nodeid)
        self.examples, self.start = 0, processor_seconds()
        result = yield
        if current is not None:
            current.switch_context("")
        return result

    @pytest.hookimpl(wrapper=True, trylast=True)  # inside of Hypothesis' own, which collects for its report
    def pytest_runtest_call(self) -> Iterator[None]:
        def note(statistics: Any) -> None:
            self.examples += count_examples(statistics)

        with collector.with_value(note):
            return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            seconds = round(processor_seconds() - self.start, 4)
            outcome = "xfailed" if report.skipped and hasattr(report, "wasxfail") else report.outcome
            entry = {"id": report.nodeid, "outcome": outcome, "seconds": seconds, "examples": self.examples}
            write(self.path, entry)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            write(self.path, {"id": item.nodeid, "outcome": "not run", "seconds": 0.0, "examples": 0})


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder(os.environ["TRUST_TESTS"]), "trust-recorder")
