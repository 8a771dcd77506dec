"""The parts of a benchmark: each measures cases and presents its records."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .._output import Table
from ._layers import Record
from ._measure import Clock
from ._plan import Plan


class Part(NamedTuple):
    """A kind of measurement; `name` is its key in results.json."""

    name: str
    cases: Callable[[Plan], Sequence[Any]]
    label: Callable[[Any], str]
    run: Callable[[Any, Plan, Clock], list[Record]]
    tables: Callable[[list[Record]], list[Table]]
    draw: Callable[[Path, list[Record]], list[Path]] = lambda folder, rows: []
    help: str = ""
    versions: Callable[[], dict[str, str | None]] = dict
    extra: Callable[[list[Record]], dict[str, Any]] = lambda rows: {}
    """Further entries of results.json, derived from the records."""
