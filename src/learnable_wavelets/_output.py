"""Tables, pictures and files that the commands write, and the files that they read back."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console
    from rich.table import Table as Screen

_KINDS = {
    stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


class Table(NamedTuple):
    """A table of strings; the first `left` + 1 columns are aligned left, the others right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""
    left: int = 0


def markdown(table: Table) -> str:
    """Format `table`, with its title as a heading and its note below."""
    rule = ["---" if i <= table.left else "---:" for i in range(len(table.header))]
    body = "\n".join(f"| {' | '.join(line)} |" for line in (table.header, rule, *table.rows))
    parts = (f"## {table.title}" if table.title else "", body, table.note)
    return "\n\n".join(part for part in parts if part) + "\n"


def console(**options: Any) -> Console:
    """Return a console that shows texts as they are: names and paths may hold what rich takes for markup."""
    from rich.console import Console

    return Console(markup=False, emoji=False, **options)


def screen(table: Table) -> Screen:
    """Format `table` for the terminal; the first columns are left out where they repeat the row above."""
    from rich import box
    from rich.table import Table as Screen
    from rich.text import Text

    title = Text(table.title, "table.title") if table.title else None
    note = Text(table.note, "table.caption") if table.note else None
    result = Screen(title=title, caption=note, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    last = len(table.header) - 1
    for i, name in enumerate(table.header):
        right = i > table.left
        heading = Text(fill(name, 6, break_long_words=False))
        result.add_column(heading, justify="right" if right else "left", no_wrap=right or 0 < i < last)
    before: Sequence[str] = ()
    for row in table.rows:
        group = row[: table.left]
        shown = [*([""] * len(group) if group == before else group), *row[table.left :]]
        result.add_row(*map(Text, shown))
        before = group
    return result


def pyplot() -> Any:
    """Import pyplot with the backend that needs no display."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    return pyplot


def save_figure(path: Path, figure: Figure) -> None:
    """Write `figure` to `path` and close it."""
    content = io.BytesIO()
    figure.savefig(content, dpi=120, bbox_inches="tight")
    pyplot().close(figure)
    write_atomic(path, content.getvalue())


def legend_below(figure: Figure, columns: int, **options: Any) -> None:
    """Collect the labelled lines of all axes in one legend below them."""
    pairs = [pair for ax in figure.axes for pair in zip(*ax.get_legend_handles_labels(), strict=True)]
    lines = {label: line for line, label in pairs}
    if lines:
        figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=columns, **options)


def write_atomic(path: Path, content: str | bytes, partial: str | None = None) -> None:
    """Write `content` to `path`: readers see the old file or the new one, never a part of it.

    `partial` is the suffix of the file that is written first; by default it differs between processes. A symbolic link
    is followed, and a file that is there keeps its permissions.

    Raises:
        ValueError: what is at `path` is no regular file.
        OSError: with `path` in the message, also where the disk is full.
    """
    mode = stat.S_IMODE(check_regular(path).stat().st_mode) if path.exists() else None
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}{partial or f'.{os.getpid()}.part'}")
    try:
        with unfinished.open("wb") as file:
            if mode is not None and mode != stat.S_IMODE(unfinished.stat().st_mode):  # some disks know one mode alone
                unfinished.chmod(mode)
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, target)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def check_regular(path: Path) -> Path:
    """Return `path` if it is a regular file: reading anything else may block for ever.

    Raises:
        ValueError: it is a directory, a FIFO, a socket or a device.
        OSError: it is missing or out of reach.
    """
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind != stat.S_IFREG:
        raise ValueError(f"{path} must be a regular file, is {_KINDS.get(kind, 'something else')}")
    return path


def read_text(path: Path) -> str:
    """Read a regular file of UTF-8 text.

    Raises:
        ValueError: it is no regular file or not UTF-8.
    """
    try:
        return check_regular(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be UTF-8 text: {error}") from error
