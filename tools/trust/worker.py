"""A pytest plugin (`-p tools.trust.worker`): the chosen tests, in a fork for each mutant of a list.

pytest collects once; a fork changes the code of live functions, and runs the tests that reach them until one fails. The
list of jobs is the JSON file of the environment variable `TRUST_JOBS`; results are appended to `TRUST_RESULTS`.
"""

import json
import os
import signal
import time
from itertools import zip_longest
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from .mutants import Mutant
from .patch import Functions, pairs

GRACE, FACTOR, REAL = 4.0, 5.0, 900  # processor seconds that a test may take, and seconds that all may
SURVIVED, KILLED, NOT_LIVE = range(3)
Tests = list[tuple[pytest.Item, float]]
Changes = list[tuple[CodeType, CodeType]]
OUTCOMES = ("survived", "killed", "import")


class Worker:
    def __init__(self, manager: pytest.PytestPluginManager) -> None:
        self.manager = manager
        self.failed = self.why = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed, self.why = report.nodeid, report.longreprtext[-300:]

    def run(self, items: Tests) -> str:
        """Run tests until one fails, and return its name."""
        following = [item for item, _ in items[1:]]
        for (item, seconds), after in zip_longest(items, following):
            signal.setitimer(signal.ITIMER_PROF, GRACE + FACTOR * seconds)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=after)
            if self.failed:
                break
        return self.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        functions = Functions("learnable_wavelets")
        for job in json.loads(Path(os.environ["TRUST_JOBS"]).read_text()):
            chosen = [(items[name], seconds) for name, seconds in job["tests"] if name in items]
            record = self.judge(Mutant(**job["mutant"]), functions, chosen)
            with open(os.environ["TRUST_RESULTS"], "a") as file:
                file.write(json.dumps({"key": job["key"], "tests": len(chosen)} | record) + "\n")
        return True

    def judge(self, mutant: Mutant, functions: Functions, items: Tests) -> dict[str, Any]:
        old, file = Path(mutant.file).read_text(), str(Path(mutant.file).resolve())
        try:
            changes = pairs(old, mutant.source(), file)
        except SyntaxError:
            return {"outcome": "no program"}
        except ImportError:
            return {"outcome": "import"}
        if not changes:
            return {"outcome": "same code"}
        result = self.fork(functions, changes, items)
        killers = [item for item in items if item[0].nodeid == result["by"]]
        if result["outcome"] == "killed" and self.fork(functions, [], killers)["outcome"] != "survived":
            return result | {"outcome": "broken test"}
        return result

    def fork(self, functions: Functions, changes: Changes, items: Tests) -> dict[str, Any]:
        start, (read, write) = time.monotonic(), os.pipe()
        child = os.fork()
        if not child:
            self.child(functions, changes, items, write)
        os.close(write)
        with os.fdopen(read) as pipe:
            by, why = json.loads(pipe.read() or '["", ""]')
        _, status = os.waitpid(child, 0)
        seconds = round(time.monotonic() - start, 2)
        if os.WIFSIGNALED(status):
            outcome = "timeout" if os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM) else "crash"
        else:
            outcome = OUTCOMES[os.WEXITSTATUS(status)]
        return {"outcome": outcome, "by": by, "why": why, "seconds": seconds}

    def child(self, functions: Functions, changes: Changes, items: Tests, out: int) -> None:
        status = KILLED
        try:
            signal.alarm(REAL)
            self.manager.unregister(name="terminalreporter")
            found = sum([functions.change(*change) for change in changes])
            if changes and not found:
                status = NOT_LIVE
            elif not (by := self.run(items)):
                status = SURVIVED
            else:
                os.write(out, json.dumps([by, self.why]).encode())
        finally:
            os._exit(status)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Worker(config.pluginmanager), "trust-worker")
