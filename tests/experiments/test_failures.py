"""Broken data, folders and disks: one line, exit status 2, nothing hangs."""

import gzip
import json
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from learnable_wavelets._output import write_atomic
from learnable_wavelets.experiments.report import write_all
from learnable_wavelets.experiments.tasks import DataError, _files, _mnist, load_mnist, load_text
from learnable_wavelets.experiments.tasks._files import Content, read_gz

from .test_cli import command
from .test_results import run

IMAGES = "train-images-idx3-ubyte.gz"
RUN = ("reproduce", "mnist", "--layer", "wavelet", "--epochs", 1, "--checkpoint-seconds", 0, "--out")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the folder of MNIST in an empty data folder."""
    monkeypatch.setenv("LEARNABLE_WAVELETS_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    return folder


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_directory(path: Path) -> None:
    path.mkdir()


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_socket(path: Path) -> None:
    """By a short name: a socket's address has little room."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name[:40])
    finally:
        os.chdir(before)
    path.with_name(path.name[:40]).rename(path)


SPECIAL = {"a FIFO": make_fifo, "a directory": make_directory, "a device": make_device, "a socket": make_socket}


@pytest.mark.parametrize(("kind", "make"), SPECIAL.items(), ids=SPECIAL)
def test_special_files_among_the_data(
    kind: str, make, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(data / IMAGES)
    assert command(monkeypatch, *RUN, tmp_path / "out") == 2
    assert f"{data / IMAGES} must be a regular file, is {kind}" in one_line(capsys)
    (text := tmp_path / "text").mkdir()
    make(text / "train.txt")
    with pytest.raises(ValueError, match=rf"train\.txt must be a regular file, is {kind}"):
        load_text(folder=text)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["{run}.json", "{run}.jsonl", "{run}.checkpoint"])
def test_special_files_among_the_results(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = "mnist-paper-wavelet-db2-periodization-level-5-sample-e1x4-s0"
    (tmp_path / "runs").mkdir()
    make_fifo(tmp_path / "runs" / name.format(run=run))
    assert command(monkeypatch, *RUN, tmp_path, *(("--resume",) if "checkpoint" in name else ())) == 2
    assert "must be a regular file, is a FIFO" in one_line(capsys)


def test_a_gzip_bomb_is_not_unpacked(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gzip.open(data / IMAGES, "wb", compresslevel=1) as file:
        for _ in range(16):
            file.write(bytes(1 << 22))
    monkeypatch.setattr(_mnist, "FILES", {**_mnist.FILES, IMAGES.removesuffix(".gz"): Content(1000, "0" * 64)})
    asked = []

    class Bounded(gzip.GzipFile):
        def read(self, size: int | None = -1) -> bytes:
            asked.append(size)
            return super().read(size)

    monkeypatch.setattr(_files.gzip, "open", Bounded)
    with pytest.raises(DataError, match=rf"{IMAGES} is damaged: it holds more than 1,000 bytes"):
        load_mnist()
    assert asked == [1001]


def test_sizes_of_the_full_set() -> None:
    """28 x 28 bytes an image, one a label, and the header."""
    sizes = [content.size for content in _mnist.FILES.values()]
    assert sizes == [16 + 784 * 60_000, 8 + 60_000, 16 + 784 * 10_000, 8 + 10_000]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged: SHA-256 should be 0{64}, got "),
        (b"no gzip", "is damaged: decompression stopped: Not a gzipped file"),
        (gzip.compress(b"abc" * 99)[:-9], "is damaged: decompression stopped: "),
        (gzip.compress(b"abc" * 99)[:-8] + bytes(8), "is damaged: decompression stopped: CRC check failed"),
        (gzip.compress(b"abc" * 99) + b"more", "is damaged: decompression stopped: "),
        (gzip.compress(b"abc" * 99)[:12] + b"\xff" * 30, "is damaged: decompression stopped: "),
        (gzip.compress(b"abc" * 100), "is damaged: it holds more than 297 bytes"),
    ],
    ids=["empty", "no gzip", "truncated", "checksum", "trailing", "stream", "long"],
)
def test_damaged_gzip(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"x\.gz {message}"):
        read_gz(path, Content(297, "0" * 64))


def test_a_text_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"train\.txt must be UTF-8 text: "):
        load_text(folder=tmp_path)


def test_a_text_without_a_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (tmp_path / "train.txt").write_text("abc")
    words = ("reproduce", "char-lm", "--text", tmp_path, "--out", tmp_path / "out")
    assert command(monkeypatch, *words) == 2
    assert "valid.txt" in one_line(capsys)


@pytest.mark.usefixtures("small")
def test_an_out_folder_below_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        assert command(monkeypatch, *RUN, out) == 2
        assert str(tmp_path / "file") in one_line(capsys)


@pytest.mark.usefixtures("small")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_out_folder_that_is_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (out := tmp_path / "out").mkdir(mode=0o500)
    assert command(monkeypatch, *RUN, out) == 2
    assert "Permission denied" in one_line(capsys)


@contextmanager
def file_size(limit: int) -> Iterator[None]:
    """Let writes beyond `limit` bytes of a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("limit", "seconds", "stopped_at"),
    [
        (20, 3600, ".jsonl"),
        (1000, 0, ".checkpoint"),
        (1000, 3600, "-s0.json"),
        (20_000, 3600, "-s0.png"),
    ],
)
def test_a_full_disk(
    limit: int, seconds: int, stopped_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    words = (*RUN, tmp_path / "out", "--checkpoint-seconds", seconds)
    with file_size(limit):
        assert command(monkeypatch, *words) == 2
    error = one_line(capsys)
    assert "File too large: " in error or "No space left on device: " in error  # a part of the line was written
    assert error.rstrip().endswith(f"{stopped_at}'")
    assert not list(tmp_path.glob("**/*.part"))
    assert command(monkeypatch, *words) == 0  # goes through when there is room again


DAMAGE = {
    "its history must have epoch, train_loss, seconds, got None": {"history": []},
    "its history must have epoch, train_loss, seconds, got {'epoch': 1}": {"history": [{"epoch": 1}]},
    "its history must have epoch, train_loss, seconds, got 3": {"history": [3]},
    "its last is None": {"last": None},
    "its parameters is many": {"parameters": "many"},
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damaged_records(message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    write_atomic(tmp_path / "runs" / "0.json", json.dumps(run(1.0, 0) | DAMAGE[message]))
    assert command(monkeypatch, "table", tmp_path) == 2
    assert f"0.json is not the record of a run: {message}" in one_line(capsys)


def test_a_record_that_is_too_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    write_atomic(tmp_path / "runs" / "0.json", "[" * 100_000)
    assert command(monkeypatch, "table", tmp_path) == 2
    assert "0.json is not JSON: maximum recursion depth" in one_line(capsys)


def test_metrics_that_are_not_known_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    for seed, last in enumerate(({"novel": 0.25}, {}, {"error": 2.0})):
        record = run(1.0, seed, f"layer {seed}", last=last)
        write_atomic(tmp_path / "runs" / f"{seed}.json", json.dumps(record))
    assert command(monkeypatch, "table", tmp_path) == 0
    assert "test novel" in (tmp_path / "table.md").read_text()


def test_a_link_is_followed_and_permissions_stay(tmp_path: Path) -> None:
    file, link = tmp_path / "folder" / "file", tmp_path / "link"
    link.symlink_to(file)
    for content, mode in (("new", 0o600), ("newer", 0o640)):
        write_atomic(link, content)
        assert (link.is_symlink(), file.read_text()) == (True, content)
        assert file.stat().st_mode & 0o777 != mode
        file.chmod(mode)
        write_atomic(file, content)
        assert file.stat().st_mode & 0o777 == mode
    assert [path.name for path in file.parent.iterdir()] == ["file"]


@pytest.mark.parametrize(("kind", "make"), SPECIAL.items(), ids=SPECIAL)
def test_special_files_are_not_replaced(kind: str, make, tmp_path: Path) -> None:
    make(tmp_path / "x")
    before = (tmp_path / "x").lstat()
    with pytest.raises(ValueError, match=f"x must be a regular file, is {kind}"):
        write_atomic(tmp_path / "x", "text")
    assert (tmp_path / "x").lstat() == before


def test_a_full_disk_for_table_and_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    write_atomic(tmp_path / "runs" / "0.json", json.dumps(run(1.0, 0)))
    for limit, name in ((10, "table.md"), (5000, "mnist-curves.png")):
        with file_size(limit):
            assert command(monkeypatch, "table", tmp_path) == 2
        assert name in one_line(capsys)
    assert len(write_all(tmp_path)) == 1
