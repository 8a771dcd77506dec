"""Change live functions to those of a mutated source, without importing anything again."""

import functools
import gc
from collections.abc import Iterator
from types import CodeType, FunctionType

OPTIMIZED = 0x1  # inspect.CO_OPTIMIZED: a function's code, not that of a module or a class body


def nested(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def own(code: CodeType) -> CodeType:
    """Return the code without that of the functions inside and without the places of tokens."""
    constants = tuple(constant for constant in code.co_consts if not isinstance(constant, CodeType))
    return code.replace(co_consts=constants, co_linetable=b"")


def differing(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Pairs of codes that differ in themselves or in a function inside; the outermost first."""
    if old == new:
        return
    yield old, new
    if len(nested(old)) == len(nested(new)):
        for pair in zip(nested(old), nested(new), strict=True):
            yield from differing(*pair)


def pairs(old: str, new: str, file: str) -> list[tuple[CodeType, CodeType]]:
    """Return the functions to change.

    Raises:
        ImportError: code outside of functions differs: a constant, a default, a decorator.
    """
    found = [*differing(*(compile(source, file, "exec", dont_inherit=True) for source in (old, new)))]
    outside = [pair for pair in found if not pair[0].co_flags & OPTIMIZED]
    if any(own(a) != own(b) or len(nested(a)) != len(nested(b)) for a, b in outside):
        raise ImportError(f"{file} differs outside of its functions")
    return [pair for pair in found if pair not in outside]


class Functions:
    """The live functions of a package by their code; taken before the fork."""

    def __init__(self, package: str) -> None:
        gc.unfreeze()
        self.by_code: dict[CodeType, list[FunctionType]] = {}
        self.caches = []
        for entry in gc.get_objects():  # by type: `isinstance` reads attributes, which some objects of torch warn of
            if type(entry) is functools._lru_cache_wrapper and entry.__module__.startswith(package):
                self.caches.append(entry)
            if type(entry) is FunctionType and (entry.__module__ or "").startswith(package):
                self.by_code.setdefault(entry.__code__, []).append(entry)
        gc.freeze()

    def change(self, old: CodeType, new: CodeType) -> int:
        """Change every function with the code `old`; return their number."""
        functions = self.by_code.get(old, [])
        for function in functions:
            function.__code__ = new
        for cache in self.caches:
            cache.cache_clear()
        return len(functions)
