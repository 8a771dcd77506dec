"""The page of the records of speed: every table of `docs/results/bench.json` and `bench-small.json`, folded."""

import json
from pathlib import Path

from tools.bench.__main__ import PARTS

from learnable_wavelets import _output
from learnable_wavelets.benchmarks import _files, bench

HEAD = """# Records of speed

The complete tables behind [Speed](speed.md). The page is made by `tools/make_results_page.py` from
`docs/results/bench.json` and `docs/results/bench-small.json`, the `results.json` of the commands below.
"""
RECORDS = {
    "bench": (
        "Layers, transforms, memory",
        "`python -m tools.bench --transforms --memory --scaling`, on a virtual machine with little other work.",
    ),
    "bench-small": (
        "Small widths",
        "`learnable-wavelets bench --sizes 16,32,64,128,256,512 --batch 1024`.",
    ),
}


def page(results: Path) -> str:
    """Make the page: what was run and the answer, then the tables, each folded."""
    parts = [HEAD]
    for name, (title, command) in RECORDS.items():
        record = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        parts += [f"## {title}\n", command, *_files.answer(record), _files.about(record)]
        chosen = [part for part in (bench.LAYERS, *PARTS) if part.name in record]
        parts += map(folded, _files.tables(record, chosen))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def folded(table: _output.Table) -> str:
    """Format a table that opens on a click on its title."""
    text = _output.markdown(table._replace(title="")).strip()
    return f'<details markdown="1"><summary>{table.title}</summary>\n\n{text}\n\n</details>'
