"""Options, report and target of `learnable-wavelets compress`."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _output
from ..compress import Compression, Report
from . import _file, _folder

if TYPE_CHECKING:
    import argparse

HELP = "Convert a model on the disk: a folder of Hugging Face's transformers, or a safetensors file."
_FIELDS = {field.name: str(field.type) for field in dataclasses.fields(Compression)}


@dataclasses.dataclass(frozen=True)
class Job:
    """The task, and the layers to do it with."""

    config: Compression
    chosen: Callable[[Any, str], bool]
    plan: bool
    merge: bool


def add_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add `compress`."""
    parser = commands.add_parser("compress", help=HELP, description=HELP)
    parser.add_argument("source", type=Path, help="A folder with config.json, or a .safetensors file.")
    parser.add_argument("--out", type=Path, help="Folder or file to write. [SOURCE-compressed or SOURCE-merged]")
    parser.add_argument("--plan", action="store_true", help="Show what would be done, and write nothing.")
    parser.add_argument("--merge", action="store_true", help="The way back: a model of dense layers alone.")
    parser.add_argument("--include", help="Regular expression: only layers in whose names it is found.")
    parser.add_argument("--exclude", help="Regular expression: not the layers in whose names it is found.")
    parser.add_argument("--json", action="store_true", help="Print the report as JSON.")
    texts = dict(re.findall(r"^ +(\w+): (.+)$", Compression.__doc__ or "", re.MULTILINE))
    for name, kind in _FIELDS.items():
        option = f"--{name.replace('_', '-')}"
        help = f"{texts.get(name, '')} [{getattr(Compression(), name)}]".replace("%", "%%")
        if kind == "bool":
            parser.add_argument(option, action="store_true", help=help)
        else:
            parser.add_argument(option, type=_parser_of(kind), help=help)
    parser.set_defaults(command=run)


def _parser_of(kind: str) -> Callable[[str], Any]:
    """Return the function that reads a field; `none` where the field may be `None`."""
    read: Callable[[str], Any] = {"str": str, "int": int, "float": float}[kind.removesuffix(" | None")]

    def convert(text: str) -> Any:
        return None if kind.endswith("None") and text.lower() == "none" else read(text)

    convert.__name__ = read.__name__  # argparse names it where the text is no number
    return convert


def run(values: Mapping[str, Any]) -> int:
    """Convert or merge, show the report, write the result; return the exit status."""
    source: Path = values["source"]
    job = Job(_config(values), _chooser(values), values.get("plan", False), values.get("merge", False))
    convert = _folder.convert if source.is_dir() else _file.convert
    out = values.get("out") or _default_target(source, "-merged" if job.merge else "-compressed")
    if not job.plan and os.path.lexists(out):
        raise ValueError(f"--out must name what does not exist yet, got {out}")
    console = _output.console()
    if job.plan:
        _show(console, convert(source, None, job), values)
        return 0
    partial = out.with_name(f"{out.name}.{os.getpid()}.part")
    try:
        result = convert(source, partial, job)
        os.replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if partial.is_file():
            partial.unlink()
    _show(console, result, values)
    if not values.get("json"):
        console.print(f"Written: {out}. {_next(source.is_dir(), out, job)}", soft_wrap=True)
    return 0


def _config(values: Mapping[str, Any]) -> Compression:
    given = {name: values[name] for name in _FIELDS if name in values}
    if values.get("merge") and (given or values.get("plan")):
        raise ValueError(f"--merge takes no options of a conversion, got --{next(iter(given), 'plan')}")
    return Compression(**given)


def _chooser(values: Mapping[str, Any]) -> Callable[[Any, str], bool]:
    include, exclude = _pattern("include", values), _pattern("exclude", values)
    return lambda module, name: (
        (include is None or bool(include.search(name))) and not (exclude is not None and exclude.search(name))
    )


def _pattern(name: str, values: Mapping[str, Any]) -> re.Pattern[str] | None:
    try:
        return re.compile(values[name]) if name in values else None
    except re.error as error:
        raise ValueError(f"--{name} must be a regular expression, got {values[name]!r}: {error}") from None


def _default_target(source: Path, ending: str) -> Path:
    source = Path(os.path.abspath(source))  # `.` has a name too, and a symbolic link its own
    return source.with_name(f"{source.name}{ending}" if source.is_dir() else f"{source.stem}{ending}{source.suffix}")


def _show(console: Any, result: Report | tuple[str, ...], values: Mapping[str, Any]) -> None:
    if values.get("json"):
        found = result.to_dict() if isinstance(result, Report) else {"merged": [*result]}
        print(json.dumps(found, indent=1))
    elif isinstance(result, Report):
        console.print(result if console.is_terminal else str(result), soft_wrap=True)
    else:
        console.print(f"{len(result)} layers merged: {', '.join(result)}", soft_wrap=True)


def _next(folder: bool, out: Path, job: Job) -> str:
    if job.merge:
        return "It needs this library no more."
    if folder:
        return "Its README.md says how to load it. The new layers start anew: train it."
    return f"Load it with lw.load(model, {str(out)!r}), model as it was. The new layers start anew: train it."
