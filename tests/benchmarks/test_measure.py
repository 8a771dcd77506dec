"""The timing loop with a fake clock."""

import gc

import pytest

from learnable_wavelets.benchmarks import _measure


class Clock:
    """Every call takes the time its candidate says; the log keeps who ran, and how often."""

    def __init__(self):
        self.log = []

    def __call__(self, call, repeats):
        name, seconds = call()
        self.log.append((name, repeats))
        return repeats * seconds


@pytest.fixture
def clock():
    return Clock()


def test_rounds_are_interleaved_and_cover_the_time_asked_for(clock):
    times = _measure.measure({"a": lambda: ("a", 0.125), "b": lambda: ("b", 0.375)}, clock, seconds=2.0)
    assert clock.log[:4] == [("a", 1), ("a", 1), ("b", 1), ("b", 1)]  # warm-up and estimate
    assert clock.log[4:] == [("a", 1), ("b", 1)] * 8  # 4 seconds for two candidates in rounds of 0.5
    assert times == {"a": [0.125] * 8, "b": [0.375] * 8}


def test_a_slow_candidate_gets_the_least_number_of_rounds(clock):
    times = _measure.measure({"slow": lambda: ("slow", 9.0)}, clock, seconds=0.0)
    assert times == {"slow": [9.0] * _measure.LEAST_ROUNDS}


def test_short_calls_are_repeated_after_an_untimed_one_and_reported_per_call(clock):
    seconds = _measure.SLICE / 8
    times = _measure.measure({"a": lambda: ("a", seconds)}, clock, seconds=0.0)
    assert clock.log[2:] == [("a", 1), ("a", 8)] * _measure.LEAST_ROUNDS
    assert times["a"] == pytest.approx([seconds] * _measure.LEAST_ROUNDS)


def test_a_clock_that_sees_nothing_ends(clock):
    _measure.measure({"a": lambda: ("a", 0.0)}, clock, seconds=0.0)
    assert max(clock.log)[1] == _measure.MOST_CALLS


def test_the_first_call_does_not_count_for_the_estimate():
    took = iter([1.0] + [_measure.SLICE / 4] * 3)
    assert _measure._repeats(lambda: None, lambda call, repeats: next(took)) == 4


def test_garbage_collection_rests_meanwhile_and_returns_after_an_error():
    seen = []

    def fails(call, repeats):
        seen.append(gc.isenabled())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _measure.measure({"a": lambda: None}, fails, 0.1)
    assert seen == [False]
    assert gc.isenabled()
