"""`docs/results/trust.json`: one entry for each section of the page, and the figures of each as a table.

An entry has `title`, `meaning` (a sentence), `command`, `date`, `versions`, `header`, `rows` and perhaps `notes`.
"""

import datetime
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parents[2] / "docs" / "results" / "trust.json"


def read() -> dict[str, Any]:
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


def update(key: str, packages: tuple[str, ...], **entry: Any) -> None:
    """Put an entry in the place of the one before, with today's date and the versions of `packages`."""
    versions = {"Python": platform.python_version()} | {name: version(name) for name in packages}
    entry |= {"date": datetime.date.today().isoformat(), "versions": versions}
    text = json.dumps(read() | {key: entry}, indent=1, ensure_ascii=False)
    RECORD.write_text(text + "\n", encoding="utf-8")
