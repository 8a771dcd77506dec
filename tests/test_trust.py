"""The page of trust, and the part of its tool that changes live functions."""

import types
from pathlib import Path

import pytest

pytest.importorskip("tools.trust.page", reason="tools/ is not there, or pytest was not started as `python -m pytest`")
from tools.trust import page, patch

SOURCE = """
LIMIT = 3

def outer(x, step=1):
    def inner(y):
        return y + 1
    return [inner(x), *map(lambda z: z * 2, [x])]
"""


@pytest.fixture
def module():
    made = types.ModuleType("trust_example")
    exec(compile(SOURCE, "example.py", "exec", dont_inherit=True), vars(made))
    return made


def test_the_committed_page_is_that_of_the_committed_record():
    assert (Path(__file__).parents[1] / "docs" / "trust.md").read_text() == page.page()


@pytest.mark.parametrize(("before", "after", "result"), [("y + 1", "y - 1", [4, 10]), ("z * 2", "z // 2", [6, 2])])
def test_a_live_function_becomes_that_of_the_mutant(module, before, after, result):
    assert module.outer(5) == [6, 10]
    changes = patch.pairs(SOURCE, SOURCE.replace(before, after), "example.py")
    functions = patch.Functions("trust_example")
    assert sum([functions.change(*change) for change in changes]) == 1
    assert module.outer(5) == result


@pytest.mark.parametrize(("before", "after"), [("LIMIT = 3", "LIMIT = 4"), ("step=1", "step=2")])
def test_what_only_an_import_shows_is_refused(before, after):
    with pytest.raises(ImportError, match=r"example.py differs outside of its functions"):
        patch.pairs(SOURCE, SOURCE.replace(before, after), "example.py")


def test_a_comment_changes_nothing():
    assert patch.pairs(SOURCE, SOURCE.replace("y + 1", "y + 1  # more"), "example.py") == []
