"""Text as characters: the State of the Union addresses, a sample of them inside the package, or a user's own folder."""

import hashlib
import lzma
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from ._data import CHOICES, FOLDER_VARIABLE, DataError, read_gz, roots

SOTU_SHA256 = {
    "train": "3da84ddb61659ae7cfa5f83bc4fb96291e7a8b5fe511a50a9a07f21e13bc8ea4",
    "valid": "5e6b02a3deddff9c9ec4beb031599f044fdae93f7690a17f2201d2b41eb3a2d6",
    "test": "63ac36bdc4ba432def042c28f7c3193e6d8a35e0e629ba633ba8f1ee8b2ba8e6",
}
SAMPLE_NAME = "sotu-sample.xz"
SAMPLE_SHA256 = "e67eab915ece04e67a08b5cc0c5260ecf61a25467ba2dbe748145bbbca821dc8"
SEPARATOR = "\0"


class Text(NamedTuple):
    """Three splits, with where they came from."""

    train: str
    valid: str
    test: str
    name: str
    source: str

    @property
    def alphabet(self) -> list[str]:
        """All characters of the three splits, sorted."""
        return sorted(set(self.train) | set(self.valid) | set(self.test))


def load_text(data: str = "auto", folder: Path | None = None) -> Text:
    """The State of the Union text (`auto`: the whole if it is at hand, else the sample), or that of `folder`.

    The whole is looked for in `sotu/` of the folder that `LEARNABLE_WAVELETS_DATA` names and of the cache.

    Raises:
        DataError: a file is damaged or missing, or `full` is not at hand.
        ValueError: `data` is none of the choices.
    """
    if data not in CHOICES:
        raise ValueError(f"`data` must be one of {', '.join(CHOICES)}, got {data!r}")
    if folder is not None:
        return _own(folder)
    found = next((root / "sotu" for root in roots() if (root / "sotu").is_dir()), None)
    if data == "sample" or (data == "auto" and found is None):
        return _sample("as asked" if data == "sample" else f"no sotu/ in ${FOLDER_VARIABLE} or in the cache")
    if found is None:
        raise DataError(
            f"the State of the Union text cannot be downloaded: lay train.txt.gz, valid.txt.gz and test.txt.gz into "
            f"a folder sotu/ of {FOLDER_VARIABLE}, or use --data sample"
        )
    train, valid, test = (read_gz(found / f"{name}.txt.gz", digest).decode() for name, digest in SOTU_SHA256.items())
    return _text(train, valid, test, "sotu", f"State of the Union addresses from {found}")


def _text(train: str, valid: str, test: str, name: str, source: str) -> Text:
    text = Text(train, valid, test, name, "")
    counts = " / ".join(f"{len(part):,}" for part in text[:3])
    return text._replace(source=f"{source}: {counts} characters, alphabet of {len(text.alphabet)}")


def _sample(why: str) -> Text:
    packed = resources.files(__package__).joinpath("data", SAMPLE_NAME).read_bytes()
    got = hashlib.sha256(packed).hexdigest()
    if got != SAMPLE_SHA256:
        raise DataError(f"{SAMPLE_NAME} is damaged: SHA-256 should be {SAMPLE_SHA256}, got {got}")
    train, valid, test = lzma.decompress(packed).decode().split(SEPARATOR)
    return _text(train, valid, test, "sotu-sample", f"State of the Union addresses, a sample ({why})")


def _own(folder: Path) -> Text:
    """`train`, `valid` and `test`, plain or with the Penn Treebank's `ptb.` before it and line ends as `<eos>`."""
    for prefix in ("ptb.", ""):
        paths = [folder / f"{prefix}{name}.txt" for name in ("train", "valid", "test")]
        if paths[0].exists():
            parts = [path.read_text(encoding="utf-8") for path in paths]
            if prefix:
                parts = [part.replace("\n", "<eos>") for part in parts]
            # a run on one text must never be taken for a run on another
            digest = hashlib.sha256(SEPARATOR.join(parts).encode()).hexdigest()[:8]
            name = f"{prefix.rstrip('.') or 'own'}-{digest}"
            return _text(parts[0], parts[1], parts[2], name, f"text from {folder}")
    raise DataError(f"`text` must be a folder with ptb.train.txt (or train.txt), valid and test, got {folder}")
