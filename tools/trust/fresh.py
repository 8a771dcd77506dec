"""The other mutants: constants, defaults, decorators. A fork for each imports the package from the mutated source.

python -m tools.trust.fresh JOBS RESULTS
"""

import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import numpy  # noqa: F401  what takes long to import: every fork has it
import pywt  # noqa: F401
import torch  # noqa: F401

from .mutants import Mutant

LIMIT, REAL = 90, 900  # processor seconds, seconds


class Loader(importlib.machinery.SourceFileLoader):
    """Read one file from a text, and every other as it is."""

    mutant: tuple[str, str] = ("", "")

    def get_code(self, fullname: str) -> CodeType | None:
        if self.path != self.mutant[0]:
            return super().get_code(fullname)
        return compile(self.mutant[1], self.path, "exec", dont_inherit=True)


def child(mutated: tuple[str, str], tests: list[str]) -> None:
    status = 1
    try:
        signal.alarm(REAL)
        signal.setitimer(signal.ITIMER_PROF, LIMIT)
        Loader.mutant = mutated
        sys.path_hooks.insert(0, importlib.machinery.FileFinder.path_hook((Loader, [".py"]), *extensions()))
        sys.path_importer_cache.clear()
        import pytest

        out = os.open(os.devnull, os.O_WRONLY)
        os.dup2(out, 1), os.dup2(out, 2)
        status = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]) != 0)
    finally:
        os._exit(status)


def extensions() -> list[Any]:
    loader = importlib.machinery.ExtensionFileLoader
    return [(loader, importlib.machinery.EXTENSION_SUFFIXES)]


def fork(mutated: tuple[str, str], tests: list[str]) -> str:
    pid = os.fork()
    if not pid:
        child(mutated, tests)
    status = os.waitpid(pid, 0)[1]
    return "timeout" if os.WIFSIGNALED(status) else ("survived", "killed")[os.WEXITSTATUS(status)]


def main(jobs: str, results: str) -> None:
    for job in json.loads(Path(jobs).read_text()):
        mutant, tests = Mutant(**job["mutant"]), [name for name, _ in job["tests"]]
        outcome = fork((str(Path(mutant.file).resolve()), mutant.source()), tests)
        if outcome == "killed" and fork(("", ""), tests) != "survived":
            outcome = "broken test"
        with open(results, "a") as file:
            file.write(json.dumps({"key": job["key"], "tests": len(tests), "outcome": outcome}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
