"""The weights that a module class reads as it runs, found in its source."""

from __future__ import annotations

import ast
import inspect
from functools import lru_cache
from typing import Any

from torch import nn


@lru_cache(maxsize=1024)
def weights_read(kind: type) -> tuple[str, ...]:
    """Return what is read as `....weight` in the `forward` of a module class, and in what that mentions of the class.

    The rest of the class does not count: many models read weights to start them, in methods of any name. Nothing would
    make `compress_` take a layer that stays for that, while `filter_fn` keeps one that a method for the user reads.
    """
    seen: dict[str, list[ast.Attribute]] = {}
    open_ = ["forward"]
    while open_:
        name = open_.pop()
        if name not in seen:
            seen[name] = _attributes(kind, name)
            open_ += [node.attr for node in seen[name]]
    return tuple(ast.unparse(node) for found in seen.values() for node in found if node.attr == "weight")


def _attributes(kind: type, name: str) -> list[ast.Attribute]:
    """Return the attributes in the code of a method or property, and of that of a base which it calls."""
    total: list[ast.Attribute] = []
    for base in kind.__mro__:
        if base in (nn.Module, object) or name not in vars(base):
            continue
        found = [node for node in ast.walk(_parsed(vars(base)[name])) if isinstance(node, ast.Attribute)]
        total += found
        if not any(node.attr == name for node in found):
            break
    return total


def _parsed(value: Any) -> ast.Module:
    function = getattr(value, "fget", None) or getattr(value, "func", value)  # of a property, of a cached one
    try:
        source = inspect.getsource(function)
        return ast.parse(f"if True:\n{source}" if source[:1].isspace() else source)
    except (OSError, TypeError, SyntaxError):
        return ast.Module([], [])
