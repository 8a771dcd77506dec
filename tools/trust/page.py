"""Make `docs/trust.md` from the record: a section for each entry, in the order of `ORDER`, and then the others."""

from pathlib import Path
from typing import Any

from learnable_wavelets._output import Table, markdown

from . import record

PAGE = Path(__file__).parents[2] / "docs" / "trust.md"
ORDER = ("tests", "pywt", "coverage", "mutation")

HEAD = """# Trust

How far the tests of this library can be trusted, in figures. Each section says what its figures mean, and the command
that makes them again from a checkout, after `pip install -e ".[dev]"` and what the section names.

This page is made by `python -m tools.trust page` from `docs/results/trust.json`.
"""


def folded(title: str, lines: list[str]) -> str:
    items = "\n".join(f"- {line}" for line in lines)
    return f'<details markdown="1"><summary>{title}</summary>\n\n{items}\n\n</details>\n'


def section(entry: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in entry["versions"].items())
    parts = [
        f"## {entry['title']}\n",
        entry["meaning"] + "\n",
        markdown(Table(entry["header"], entry["rows"], left=entry.get("left", 0))),
        *(note + "\n" for note in entry.get("notes", ())),
        *(folded(title, lines) for title, lines in entry.get("folded", {}).items()),
        f"```sh\n{entry['command']}\n```\n",
        f"Measured on {entry['date']} with {versions}.\n",
    ]
    return "\n".join(parts)


def page() -> str:
    entries = record.read()
    keys = [key for key in ORDER if key in entries] + [key for key in entries if key not in ORDER]
    return "\n".join([HEAD, *(section(entries[key]) for key in keys)])


def write() -> None:
    PAGE.write_text(page(), encoding="utf-8")
