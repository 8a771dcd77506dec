"""A progress bar on a terminal, where rich is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str], None]


@contextmanager
def progress(total: int | None) -> Iterator[Advance]:
    """Give a function that moves the bar by one, with its new description."""
    if importlib.util.find_spec("rich") is None:
        yield lambda description: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda description: bar.update(task, advance=1, description=escape(description))
