"""The rooms of the experiments: imports run one way, and only through the public surface of the library."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from learnable_wavelets import experiments

ROOT = Path(experiments.__file__).parent
BELOW = {
    "spec": set(),
    "engine": {"spec"},
    "tasks": {"spec", "engine"},
    "models": {"spec", "engine"},
    "report": {"spec", "engine"},
    "paper": {"spec", "engine", "tasks", "models", "report"},
    "_compare": {"spec", "engine", "report", "paper"},
    "conversion": {"spec", "engine", "tasks", "models", "report"},
    "_command": {"spec", "engine", "tasks", "models", "report", "paper", "conversion"},
}
SHARED = {"_checks", "_command_line", "_output"}  # of the package, beside the public surface


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the absolute name of each imported module or object of this package."""
    package = ("learnable_wavelets", "experiments", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            if module[0] == "learnable_wavelets":
                yield from ((*module, alias.name) for alias in node.names)


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py")) or [ROOT / f"{room}.py"]


def test_every_room_is_listed() -> None:
    found = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in ROOT.rglob("*.py")}
    assert found - {"__init__"} == set(BELOW)


@pytest.mark.parametrize("room", BELOW)
def test_imports_run_one_way(room: str) -> None:
    for path in modules(room):
        for name in imported(path):
            if name[1] == "experiments":
                assert name[2] in {room, *BELOW[room]}, path
                if name[2] != room:  # the door of a room, not the modules behind it
                    assert not any(part.startswith("_") for part in name[3:]), path
            else:
                assert name[1] in SHARED, path
