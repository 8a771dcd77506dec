"""Examples that rot fail here: docstrings of every public name, and the Python blocks of README and docs."""

import doctest
import importlib
import inspect
import re
import textwrap
from pathlib import Path

import pytest

from .test_package import SURFACE

ROOT = Path(__file__).parent.parent
PAGES = sorted(path for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")) if path.exists())
FENCE = re.compile(
    r"^(?P<skip>[ ]*<!-- skip: [^\n]+-->\s*\n)?(?P<indent>[ ]*)```python[^\n]*\n(?P<code>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)


def examples() -> dict[str, doctest.DocTest]:
    """The examples of every public object and of its public methods, each once."""
    found = {}
    for module in SURFACE:
        for name in importlib.import_module(module).__all__:
            item = getattr(importlib.import_module(module), name)
            if inspect.isclass(item) or inspect.isfunction(item):
                for test in doctest.DocTestFinder(exclude_empty=True).find(item, name, module=False, globs={}):
                    if test.examples:
                        found[test.name] = test
    return found


def blocks(page: str) -> list[tuple[int, str]]:
    """Line number and code of each block that is to be run."""
    return [
        (page[: match.start("code")].count("\n"), textwrap.dedent(match["code"]))
        for match in FENCE.finditer(page)
        if not match["skip"]
    ]


EXAMPLES = examples()


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")


def run_session(test: doctest.DocTest) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


@pytest.mark.parametrize("name", EXAMPLES)
def test_docstring(name, scratch):
    run_session(EXAMPLES[name])


def test_public_functions_and_classes_have_examples():
    without = set()
    for module in SURFACE:
        for name in importlib.import_module(module).__all__:
            item = getattr(importlib.import_module(module), name)
            if (inspect.isclass(item) or inspect.isfunction(item)) and name not in EXAMPLES:
                without.add(name)
    assert without <= {"WaveletFilter", "unpack"}  # an abstract class; the other half of `pack`


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page, scratch):
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, code in blocks(page.read_text()):
        where = f"{page}:{line}"
        if code.lstrip().startswith(">>>"):
            run_session(doctest.DocTestParser().get_doctest(code, namespace, where, str(page), line))
        else:
            exec(compile("\n" * line + code, where, "exec"), namespace)


def test_the_reader_of_pages():
    page = """
```python
a = 1
```
<!-- skip: needs a GPU -->
```python
b = 2
```
```bash
c
```
=== "Tab"

    ```python title="x"
    if a:
        d = 3
    ```
"""
    assert blocks(page) == [(2, "a = 1\n"), (14, "if a:\n    d = 3\n")]


def test_a_wrong_example_fails():
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    with pytest.raises(AssertionError, match="Expected"):
        run_session(wrong)
