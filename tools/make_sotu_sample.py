"""Make the sample of the State of the Union text that is embedded in the package.

    python tools/make_sotu_sample.py FOLDER_WITH_THE_THREE_TXT_GZ_FILES

The rule: of each split, in file order, the first 4,000 characters of every speech, cut at the last space among them.
The result is the three texts with a zero character between, compressed with xz. Its checksum, printed at the end,
belongs into `experiments/tasks/_text.py`.
"""

import argparse
import hashlib
import lzma
from pathlib import Path

from learnable_wavelets.experiments.tasks import _files, _text

KEPT = 4_000
TARGET = Path(__file__).parents[1] / "src/learnable_wavelets/experiments/data" / _text.SAMPLE_NAME


def sample(folder: Path) -> str:
    """Join the three shortened texts."""
    parts = []
    for name, content in _text.FILES.items():
        speeches = _files.read_gz(folder / f"{name}.txt.gz", content).decode().splitlines()
        parts.append("".join(f"{speech[:KEPT].rsplit(' ', 1)[0]}\n" for speech in speeches))
    return _text.SEPARATOR.join(parts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    packed = lzma.compress(sample(parser.parse_args().folder).encode(), preset=9 | lzma.PRESET_EXTREME)
    TARGET.write_bytes(packed)
    print(f"{TARGET.name}: {len(packed):,} bytes, SHA-256 {hashlib.sha256(packed).hexdigest()}")
