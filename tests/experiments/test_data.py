import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pooch
import pytest

from learnable_wavelets.experiments.tasks import DataError, Mnist, _mnist, load_mnist
from learnable_wavelets.experiments.tasks._files import Content

SHAPES = {"train-images": (6, 28, 28), "train-labels": (6,), "t10k-images": (4, 28, 28), "t10k-labels": (4,)}


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four small IDX files by name, whose checksums stand in for those of the full set."""
    generator = np.random.default_rng(0)
    files = {}
    for name in _mnist.FILES:
        shape = SHAPES[name.rsplit("-", 2)[0]]
        header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
        files[name] = header + generator.integers(0, 10, shape, dtype=np.uint8).tobytes()
    monkeypatch.setattr(
        _mnist, "FILES", {name: Content(len(raw), hashlib.sha256(raw).hexdigest()) for name, raw in files.items()}
    )
    return files


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set up an empty data folder, named by the environment variable; an empty cache; no network."""

    def no_network(url: str, **_: object) -> str:
        raise OSError(f"no route to {url}")

    monkeypatch.setenv("LEARNABLE_WAVELETS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(pooch, "os_cache", lambda _: tmp_path / "cache")
    monkeypatch.setattr(pooch, "retrieve", no_network)
    return tmp_path / "data"


def lay(folder: Path, contents: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, raw in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(raw))


def test_sample_is_mnist_of_the_promised_size(sample: Mnist) -> None:
    assert sample.train_images.shape == (8_572, 28, 28)
    assert sample.test_images.shape == (2_000, 28, 28)
    assert min(np.bincount(sample.train_labels, minlength=10)) > 750
    assert min(np.bincount(sample.test_labels, minlength=10)) > 150
    # MNIST begins 5 0 4 1 9 2 1 3 and, in the test set, 7 2 1 0 4 1: numbers 0 and 7, and 0 and 5, are in the sample.
    assert sample.train_labels[:2].tolist() == [5, 3]
    assert sample.test_labels[:2].tolist() == [7, 1]
    # As bright as the whole. (Every 6th image would be .123: even and odd numbers come from different writers.)
    assert sample.train_images.mean() / 255 == pytest.approx(0.1307, abs=0.001)
    file = Path(_mnist.__file__).parents[1] / "data" / _mnist.SAMPLE_NAME
    assert file.stat().st_size < 2_000_000


@pytest.mark.parametrize("below", [".", "mnist"])
def test_full_set_from_the_folder(root: Path, contents: dict[str, bytes], below: str) -> None:
    lay(root / below, contents)
    data = load_mnist()
    assert data.name == "full"
    assert data.train_images.shape == (6, 28, 28)
    assert data.test_images.tobytes() == contents["t10k-images-idx3-ubyte"][16:]
    assert data.test_labels.tobytes() == contents["t10k-labels-idx1-ubyte"][8:]
    assert load_mnist("sample").name == "sample"


def test_full_set_from_the_cache(root: Path, contents: dict[str, bytes]) -> None:
    lay(root.parent / "cache" / "mnist", contents)
    assert load_mnist().name == "full"


def test_no_data_and_no_network_is_the_sample_and_says_so(root: Path) -> None:
    data = load_mnist()
    assert data.name == "sample"
    assert "sample inside the package, 8,572 training and 2,000 test images (no full set" in data.source


def test_damaged_file_is_named_with_both_checksums(root: Path, contents: dict[str, bytes]) -> None:
    name = "t10k-labels-idx1-ubyte"
    should, bad = _mnist.FILES[name].sha256, contents[name][:-1] + b"\x0b"
    lay(root, contents | {name: bad})
    with pytest.raises(DataError, match=rf"{name}\.gz is damaged: SHA-256 should be {should}, got ") as caught:
        load_mnist()
    assert hashlib.sha256(bad).hexdigest() in str(caught.value)


def test_truncated_file_is_named(root: Path, contents: dict[str, bytes]) -> None:
    lay(root, contents)
    path = root / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is damaged: decompression stopped: "):
        load_mnist()


def test_missing_file_is_named(root: Path, contents: dict[str, bytes]) -> None:
    lay(root, contents)
    (root / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz is missing"):
        load_mnist()


def test_damaged_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mnist, "SAMPLE_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"mnist-sample\.xz is damaged: SHA-256 should be 0{64}, got [0-9a-f]{64}$"):
        load_mnist("sample")


def test_unknown_choice() -> None:
    with pytest.raises(ValueError, match="`data` must be one of auto, full, sample; got 'half'"):
        load_mnist("half")


def test_full_without_network_says_what_to_do(root: Path) -> None:
    with pytest.raises(
        DataError, match=r"could not download train-images-idx3-ubyte\.gz .*no route.*LEARNABLE_WAVELETS_DATA"
    ):
        load_mnist("full")


def test_full_downloads_past_a_bad_mirror(
    root: Path, contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def retrieve(url: str, known_hash: None, fname: str, path: Path) -> str:
        if (path / fname).exists():  # without a hash, pooch takes whatever lies there
            return str(path / fname)
        asked.append(url)
        path.mkdir(parents=True, exist_ok=True)
        raw = contents[Path(url).stem] if url.startswith(_mnist.MIRRORS[1]) else b"an error page"
        (path / fname).write_bytes(gzip.compress(raw))
        return str(path / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert load_mnist("full").train_labels.shape == (6,)
    assert len(asked) == 8  # each file was refused once
    assert sorted(path.name for path in (root / "mnist").iterdir()) == sorted(f"{name}.gz" for name in contents)
    assert load_mnist("full").name == "full"
    assert len(asked) == 8  # and is not fetched again
    (root / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()  # as an interrupted download leaves it
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz is missing: complete .*, or use --data sample"):
        load_mnist()
    assert load_mnist("full").test_labels.shape == load_mnist("full").test_images.shape[:1]
    assert len(asked) == 10
