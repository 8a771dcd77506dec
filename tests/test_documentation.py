"""Run every example: the docstrings of public names, and the Python blocks of README and docs."""

import ast
import contextlib
import doctest
import importlib
import inspect
import io
import re
import textwrap
from pathlib import Path

import pytest

from .test_package import SURFACE

ROOT = Path(__file__).parent.parent
PAGES = sorted(path for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")) if path.exists())
NEEDS = {"integrations.md": ("transformers", "lightning", "tensorboard")}
FENCE = re.compile(
    r"^(?P<skip>[ ]*<!-- skip: [^\n]+-->\s*\n)?(?P<indent>[ ]*)```python[^\n]*\n(?P<code>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)


def examples() -> dict[str, doctest.DocTest]:
    """Find the examples of every public object and of its public methods, each once."""
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
    """Return line number and code of each block that is not marked `skip`."""
    return [
        (page[: match.start("code")].count("\n"), textwrap.dedent(match["code"]))
        for match in FENCE.finditer(page)
        if not match["skip"]
    ]


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def claimed(code: str, statement: ast.stmt) -> list[str]:
    """Return the output that a statement claims: the comment at its end, or the comment lines directly after it."""
    if not any(isinstance(node, ast.Name) and node.id == "print" for node in ast.walk(statement)):
        return []
    lines = code.splitlines()
    last = lines[statement.end_lineno - 1][statement.end_col_offset :].strip()
    if last.startswith("#"):
        return [last[1:].strip()]
    found = []
    for line in lines[statement.end_lineno :]:
        if not line.startswith("#"):
            break
        found.append(line[1:].strip())
    return found


def agree(said: str, printed: str) -> bool:
    """Compare texts: integers must be equal, other numbers within one unit of the last digit shown."""
    if NUMBER.sub("0", said) != NUMBER.sub("0", printed):
        return False
    return all(a == b or _near(a, b) for a, b in zip(NUMBER.findall(said), NUMBER.findall(printed), strict=True))


def _near(said: str, printed: str) -> bool:
    mantissa, _, exponent = said.partition("e")
    if "." not in mantissa and not exponent:
        return False
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(float(said) - float(printed)) <= 1.01 * unit


def run_block(code: str, where: str, line: int, namespace: dict[str, object]) -> None:
    """Run statement by statement, and compare the output of each with the comment that claims it."""
    for statement in ast.parse(code).body:
        said = claimed(code, statement)
        module = ast.increment_lineno(ast.Module([statement], []), line)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(module, where, "exec"), namespace)
        printed = out.getvalue().splitlines()
        same = len(said) == len(printed) and all(map(agree, said, printed))
        assert same or not (said and printed), f"{where}: says {said}, prints {printed}"


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
    assert without <= {"SandwichLayer", "WaveletFilter", "PackedLayout", "unpack"}  # abstract; the other half of `pack`


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")
def test_page(page, scratch):
    for name in NEEDS.get(page.name, ()) if page.parent.name == "docs" else ():
        pytest.importorskip(name)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, code in blocks(page.read_text()):
        where = f"{page}:{line}"
        if code.lstrip().startswith(">>>"):
            run_session(doctest.DocTestParser().get_doctest(code, namespace, where, str(page), line))
        else:
            run_block(code, where, line, namespace)


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


@pytest.mark.parametrize("code", [
    "print('db2', 0.25)  # db2 0.25",
    "print('db2', 0.254)  # db2 0.25",
    "print('a 3e-05')\n# a 4e-05",
    "for i in range(2):\n    print(i, -i)\n# 0 0\n# 1 -1\nx = 1",
    "print(1)\n\n# a comment of its own",
    "x = 1  # no print",
    "print(1)  # 1\nprint(2)  # 2",
])  # fmt: skip
def test_a_true_comment_passes(code):
    run_block(code, "page", 0, {})


@pytest.mark.parametrize("code", [
    "print('db2', 0.25)  # db3 0.25",
    "print('accuracy 0.97')\n# accuracy ACC",
    "print(0.274)  # 0.25",
    "print('a 3e-05')\n# a 5e-05",
    "print(15, 'x')  # 16 x",
    "for i in range(2):\n    print(i)\n# 0",
    "print(1)\n# 1\n# 2",
    "print(True)  # True, at the start",
])  # fmt: skip
def test_a_false_comment_fails(code):
    with pytest.raises(AssertionError, match=r"page: says .*, prints"):
        run_block(code, "page", 0, {})


def test_a_wrong_example_fails():
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    with pytest.raises(AssertionError, match="Expected"):
        run_session(wrong)
