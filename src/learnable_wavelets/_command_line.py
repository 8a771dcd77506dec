"""Options as fields of a dataclass, and the parsing of their values."""

import argparse
import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

import torch

from ._checks import check_choice

MOST_SEEDS = 1_000_000


class Parser(argparse.ArgumentParser):
    """A parser that knows only what was given, and reports an error as one line."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "argument_default": argparse.SUPPRESS, **keywords})

    def error(self, message: str) -> NoReturn:
        """Raise the error that `cli.main` prints."""
        raise ValueError(message)


def option(default: Any, help: str, **keywords: Any) -> Any:
    """Declare a field of an options record: its default, its help, and further keywords of `add_argument`.

    The keyword `parse`, a function of name and value, is for `parse_options`.
    """
    return dataclasses.field(default=default, metadata={"help": help, **keywords})


def flag(help: str) -> Any:
    """Declare an option that is on or off."""
    return option(False, help, action=argparse.BooleanOptionalAction)


def add_options(
    parser: argparse.ArgumentParser,
    record: type,
    names: Collection[str] | None = None,
    texts: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Add the fields of `record`, or those in `names`; `texts` fills in the help, `defaults` is only shown."""
    parser.usage = "%(prog)s [OPTIONS]"  # argparse's own repeats the list below, over lines that it cannot break
    for field in dataclasses.fields(record):
        if field.metadata and (names is None or field.name in names):
            keywords = {key: value for key, value in field.metadata.items() if key != "parse"}
            default = (defaults or {}).get(field.name, field.default)
            if isinstance(default, tuple):
                default = ",".join(map(str, default))
            known = default not in (None, False, "", dataclasses.MISSING)
            keywords["help"] = keywords["help"].format(**texts or {}) + (f" [{default}]" if known else "")
            parser.add_argument(f"--{field.name.replace('_', '-')}", **keywords)


def parse_options(record: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parse the values that need it.

    Raises:
        ValueError: a value is not allowed; the message names the option.
    """
    parsers = {field.name: field.metadata.get("parse") for field in dataclasses.fields(record)}
    return {name: parse(name, value) if (parse := parsers[name]) else value for name, value in given.items()}


def one_of(*choices: str) -> Callable[[str, str], str]:
    """Parse one of `choices`."""
    return lambda name, value: check_choice(name, value, choices)


def at_least(kind: type, least: float) -> Callable[[str], Any]:
    """Convert to `kind`, for argparse, and refuse less than `least`."""

    def convert(text: str) -> Any:
        value = kind(text)
        if not value >= least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {text}")
        return value

    convert.__name__ = kind.__name__  # argparse names it where the text is no number
    return convert


def parse_names(name: str, texts: list[str], choices: Collection[str]) -> tuple[str, ...]:
    """Parse names from repeated, comma-separated options, each once, in the order given; `all` is every choice."""
    names = [part.strip() for text in texts for part in text.split(",")]
    for part in names:
        check_choice(name, part, (*choices, "all"))
    return tuple(choices) if "all" in names else tuple(dict.fromkeys(names))


def parse_seeds(name: str, text: str) -> tuple[int, ...]:
    """Parse a count (`"3"`: 0, 1, 2) or a list (`"4,7"`; `"7,"` for one)."""
    parts = text.removesuffix(",").split(",")
    if not all(part.strip().isdecimal() for part in parts) or text == "0":
        raise ValueError(f"`{name}` must be a count of at least 1 or a list such as 0,1,2 (`0,` for one), got {text!r}")
    numbers = [int(part) for part in parts]
    largest = MOST_SEEDS if "," not in text else 2**63 - 1  # the limit of torch and NumPy
    if max(numbers) > largest:
        raise ValueError(f"`{name}` must be at most {largest:,}, got {text}")
    return tuple(dict.fromkeys(numbers)) if "," in text else tuple(range(numbers[0]))


def parse_counts(name: str, text: str, least: int = 1) -> tuple[int, ...]:
    """Parse whole numbers with commas, each once."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= least for part in parts):
        raise ValueError(f"`{name}` must be whole numbers of at least {least}, such as 1,3; got {text!r}")
    return tuple(dict.fromkeys(map(int, parts)))


def first_line(error: BaseException) -> str:
    """Return the first line of a message, or the type of an error without one: torch's go over many."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def parse_device(text: str) -> torch.device:
    """Parse a device and use it once."""
    try:
        device = torch.device(text)
        torch.zeros((), device=device).item()
    except Exception as error:  # of many types: unknown, not in this build, without its package, or not usable
        raise ValueError(f"`device` must be usable here, got {text!r}: {first_line(error)}") from error
    return device
