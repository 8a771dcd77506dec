"""What the commands share: words into values, faults of one line, files that are never half written."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import typer

MOST_SEEDS = 1_000_000


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn faults of the user's input or machine into one line and exit status 2."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


def parse_choice(name: str, value: str, choices: Collection[str]) -> str:
    """`value`, if it is one of `choices`."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(choices)}, got {value!r}")
    return value


def parse_names(name: str, words: list[str], choices: Collection[str]) -> tuple[str, ...]:
    """Names from repeated, comma-separated options, each once, in the order given; `all` is every choice."""
    names = [part.strip() for word in words for part in word.split(",")]
    for part in names:
        parse_choice(name, part, (*choices, "all"))
    return tuple(choices) if "all" in names else tuple(dict.fromkeys(names))


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from a count (`"3"`: 0, 1, 2) or a list (`"4,7"`; `"7,"` for one)."""
    words = text.removesuffix(",").split(",")
    if not all(word.strip().isdecimal() for word in words) or text == "0":
        raise ValueError(f"`seeds` must be a count of at least 1 or a list such as 0,1,2 (`0,` for one), got {text!r}")
    numbers = [int(word) for word in words]
    largest = MOST_SEEDS if "," not in text else 2**63 - 1  # what torch and NumPy take
    if max(numbers) > largest:
        raise ValueError(f"`seeds` must be at most {largest:,}, got {text}")
    return tuple(dict.fromkeys(numbers)) if "," in text else tuple(range(numbers[0]))


def parse_counts(name: str, text: str) -> tuple[int, ...]:
    """Positive numbers with commas, each once.

    Raises:
        ValueError: anything else.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ValueError(f"`{name}` must be numbers of at least 1, such as 1,3; got {text!r}")
    return tuple(dict.fromkeys(int(word) for word in words))


def parse_device(text: str) -> torch.device:
    """The device, tried once."""
    try:
        device = torch.device(text)
        torch.zeros((), device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # unknown, not in this build, or not usable
        raise ValueError(f"`device` must be usable here, got {text!r}: {str(error).splitlines()[0]}") from error
    return device


def write_atomic(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
