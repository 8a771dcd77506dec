"""The learning problems: the published definitions, and batches that depend on seed and step alone."""

import math
import re
from pathlib import Path

import pytest
import torch

from learnable_wavelets.experiments.spec import Task
from learnable_wavelets.experiments.tasks import (
    Adding,
    Characters,
    DataError,
    Images,
    Memory,
    _text,
    as_maps,
    as_sequences,
    as_short_sequences,
    as_vectors,
)
from learnable_wavelets.experiments.tasks._files import Content
from learnable_wavelets.experiments.tasks._images import MEAN, STD, held_out, shifted

from .conftest import CPU

TEXT = _text.Text("abcab" * 60, "cab" * 30, "bca" * 40, "toy", "a toy")


def tasks(few) -> list[Task]:
    return [
        Images(few, as_maps, 64, 0, CPU),
        Adding(12, 5, 30, CPU),
        Memory(7, 5, 30, CPU),
        Characters(TEXT, 4, 20, 5, CPU),
    ]


def test_batches_are_functions_of_seed_and_step(few) -> None:
    for task, again in zip(tasks(few), tasks(few), strict=True):
        later = again.batch(3, 7)  # asked for in another order, by another object
        for step in (0, 7):
            torch.manual_seed(step)
            batch = task.batch(3, step)
            assert all(map(torch.equal, batch, later)) == (step == 7), type(task)
        assert not torch.equal(task.batch(4, 7)[0], later[0]), type(task)


def test_losses_and_metrics_are_sums_over_examples(few) -> None:
    """So processes may share a batch, and parts of a split may differ in size."""
    torch.manual_seed(0)
    for task in tasks(few):
        inputs, targets = task.batch(0, 0)
        scores = {"Images": 10, "Adding": 1, "Memory": 10, "Characters": 3}[type(task).__name__]
        shape = (len(targets), scores) if isinstance(task, (Images, Adding)) else (*inputs.shape[:2], scores)
        outputs = torch.randn(shape)
        cut = len(targets) // 3
        for function in (lambda o, t, task=task: (task.loss(o, t),), task.measure):
            whole = function(outputs, targets)
            parts = zip(function(outputs[:cut], targets[:cut]), function(outputs[cut:], targets[cut:]), strict=True)
            for value, (one, other) in zip(whole, parts, strict=True):
                assert float(one + other) == pytest.approx(float(value), rel=1e-5)
        assert len(task.measure(outputs, targets)) == len(task.metrics)


def test_a_pass_shows_each_image_once(few) -> None:
    task = Images(few, as_maps, 64, 50, CPU)
    assert task.interval == 4
    seen = torch.cat([task.batch(0, step)[0] for step in range(4, 8)])
    assert sorted(seen.flatten(1).sum(1).tolist()) == sorted(task.train[0].flatten(1).sum(1).tolist())


def test_published_order_is_that_of_the_files(few) -> None:
    task = Images(few, as_sequences, 64, 0, CPU, shuffle=False)
    assert torch.equal(task.batch(0, 5)[0], task.train[0][64:128])


def test_held_out_images_do_not_train(few) -> None:
    task = Images(few, as_maps, 64, 50, CPU)
    assert [len(task.train[1]), len(task.validation[1]), len(task.test[1])] == [200, 50, 200]
    train = {tuple(image.flatten().tolist()) for image in task.train[0]}
    assert not any(tuple(image.flatten().tolist()) in train for image in task.validation[0])
    assert held_out(10, 3).nonzero()[0].tolist() == [0, 3, 6]
    assert not held_out(10, 0).any()
    with pytest.raises(ValueError, match="`validation` must be between 0 and 9, for 10 images, got 10"):
        held_out(10, 10)


def test_shapes_of_images(sample) -> None:
    small = sample._replace(train_images=sample.train_images[:4], train_labels=sample.train_labels[:4])
    maps = Images(small, as_maps, 2, 0, CPU).train[0]
    assert maps.shape == (4, 1, 28, 28)
    vectors = Images(small, as_vectors, 2, 0, CPU).train[0]
    assert vectors.shape == (4, 1024)
    square = vectors.view(4, 32, 32)
    assert torch.equal(square[:, 2:-2, 2:-2], maps[:, 0])
    assert float(square[0, 0, 0]) == pytest.approx(-0.1307 / 0.3081)  # the background, after normalisation
    assert torch.equal(Images(small, as_sequences, 2, 0, CPU).train[0].view(4, 28, 28), maps[:, 0])
    short = Images(small, as_short_sequences, 2, 0, CPU).train[0]
    assert short.shape == (4, 196, 1)
    assert float(short.mean()) == pytest.approx(float(maps.mean()), abs=1e-5)


def test_normalisation(sample) -> None:
    images = Images(sample, as_maps, 64, 0, CPU).train[0]
    assert abs(float(images.mean())) < 0.01
    assert abs(float(images.std()) - 1) < 0.01


def test_shifted_maps() -> None:
    background = -MEAN / STD
    maps = torch.full((200, 1, 9, 7), background)
    maps[:, 0, 4, 3] = torch.arange(200.0) + 1  # a dot in the middle of each
    moved = shifted(maps, 2, torch.Generator().manual_seed(0))
    assert moved.shape == maps.shape
    where = (moved != background).nonzero()
    assert torch.equal(where[:, 0], torch.arange(200))  # one dot is left in each, the same
    torch.testing.assert_close(moved[tuple(where.T)], torch.arange(200.0) + 1)
    steps = where[:, 2:] - torch.tensor([4, 3])
    assert {tuple(step) for step in steps.tolist()} == {(i, j) for i in range(-2, 3) for j in range(-2, 3)}


def test_training_images_alone_are_shifted(few) -> None:
    still, moving = (Images(few, as_maps, 50, 50, CPU, shift=shift) for shift in (0, 1))
    x, labels = still.batch(3, 1)
    y, same = moving.batch(3, 1)
    assert torch.equal(labels, same)
    assert not torch.equal(x, y)
    assert torch.equal(y, moving.batch(3, 1)[0])
    assert torch.equal(moving.validation[0], still.validation[0])
    assert torch.equal(moving.test[0], still.test[0])


def test_adding() -> None:
    task = Adding(9, 2000, 30, CPU)
    inputs, targets = task.batch(0, 0)
    values, marks = inputs.unbind(-1)
    assert inputs.shape == (2000, 9, 2)
    assert torch.equal(marks[:, :4].sum(1), torch.ones(2000))  # one in each half
    assert torch.equal(marks[:, 4:].sum(1), torch.ones(2000))
    assert (marks.sum(0) > 0).all()
    assert 0 <= float(values.min()) < 0.01
    assert 0.99 < float(values.max()) < 1
    torch.testing.assert_close(targets, (values * marks).sum(1))
    mse, right = task.measure(torch.ones(2000, 1), targets)  # always 1: the trivial answer
    assert float(mse) / 2000 == pytest.approx(1 / 6, rel=0.1)
    assert 0 < float(right) / 2000 < 0.2


def test_memory() -> None:
    task = Memory(7, 500, 30, CPU)
    inputs, targets = task.batch(0, 0)
    assert inputs.shape == (500, 27, 10)
    symbols = inputs.argmax(-1)
    assert torch.equal(symbols[:, :10], targets[:, -10:])
    assert set(symbols[:, :10].unique().tolist()) == set(range(1, 9))
    assert symbols[0, 10:].tolist() == [0] * 6 + [9] + [0] * 10
    assert not targets[:, :-10].any()
    # knowing all but the symbols: the published trivial cross-entropy, 10 ln 8 / (T + 20)
    trivial = torch.full((500, 27, 10), -50.0)
    trivial[:, :-10, 0] = 50.0
    trivial[:, -10:, 1:9] = 50.0
    loss, right = task.measure(trivial, targets)
    assert float(loss) / 500 == pytest.approx(10 * math.log(8) / 27, rel=1e-5)
    assert float(right) / 500 == pytest.approx(1 / 8, abs=0.02)
    perfect = torch.nn.functional.one_hot(targets, 10).float() * 99
    assert float(task.measure(perfect, targets)[1]) == 500


def test_held_out_sequences_are_the_same_for_every_seed_and_not_those_of_training() -> None:
    one, other = Adding(12, 5, 1_500, CPU), Adding(12, 5, 1_500, CPU)
    assert [len(targets) for _, targets in one.parts("test")] == [1_000, 500]
    assert torch.equal(one.parts("test")[1][0], other.parts("test")[1][0])
    assert not torch.equal(one.parts("test")[0][0], one.parts("validation")[0][0])


def test_an_evaluation_of_characters_may_read_the_start_of_a_split() -> None:
    text = TEXT._replace(valid="cab" * 2_000, test="bca" * 2_000)
    whole, start = (Characters(text, 4, 20, 5, CPU, limits) for limits in ({}, {"validation": 2}))
    assert [len(whole.parts(split)) for split in ("validation", "test")] == [4, 4]
    assert [len(start.parts(split)) for split in ("validation", "test")] == [2, 4]
    for part, other in zip(start.parts("validation"), whole.parts("validation")[:2], strict=True):
        assert torch.equal(part[0], other[0])


def test_characters() -> None:
    task = Characters(TEXT, 4, 20, 5, CPU)
    assert task.symbols == 3
    inputs, targets = task.batch(0, 0)
    assert inputs.shape == targets.shape == (4, 20)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    text = [TEXT.alphabet.index(character) for character in TEXT.test]
    counted = [symbol for _, part in task.parts("test") for window in part for symbol in window[5:].tolist()]
    assert counted == text[6 : 6 + len(counted)]  # each once, in order
    assert len(text) - len(counted) < 6 + 15
    assert task.interval == -(-300 // (4 * 15))
    sure = torch.nn.functional.one_hot(targets, 3).float()
    sure[:, :5] = 0.0  # the first five do not count
    bits, right = task.measure(99 * sure, targets)
    assert (float(bits), float(right)) == (pytest.approx(0, abs=1e-6), 4.0)
    bits, _ = task.measure(torch.zeros(4, 20, 3), targets)
    assert float(bits) / 4 == pytest.approx(math.log2(3))


def test_text_that_is_too_short() -> None:
    with pytest.raises(ValueError, match="each split of the text must be longer than 90 characters"):
        Characters(TEXT, 4, 90, 5, CPU)


def test_text_sample() -> None:
    text = _text.load_text("sample")
    assert text.name == "sotu-sample"
    assert text.train.startswith("fellow-citizens of the senate and house of representatives")
    assert len(text.train) > 800_000
    assert min(len(text.valid), len(text.test)) > 40_000
    assert 40 < len(text.alphabet) <= 52
    assert "a sample (as asked): " in text.source


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_text, "folders", lambda: [tmp_path])
    return tmp_path


def test_whole_text_or_sample(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip
    import hashlib

    assert _text.load_text().name == "sotu-sample"
    with pytest.raises(DataError, match=r"put train\.txt\.gz, .* into a folder sotu/ of LEARNABLE_WAVELETS_DATA"):
        _text.load_text("full")
    (root / "sotu").mkdir()
    for name in _text.FILES:
        (root / "sotu" / f"{name}.txt.gz").write_bytes(gzip.compress(f"{name} text".encode()))
    with pytest.raises(DataError, match=r"train\.txt\.gz is damaged"):
        _text.load_text()
    contents = {name: f"{name} text".encode() for name in _text.FILES}
    files = {name: Content(len(raw), hashlib.sha256(raw).hexdigest()) for name, raw in contents.items()}
    monkeypatch.setattr(_text, "FILES", files)
    text = _text.load_text("full")
    assert (text.train, text.valid, text.test, text.name) == ("train text", "valid text", "test text", "sotu")


def test_damaged_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_text, "SAMPLE_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"sotu-sample\.xz is damaged: SHA-256 should be 0{64}, got [0-9a-f]{64}$"):
        _text.load_text("sample")


@pytest.mark.parametrize(("prefix", "name", "end"), [("ptb.", "ptb", "<eos>"), ("", "own", "\n")])
def test_own_folder(prefix: str, name: str, end: str, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"`text` must be a folder with ptb\.train\.txt \(or train\.txt\), valid and test"
    ):
        _text.load_text(folder=tmp_path)
    for part in ("train", "valid", "test"):
        (tmp_path / f"{prefix}{part}.txt").write_text(f" the {part} \n")
    text = _text.load_text(folder=tmp_path)
    assert text.train == f" the train {end}"
    assert re.fullmatch(f"{name}-[0-9a-f]{{8}}", text.name)


def test_unknown_choice() -> None:
    with pytest.raises(ValueError, match="`data` must be one of auto, full, sample; got 'half'"):
        _text.load_text("half")
