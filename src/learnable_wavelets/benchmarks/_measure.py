"""The timing loop: every candidate once a round, so that a drift of the machine affects all alike."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil

Call = Callable[[], object]
Clock = Callable[[Call, int], float]  # the seconds that so many calls take
Times = dict[str, list[float]]  # seconds per call, by round; equal lengths

SLICE = (
    0.002  # seconds: calls that are shorter are repeated within a round, so that the clock's resolution does not matter
)
MOST_CALLS = 10_000
LEAST_ROUNDS = 5


def measure(calls: Mapping[str, Call], clock: Clock, seconds: float) -> Times:
    """Time `calls` in interleaved rounds.

    Args:
        calls: the candidates by name.
        clock: times a number of calls.
        seconds: how long to measure, for each candidate on average; there are at least `LEAST_ROUNDS` rounds.
    """
    with _no_garbage_collection():
        repeats = {name: _repeats(call, clock) for name, call in calls.items()}
        times: Times = {name: [] for name in calls}
        left, rounds = seconds * len(calls), 0
        while left > 0 or rounds < LEAST_ROUNDS:
            for name, call in calls.items():
                if repeats[name] > 1:
                    left -= clock(call, 1)  # untimed: brings its data back into the caches
                took = clock(call, repeats[name])
                times[name].append(took / repeats[name])
                left -= took
            rounds += 1
    return times


def _repeats(call: Call, clock: Clock) -> int:
    """Choose the calls of a round by the second call: the first one pays for allocations and lazy set-up."""
    clock(call, 1)
    once = clock(call, 1)
    return max(1, min(MOST_CALLS, ceil(SLICE / once))) if once > 0 else MOST_CALLS


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
