"""A folder of Hugging Face's transformers: load, convert or merge, save with everything else that lies in it."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..compress import Report, compress_, merge_, plan

if TYPE_CHECKING:
    from ._command import Job

_WRITTEN = ("config.json", "generation_config.json", "README.md")
_WEIGHTS = (".safetensors", ".bin", ".index.json", ".part")


def convert(source: Path, out: Path | None, job: Job) -> Report | tuple[str, ...]:
    """Return the report, or the names of the layers that were merged; write a folder, if one is given."""
    kind, compressed = _kind_of(source)
    if job.plan or out is None:
        whole = compressed or job.config.min_speedup is not None
        return plan(_load(kind, source) if whole else _skeleton(kind, source), job.config, job.chosen)
    model = _load(kind, source)
    if job.merge:
        result: Report | tuple[str, ...] = merge_(model, job.chosen)
    else:
        result = compress_(model, job.config, job.chosen)
    model.save_pretrained(out)
    for path in sorted(source.iterdir()):
        if path.name in _WRITTEN or path.name.endswith(_WEIGHTS):
            continue
        if path.is_file():
            shutil.copy2(path, out)
        elif path.is_dir() and not path.name.startswith((".", "checkpoint-")):  # as `1_Pooling`, but not `.git`
            shutil.copytree(path, out / path.name, ignore=shutil.ignore_patterns("*.part"), dirs_exist_ok=True)
    _write_card(source, out, model, Path(os.path.abspath(source)).name, job.merge)
    return result


def _kind_of(source: Path) -> tuple[Any, bool]:
    """Return the class of the model in a folder, and if the model is compressed or quantised already."""
    path = source / "config.json"
    if not path.is_file():
        raise ValueError(f"{source} must have a config.json of transformers")
    try:
        import transformers

        importlib.import_module("learnable_wavelets.integrations.transformers")
    except ImportError as error:
        hint = 'pip install "learnable-wavelets[integrations]"'
        raise ValueError(f"a folder needs transformers: {hint} ({error})") from None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        names = values.get("architectures")
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} must be a configuration of transformers: {error}") from None
    kind: Any = getattr(transformers, str(names[0]), None) if isinstance(names, list) and names else None
    known = isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)
    if not known:
        raise ValueError(f"{path} must have `architectures` with a class of transformers, got {names}")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return kind, "quantization_config" in values


def _load(kind: Any, source: Path) -> Any:
    try:
        return kind.from_pretrained(source, local_files_only=True, dtype="auto")
    except Exception as error:  # of many kinds, for damaged weights as for a configuration that does not fit
        raise ValueError(f"{source} cannot be loaded by transformers: {error}") from error


def _skeleton(kind: Any, source: Path) -> Any:
    """Return the model on the meta device: a plan needs no weights."""
    config = kind.config_class.from_pretrained(source)
    with torch.device("meta"):
        return kind(config).to(getattr(config, "dtype", None) or torch.float32)


def _write_card(source: Path, out: Path, model: Any, name: str, merged: bool) -> None:
    """Write README.md: the text that was there, and how to load the model, if it needs more than before."""
    from ..integrations.transformers import CARD_HEADING, model_card

    before = source / "README.md"
    text = before.read_text(encoding="utf-8") if before.is_file() else ""
    text = text.partition(f"\n{CARD_HEADING}\n")[0].rstrip()
    if not merged:
        text = (text or f"---\nlibrary_name: transformers\n---\n\n# {name}") + "\n\n" + model_card(model)
    if text:
        (out / "README.md").write_text(text.rstrip() + "\n", encoding="utf-8")
