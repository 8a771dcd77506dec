"""The layers of the gates of a recurrent layer: each is made with its own permutation and without random signs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_NUMBER: ContextVar[int | None] = ContextVar("number", default=None)


@contextmanager
def numbered(number: int) -> Iterator[None]:
    """Make the sandwiches inside as those of gate `number`; layers that were made before stay as they are."""
    token = _NUMBER.set(number)
    try:
        yield
    finally:
        _NUMBER.reset(token)


def place(seed: int | None) -> tuple[int | None, str]:
    """Return the seed of a sandwich that is made here, and its default start.

    Signs at the output keep equal layers apart, but the steps of a recurrence are then no longer products in the
    wavelet domain, $(U^T P U)^t = U^T P^t U$: see `docs/theory.md#start`. Gates get different permutations instead.
    With the identity for P they would be equal: it keeps the signs.
    """
    number = _NUMBER.get()
    return (seed, "signs") if seed is None or number is None else (seed + number, "ones")
