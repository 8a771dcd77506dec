"""Text as characters: the State of the Union addresses, a sample of them inside the package, or a user's own folder."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from ..._checks import check_choice
from ..._output import read_text
from ._files import CHOICES, FOLDER_VARIABLE, Content, DataError, folders, read_gz, read_sample

FILES = {
    "train": Content(9_805_003, "3da84ddb61659ae7cfa5f83bc4fb96291e7a8b5fe511a50a9a07f21e13bc8ea4"),
    "valid": Content(464_527, "5e6b02a3deddff9c9ec4beb031599f044fdae93f7690a17f2201d2b41eb3a2d6"),
    "test": Content(490_252, "63ac36bdc4ba432def042c28f7c3193e6d8a35e0e629ba633ba8f1ee8b2ba8e6"),
}
SAMPLE_NAME = "sotu-sample.xz"
SAMPLE_SHA256 = "e67eab915ece04e67a08b5cc0c5260ecf61a25467ba2dbe748145bbbca821dc8"
SEPARATOR = "\0"


class Text(NamedTuple):
    """Three splits, and their origin."""

    train: str
    valid: str
    test: str
    name: str
    source: str

    @property
    def alphabet(self) -> list[str]:
        """Sort all characters of the three splits."""
        return sorted(set(self.train) | set(self.valid) | set(self.test))


def load_text(data: str = "auto", folder: Path | None = None) -> Text:
    """Load the State of the Union text (`auto`: all of it if it is at hand, else the sample), or that of `folder`.

    The full text is looked for in `sotu/` of the folder that `LEARNABLE_WAVELETS_DATA` names and of the cache.

    Raises:
        DataError: a file is damaged or missing, or `full` is not at hand.
        ValueError: `data` is none of the choices, or a file of `folder` is not UTF-8 text.
    """
    check_choice("data", data, CHOICES)
    if folder is not None:
        return _own(folder)
    found = next((root / "sotu" for root in folders() if (root / "sotu").is_dir()), None)
    if data == "sample" or (data == "auto" and found is None):
        why = "as asked" if data == "sample" else f"no sotu/ in ${FOLDER_VARIABLE} or in the cache"
        parts = read_sample(SAMPLE_NAME, SAMPLE_SHA256).decode().split(SEPARATOR)
        return _text(parts, "sotu-sample", f"State of the Union addresses, a sample ({why})")
    if found is None:
        raise DataError(
            f"the State of the Union text cannot be downloaded: put train.txt.gz, valid.txt.gz and test.txt.gz into "
            f"a folder sotu/ of {FOLDER_VARIABLE}, or use --data sample"
        )
    parts = [read_gz(found / f"{name}.txt.gz", content).decode() for name, content in FILES.items()]
    return _text(parts, "sotu", f"State of the Union addresses from {found}")


def _text(parts: list[str], name: str, source: str) -> Text:
    train, valid, test = parts
    text = Text(train, valid, test, name, "")
    counts = " / ".join(f"{len(part):,}" for part in parts)
    return text._replace(source=f"{source}: {counts} characters, alphabet of {len(text.alphabet)}")


def _own(folder: Path) -> Text:
    """Read `train`, `valid` and `test`; with the Penn Treebank's prefix `ptb.` line ends become `<eos>`."""
    for prefix in ("ptb.", ""):
        paths = [folder / f"{prefix}{name}.txt" for name in FILES]
        if paths[0].exists():
            parts = [read_text(path).replace("\n", "<eos>" if prefix else "\n") for path in paths]
            # runs on different texts must have different names
            digest = hashlib.sha256(SEPARATOR.join(parts).encode()).hexdigest()[:8]
            return _text(parts, f"{prefix.rstrip('.') or 'own'}-{digest}", f"text from {folder}")
    raise DataError(f"`text` must be a folder with ptb.train.txt (or train.txt), valid and test, got {folder}")
